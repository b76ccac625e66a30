//! The second factor.

use std::time::Duration;

use aws_lc_rs::hmac;
use common::auth::mail::{AccountEvent, MailContent};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Options, PASSWORD, Server, answer};

const TOTP: &str = "/api/v1/users/me/totp";
const EMAIL: &str = "bob@example.org";
pub(crate) const STEP: Duration = Duration::from_secs(30);

/// What an app shows at the server's time, written from RFC 6238 anew.
pub(crate) fn app(server: &Server, secret: &str) -> String {
    let bits = secret.bytes().fold(Vec::new(), |mut bits, digit| {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == digit).unwrap();
        bits.extend((0..5).rev().map(|place| value >> place & 1));
        bits
    });
    let key: Vec<u8> =
        bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8)).collect();
    let step = server.now().seconds() / 30;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key), &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

async fn login(server: &Server, more: Value) -> Answer {
    let mut body = json!({"email": EMAIL, "password": PASSWORD});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer(server.post("/api/v1/auth/login", body)).await
}

async fn post(server: &Server, token: &str, path: &str, body: Value) -> Answer {
    answer(server.post(&format!("{TOTP}{path}"), body).bearer_auth(token)).await
}

async fn remove(server: &Server, token: &str, body: Value) -> Answer {
    answer(server.request(Method::DELETE, TOTP).bearer_auth(token).json(&body)).await
}

/// An account with a second factor: its token, its secret and its recovery codes.
pub(crate) async fn enrolled(server: &Server) -> (String, String, Vec<String>) {
    let token = server.classic_token(EMAIL).await;
    let (secret, codes) = enrol(server, &token).await;
    (token, secret, codes)
}

