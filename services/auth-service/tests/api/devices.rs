//! Devices that somebody signs in from.

use common::auth::mail::{AccountEvent, MailContent};
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, Server, answer};

/// Signs in as a browser does, from an address and with the cookies that it has.
async fn browse(server: &Server, ip: &str, cookie: Option<&str>, password: &str) -> Answer {
    let body = json!({"email": "bob@example.org", "password": password, "session": "cookie"});
    let mut request = server
        .post("/api/v1/auth/login", body)
        .header("x-forwarded-for", ip)
        .header("user-agent", "Browser/1.0")
        .header("sec-fetch-site", "same-origin");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    answer(request).await
}

fn device_cookie(answer: &Answer) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let device = set.into_iter().find(|value| value.starts_with("fm_device="))?;
    assert!(device.contains("HttpOnly") && device.contains("SameSite=Lax"), "{device}");
    Some(device.split(';').next().unwrap().to_owned())
}

async fn notices(server: &Server) -> usize {
    let new =
        |content: &MailContent| matches!(content, MailContent::Notice { event: AccountEvent::NewDevice, .. });
    server.mails().await.iter().filter(|mail| new(&mail.content)).count()
}

#[actix_web::test]
async fn a_new_device_is_told_of_once() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let first = browse(&server, "1.1.1.1", None, PASSWORD).await;
    first.expect(StatusCode::OK);
    let cookie = device_cookie(&first).unwrap();
    assert_eq!(notices(&server).await, 0, "where the account was made is not new");
    // it goes by its cookie, wherever it is
    let again = browse(&server, "2.2.2.2", Some(&cookie), PASSWORD).await;
    again.expect(StatusCode::OK);
    assert_eq!((device_cookie(&again), notices(&server).await), (None, 0));
    let other = browse(&server, "3.3.3.3", None, PASSWORD).await;
    other.expect(StatusCode::OK);
    assert_eq!(notices(&server).await, 1);
    // a program without cookies is known by its name and its network; the classic sign-in is told of as well
    for expected in [2, 2] {
        let connect = server.connect("bob@example.org", PASSWORD).header("x-forwarded-for", "2001:db8::1");
        answer(connect.header("user-agent", "script/2")).await.expect(StatusCode::OK);
        assert_eq!(notices(&server).await, expected);
    }
    let kept = server.database();
    let value = cookie.split_once('=').unwrap().1;
    assert!(!kept.windows(value.len()).any(|window| window == value.as_bytes()), "hashed");
}

#[actix_web::test]
async fn strangers_do_not_lock_a_known_device_out() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let cookie = device_cookie(&browse(&server, "1.1.1.1", None, PASSWORD).await).unwrap();
    // somebody behind the same address uses up what it may try, and more addresses help
    for _ in 0..10 {
        browse(&server, "1.1.1.1", None, "wrong").await.expect_problem(401, "invalid_credentials");
    }
    browse(&server, "1.1.1.1", None, PASSWORD).await.expect_problem(429, "rate_limited");
    browse(&server, "1.1.1.1", Some(&cookie), PASSWORD).await.expect(StatusCode::OK);
    // the device has a limit of its own
    for _ in 0..10 {
        browse(&server, "1.1.1.1", Some(&cookie), "wrong").await.expect_problem(401, "invalid_credentials");
    }
    browse(&server, "9.9.9.9", Some(&cookie), PASSWORD).await.expect_problem(429, "rate_limited");
    // what nobody gave out counts for nothing
    let made_up = format!("fm_device={}", "A".repeat(43));
    browse(&server, "1.1.1.1", Some(&made_up), PASSWORD).await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn a_cookie_of_one_account_is_none_of_another() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let eve = json!({"email": "eve@example.org", "password": PASSWORD, "session": "cookie"});
    let eve = server.post("/api/v1/auth/register", eve).header("x-forwarded-for", "6.6.6.6");
    let cookie = device_cookie(&answer(eve.header("sec-fetch-site", "same-origin")).await).unwrap();
    for _ in 0..10 {
        browse(&server, "6.6.6.6", Some(&cookie), "wrong").await.expect_problem(401, "invalid_credentials");
    }
    browse(&server, "6.6.6.6", Some(&cookie), "wrong").await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn after_a_change_of_the_password_a_sign_in_from_elsewhere_is_told_of() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let first = browse(&server, "1.1.1.1", None, PASSWORD).await;
    first.expect(StatusCode::OK);
    let device = device_cookie(&first).unwrap();
    let set = first.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let session = set.into_iter().find(|value| value.starts_with("fm_session=")).unwrap();
    let session = session.split(';').next().unwrap();
    let change =
        server.post("/api/v1/users/me/password", json!({"current": PASSWORD, "new": "another horse"}));
    let change =
        change.header("cookie", format!("{session}; {device}")).header("sec-fetch-site", "same-origin");
    answer(change).await.expect(StatusCode::NO_CONTENT);
    // the browser that changed it is known still
    browse(&server, "4.4.4.4", Some(&device), "another horse").await.expect(StatusCode::OK);
    assert_eq!(notices(&server).await, 0);
    browse(&server, "5.5.5.5", None, "another horse").await.expect(StatusCode::OK);
    assert_eq!(notices(&server).await, 1);
}