/// Sets up a second factor for an account that is there: its secret and its recovery codes.
async fn enrol(server: &Server, token: &str) -> (String, Vec<String>) {
    let begun = post(server, token, "", json!({"password": PASSWORD})).await.expect(StatusCode::OK);
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let body = json!({"code": app(server, &secret)});
    let codes = post(server, token, "/confirm", body).await.expect(StatusCode::OK);
    let codes = codes["recoveryCodes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[actix_web::test]
async fn a_second_factor_is_set_up_by_an_app() {
    let server = Server::start().await;
    let token = server.classic_token(EMAIL).await;
    post(&server, &token, "", json!({"password": "wrong"})).await.expect_problem(403, "wrong_password");
    post(&server, &token, "/confirm", json!({"code": "000000"}))
        .await
        .expect_problem(409, "no_second_factor");
    let begun = post(&server, &token, "", json!({"password": PASSWORD})).await.expect(StatusCode::OK);
    let secret = begun["secret"].as_str().unwrap();
    let uri = begun["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/Files%20Manager:bob@example.org?secret="), "{uri}");
    assert!(uri.contains(secret));
    let qr = begun["qr"].as_str().unwrap();
    assert!(qr.contains("<svg") && qr.ends_with("</svg>") && !qr.contains("script"), "{qr}");

    // it is not asked for before it is confirmed
    login(&server, json!({})).await.expect(StatusCode::OK);
    post(&server, &token, "/confirm", json!({"code": "abc"}))
        .await
        .expect_problem(401, "invalid_second_factor");
    let body = json!({"code": app(&server, secret)});
    let codes = post(&server, &token, "/confirm", body).await.expect(StatusCode::OK);
    assert_eq!(codes["recoveryCodes"].as_array().unwrap().len(), 10);
    post(&server, &token, "", json!({"password": PASSWORD})).await.expect_problem(409, "has_second_factor");
    let me = answer(server.get("/api/v1/users/me").bearer_auth(&token)).await.expect(StatusCode::OK);
    assert_eq!(me["secondFactor"], true);
    assert!(!me.to_string().contains(secret));
    // neither the secret nor a code stands in the database in clear
    let kept = server.database();
    for clear in [secret, codes["recoveryCodes"][0].as_str().unwrap()] {
        assert!(!kept.windows(clear.len()).any(|window| window == clear.as_bytes()));
    }
}

#[actix_web::test]
async fn a_sign_in_takes_both_factors() {
    let server = Server::start().await;
    let (_, secret, _) = enrolled(&server).await;
    login(&server, json!({})).await.expect_problem(401, "second_factor_required");
    let used = app(&server, &secret);
    login(&server, json!({ "totp": used })).await.expect_problem(401, "invalid_second_factor");
    server.clock.advance(STEP);
    let code = app(&server, &secret);
    // the password comes first
    let wrong = json!({"email": EMAIL, "password": "wrong", "totp": code});
    answer(server.post("/api/v1/auth/login", wrong)).await.expect_problem(401, "invalid_credentials");
    login(&server, json!({ "totp": code })).await.expect(StatusCode::OK);
    login(&server, json!({ "totp": code })).await.expect_problem(401, "invalid_second_factor");
    server.clock.advance(STEP);
    let late = app(&server, &secret);
    server.clock.advance(STEP);
    login(&server, json!({ "totp": late })).await.expect(StatusCode::OK);
    // the classic sign-in has no place for it, and is no way around it
    answer(server.connect(EMAIL, PASSWORD)).await.expect_classic(401, "Unauthorized");
}

#[actix_web::test]
async fn a_recovery_code_stands_in_once() {
    let server = Server::start().await;
    let (_, _, codes) = enrolled(&server).await;
    let typed = codes[3].to_lowercase().replace('-', " ");
    login(&server, json!({ "recoveryCode": typed })).await.expect(StatusCode::OK);
    let MailContent::Notice { event, .. } = server
        .mails()
        .await
        .into_iter()
        .rfind(|mail| {
            matches!(&mail.content, MailContent::Notice { event: AccountEvent::RecoveryCodeUsed, .. })
        })
        .unwrap()
        .content
    else {
        panic!("a notice")
    };
    assert_eq!(event, AccountEvent::RecoveryCodeUsed);
    login(&server, json!({ "recoveryCode": codes[3] })).await.expect_problem(401, "invalid_second_factor");
    login(&server, json!({ "recoveryCode": codes[4] })).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn codes_are_not_guessed() {
    let server = Server::start().await;
    let (_, secret, codes) = enrolled(&server).await;
    server.clock.advance(STEP);
    for _ in 0..5 {
        login(&server, json!({"totp": "x"})).await.expect_problem(401, "invalid_second_factor");
    }
    let limited = login(&server, json!({"totp": app(&server, &secret)})).await;
    limited.expect_problem(429, "rate_limited");
    assert!(limited.header("retry-after").is_some());
    // recovery codes have a count of their own
    for _ in 0..10 {
        login(&server, json!({"recoveryCode": "x"})).await.expect_problem(401, "invalid_second_factor");
    }
    login(&server, json!({"recoveryCode": codes[0]})).await.expect_problem(429, "rate_limited");
    server.clock.advance(2 * STEP);
    login(&server, json!({"totp": app(&server, &secret)})).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn whoever_knows_the_password_does_not_keep_the_owner_out_by_the_second_factor() {
    let server = Server::with(Options::behind_gateway()).await;
    let (_, secret, codes) = enrolled(&server).await;
    let from = async |ip: &str, cookie: Option<&str>, more: Value| {
        let mut body = json!({"email": EMAIL, "password": PASSWORD, "session": "cookie"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = server.post("/api/v1/auth/login", body).header("x-forwarded-for", ip);
        answer(match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        })
        .await
    };
    server.clock.advance(STEP);
    let first = from("7.7.7.7", None, json!({"totp": app(&server, &secret)})).await;
    first.expect(StatusCode::OK);
    let mut cookies = first.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let device = cookies.find(|cookie| cookie.starts_with("fm_device=")).unwrap();
    let device = device.split(';').next().unwrap().to_owned();
    server.clock.advance(STEP);

    let burn = async || {
        for n in 0..20 {
            from(&format!("6.6.6.{n}"), None, json!({"totp": "000000"})).await;
            from("6.6.6.6", None, json!({"recoveryCode": "x"})).await;
        }
        from("6.6.6.7", None, json!({"totp": "000000"})).await.expect_problem(429, "rate_limited");
        from("6.6.6.6", None, json!({"recoveryCode": "x"})).await.expect_problem(429, "rate_limited");
    };
    burn().await;
    from("7.7.7.8", None, json!({"totp": app(&server, &secret)})).await.expect_problem(429, "rate_limited");
    let code = app(&server, &secret);
    from("7.7.7.7", Some(&device), json!({ "totp": code })).await.expect(StatusCode::OK);
    // from a new device by a recovery code
    from("7.7.7.8", None, json!({"recoveryCode": codes[0]})).await.expect(StatusCode::OK);
    // what the owner does right makes no room for the others
    from("6.6.6.7", None, json!({"totp": "000000"})).await.expect_problem(429, "rate_limited");
    // a known device is no place to guess from either
    for _ in 0..5 {
        from("7.7.7.7", Some(&device), json!({"totp": "x"}))
            .await
            .expect_problem(401, "invalid_second_factor");
    }
    from("7.7.7.7", Some(&device), json!({"totp": "x"})).await.expect_problem(429, "rate_limited");
}

/// Signs in as a browser does, from an address and with the device cookie that it has.
async fn browse(server: &Server, device: Option<&str>, more: Value) -> Answer {
    let mut body = json!({"email": EMAIL, "password": PASSWORD, "session": "cookie"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = server.post("/api/v1/auth/login", body).header("sec-fetch-site", "same-origin");
    answer(match device {
        Some(device) => request.header("cookie", device),
        None => request,
    })
    .await
}

fn device_of(answer: &Answer) -> Option<String> {
    let mut set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let device = set.find(|cookie| cookie.starts_with("fm_device="))?;
    Some(device.split(';').next().unwrap().to_owned())
}

/// How many wrong codes are looked at of as many as there are.
async fn guesses(server: &Server, devices: &[String]) -> usize {
    let mut looked_at = 0;
    for device in devices {
        for _ in 0..6 {
            let guess = browse(server, Some(device), json!({"totp": "x"})).await;
            looked_at += usize::from(guess.status == StatusCode::UNAUTHORIZED);
        }
    }
    looked_at
}

#[actix_web::test]
async fn devices_of_before_the_second_factor_give_nobody_more_guesses() {
    let server = Server::start().await;
    server.sign_up(EMAIL, PASSWORD).await.expect(StatusCode::CREATED);
    // whoever has the password signs in with values that they made up, and with some that they were given
    let mut planted: Vec<_> = (0..20).map(|n| format!("fm_device={}{n:02}A", "A".repeat(40))).collect();
    for device in &planted {
        let given = browse(&server, Some(device), json!({})).await;
        given.expect(StatusCode::OK);
        assert!(
            device_of(&given).is_some_and(|given| given != *device),
            "it is no device that was made here"
        );
    }
    for _ in 0..20 {
        planted.push(device_of(&browse(&server, None, json!({})).await).unwrap());
    }
    let (secret, _) = enrol(&server, &server.token_of(EMAIL).await).await;
    assert_eq!(guesses(&server, &planted).await, 5, "they are as strangers");
    // a browser that signs in with all that is asked for has its own
    server.clock.advance(10 * STEP);
    let own = browse(&server, None, json!({"totp": app(&server, &secret)})).await;
    own.expect(StatusCode::OK);
    assert_eq!(guesses(&server, &planted).await, 5);
    server.clock.advance(STEP);
    let code = app(&server, &secret);
    browse(&server, device_of(&own).as_deref(), json!({ "totp": code })).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn two_step_sign_in_ends_what_was_open_before_it() {
    let server = Server::start().await;
    server.sign_up(EMAIL, PASSWORD).await.expect(StatusCode::CREATED);
    let other = server.token_of(EMAIL).await;
    assert_eq!(server.me(&other).await, StatusCode::OK);
    let login = server.login(EMAIL, PASSWORD).await.expect(StatusCode::OK);
    let token = server.token_of(EMAIL).await;
    let begun = post(&server, &token, "", json!({"password": PASSWORD})).await.expect(StatusCode::OK);
    let body = json!({"code": app(&server, begun["secret"].as_str().unwrap())});
    // without the cache it is not confirmed: what is remembered of the others would go on
    server.outage(true);
    post(&server, &token, "/confirm", body.clone()).await.expect_problem(503, "unavailable");
    server.outage(false);
    assert_eq!(server.me(&other).await, StatusCode::OK);
    post(&server, &token, "/confirm", body).await.expect(StatusCode::OK);
    assert_eq!(server.me(&token).await, StatusCode::OK);
    assert_eq!(server.me(&other).await, StatusCode::UNAUTHORIZED);
    let refresh = json!({"refreshToken": login["refreshToken"]});
    answer(server.post("/api/v1/auth/refresh", refresh)).await.expect_problem(401, "invalid_credentials");
}

#[actix_web::test]
async fn all_known_devices_together_have_a_bound() {
    let server = Server::start().await;
    let (_, secret, _) = enrolled(&server).await;
    let mut devices = Vec::new();
    for _ in 0..8 {
        server.clock.advance(STEP);
        let known = browse(&server, None, json!({"totp": app(&server, &secret)})).await;
        known.expect(StatusCode::OK);
        devices.push(device_of(&known).unwrap());
    }
    assert_eq!(guesses(&server, &devices).await, 20, "five from each would be forty");
}

#[actix_web::test]
async fn it_is_removed_by_both_factors() {
    let server = Server::start().await;
    let (token, secret, _) = enrolled(&server).await;
    server.clock.advance(STEP);
    let code = app(&server, &secret);
    let with = |password: &str, code: Option<&str>| match code {
        Some(code) => json!({"password": password, "totp": code}),
        None => json!({ "password": password }),
    };
    remove(&server, &token, with(PASSWORD, None)).await.expect_problem(401, "second_factor_required");
    remove(&server, &token, with("wrong", Some(&code))).await.expect_problem(403, "wrong_password");
    remove(&server, &token, with(PASSWORD, Some("x"))).await.expect_problem(401, "invalid_second_factor");
    remove(&server, &token, with(PASSWORD, Some(&code))).await.expect(StatusCode::NO_CONTENT);
    login(&server, json!({})).await.expect(StatusCode::OK);
    remove(&server, &token, with(PASSWORD, None)).await.expect_problem(409, "no_second_factor");
}
