//! Limits on guessing.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Answer, Options, PASSWORD, Server, answer};

async fn connect_from(server: &Server, ip: &str, email: &str, password: &str) -> Answer {
    answer(server.connect(email, password).header("x-forwarded-for", ip)).await
}

#[actix_web::test]
async fn ten_failures_pass_and_the_next_is_told_when_to_come_back() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    for _ in 0..10 {
        answer(server.connect("bob", "wrong")).await.expect_classic(401, "Unauthorized");
    }
    let limited = answer(server.connect("BOB", PASSWORD)).await;
    limited.expect_classic(429, "Too many attempts");
    let wait: u64 = limited.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(limited.header("ratelimit-policy"), Some("\"login_account\";q=10;w=600"));
    assert!(limited.header("ratelimit").unwrap().starts_with("\"login_account\";r=0;t="));

    let v1 = server.login("bob", PASSWORD).await;
    v1.expect_problem(429, "rate_limited");
    assert!(v1.header("retry-after").is_some() && v1.header("ratelimit").is_some());

    // it is the account and the address, not the address alone
    server.sign_up("ann", PASSWORD).await.expect(StatusCode::CREATED);
    answer(server.connect("ann", PASSWORD)).await.expect(StatusCode::OK);

    server.clock.advance(Duration::from_secs(wait));
    answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn unknown_accounts_are_limited_alike() {
    let server = Server::start().await;
    for _ in 0..10 {
        answer(server.connect("nobody", "wrong")).await.expect_classic(401, "Unauthorized");
    }
    answer(server.connect("nobody", "wrong")).await.expect_classic(429, "Too many attempts");
}

#[actix_web::test]
async fn a_success_starts_the_count_over() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    for _ in 0..3 {
        for _ in 0..9 {
            answer(server.connect("bob", "wrong")).await.expect_classic(401, "Unauthorized");
        }
        answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
    }
}

#[actix_web::test]
async fn good_sign_ins_are_not_counted() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let all = join_all((0..100).map(|_| answer(server.connect("bob", PASSWORD)))).await;
    let (good, busy): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.status == StatusCode::OK);
    assert_eq!((good.len(), busy.len()), (100, 0));
}

#[actix_web::test]
async fn c158_one_password_over_many_accounts_is_limited_by_address() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let emails: Vec<_> = (0..100).map(|n| format!("user{n}@b")).collect();
    let mut refused = 0;
    for email in &emails {
        let one = connect_from(&server, "6.6.6.6", email, "password1").await;
        refused += u32::from(one.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 40);
    assert_eq!(connect_from(&server, "6.6.6.6", "bob", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    connect_from(&server, "7.7.7.7", "bob", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn c158_others_cannot_lock_an_owner_out() {
    let server = Server::with(Options::behind_gateway()).await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let mut passed = 0;
    for n in 0..100 {
        for _ in 0..4 {
            let one = connect_from(&server, &format!("6.6.6.{n}"), "bob", "wrong").await;
            passed += u32::from(one.status == StatusCode::UNAUTHORIZED);
        }
    }
    // fifty guesses, then three from each address rather than ten
    assert!((300..=320).contains(&passed), "{passed}");
    connect_from(&server, "7.7.7.7", "bob", PASSWORD).await.expect(StatusCode::OK);
    // and the owner may still mistype
    connect_from(&server, "7.7.7.7", "bob", "wrong").await.expect_classic(401, "Unauthorized");
    connect_from(&server, "7.7.7.7", "bob", PASSWORD).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn a_volley_of_guesses_does_not_slip_through() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    let all = join_all((0..60).map(|_| answer(server.connect("bob", "wrong")))).await;
    let guesses = all.iter().filter(|one| one.status == StatusCode::UNAUTHORIZED).count();
    // ten, and what was under way when the tenth failed
    assert!((10..=13).contains(&guesses), "{guesses}");
}

#[actix_web::test]
async fn a_volley_of_passwords_that_are_given_again_does_not_slip_through() {
    let server = Server::start().await;
    server.sign_up("bob@example.org", PASSWORD).await.expect(StatusCode::CREATED);
    let login = server.login("bob@example.org", PASSWORD).await.expect(StatusCode::OK);
    let token = login["accessToken"].as_str().unwrap();
    let change = || {
        let body = json!({"current": "wrong one", "new": "quite another one"});
        answer(
            server.post("/api/v1/users/me/password", body).header("authorization", format!("Bearer {token}")),
        )
    };
    let all = join_all((0..60).map(|_| change())).await;
    assert_eq!(all.iter().filter(|one| one.status == StatusCode::FORBIDDEN).count(), 10);
    assert_eq!(all.iter().filter(|one| one.status == StatusCode::TOO_MANY_REQUESTS).count(), 50);
}

#[actix_web::test]
async fn a_network_with_many_prefixes_of_ipv6_has_its_own_bound() {
    let server = Server::with(Options::behind_gateway()).await;
    let mut wrong = 0;
    for prefix in 0..400 {
        let answer = connect_from(&server, &format!("2001:db8:1:{prefix:x}::1"), "bob", "wrong").await;
        wrong += u32::from(answer.status == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(wrong, 300);
    let neighbour = connect_from(&server, "2001:db8:2::1", "bob", "wrong").await;
    neighbour.expect_classic(401, "Unauthorized");
}

#[actix_web::test]
async fn c161_a_rejected_token_is_no_password_attempt() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    answer(server.get("/disconnect").header("x-token", &token)).await;
    for _ in 0..100 {
        assert_eq!(server.me(&token).await, StatusCode::UNAUTHORIZED);
        answer(server.get("/connect").header("authorization", "Basic !"))
            .await
            .expect_classic(401, "Unauthorized");
    }
    answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn sixty_sign_ups_a_minute_pass() {
    let server = Server::start().await;
    for n in 0..60 {
        server.sign_up(&format!("user{n}"), "x").await.expect(StatusCode::CREATED);
    }
    let limited = server.sign_up("user60", "x").await;
    limited.expect_classic(429, "Too many attempts");
    assert!(limited.header("retry-after").is_some());
    let v1 = server.post("/api/v1/auth/register", json!({"email": "a@b", "password": PASSWORD}));
    answer(v1).await.expect_problem(429, "rate_limited");
    server.clock.advance(Duration::from_secs(60));
    for n in 60..120 {
        server.sign_up(&format!("user{n}"), "x").await.expect(StatusCode::CREATED);
    }
}

#[actix_web::test]
async fn without_the_shared_counters_each_process_counts_by_itself() {
    let server = Server::start().await;
    server.sign_up("bob", PASSWORD).await.expect(StatusCode::CREATED);
    server.outage(true);
    for _ in 0..10 {
        answer(server.connect("bob", "wrong")).await.expect_classic(401, "Unauthorized");
    }
    answer(server.connect("bob", PASSWORD)).await.expect_classic(429, "Too many attempts");
    server.outage(false);
    answer(server.connect("bob", PASSWORD)).await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn whole_addresses_are_looked_up_so_often() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    let look = async |q: &str| answer(server.get(&format!("/api/v1/people?q={q}")).bearer_auth(&token)).await;
    for _ in 0..120 {
        look("eve@example.org").await.expect(StatusCode::OK);
    }
    look("eve@example.org").await.expect_problem(429, "rate_limited");
    server.clock.advance(Duration::from_secs(2));
    look("eve@example.org").await.expect(StatusCode::OK);
}

#[actix_web::test]
async fn names_of_the_classic_api_are_looked_up_no_more_often() {
    let server = Server::start().await;
    let token = server.classic_token("bob").await;
    server.sign_up("eve", PASSWORD).await.expect(StatusCode::CREATED);
    let look = async |q: &str| answer(server.get(&format!("/api/v1/people?q={q}")).bearer_auth(&token)).await;
    for n in 0..119 {
        assert_eq!(look(&format!("eve{n}")).await.expect(StatusCode::OK)["items"], json!([]));
    }
    assert_eq!(look("eve").await.expect(StatusCode::OK)["items"][0]["email"], "eve");
    look("eve").await.expect_problem(429, "rate_limited");
    look("eve@example.org").await.expect_problem(429, "rate_limited");
}

#[actix_web::test]
async fn mails_of_one_kind_do_not_keep_back_those_of_another() {
    let server = Server::start().await;
    let token = server.classic_token("bob@example.org").await;
    let stranger = server.classic_token("eve@example.org").await;
    let ask = async |path: &str| answer(server.post(path, json!({"email": "bob@example.org"}))).await;
    let forgot = async || ask("/api/v1/auth/password/forgot").await;
    for _ in 0..5 {
        forgot().await.expect(StatusCode::ACCEPTED);
    }
    forgot().await.expect_problem(429, "rate_limited");
    ask("/api/v1/auth/verify/resend").await.expect(StatusCode::ACCEPTED);
    let email = async |token: &str, new: &str| {
        let body = json!({"new": new, "password": PASSWORD});
        answer(server.post("/api/v1/users/me/email", body).bearer_auth(token)).await
    };
    // nor does what others ask for keep back who is signed in
    for _ in 0..5 {
        email(&stranger, "bob@example.org").await.expect(StatusCode::ACCEPTED);
    }
    email(&stranger, "other@example.org").await.expect_problem(429, "rate_limited");
    email(&token, "bob@example.com").await.expect(StatusCode::ACCEPTED);
}

#[actix_web::test]
async fn whoever_found_a_session_does_not_keep_the_owner_from_what_wants_the_password() {
    let server = Server::with(Options::behind_gateway()).await;
    let found = server.classic_token("bob@example.org").await;
    let own = server.token_of_v1("bob@example.org").await;
    let token = async |session: &str, device: Option<&str>, password: &str| {
        let body = json!({"name": "a", "scopes": ["files:read"], "password": password});
        let request = server.post("/api/v1/users/me/tokens", body).bearer_auth(session);
        answer(match device {
            Some(device) => request.header("cookie", device),
            None => request,
        })
        .await
    };
    for _ in 0..10 {
        token(&found, None, "wrong").await.expect_problem(403, "wrong_password");
    }
    token(&found, None, "wrong").await.expect_problem(429, "rate_limited");
    token(&own, None, PASSWORD).await.expect(StatusCode::CREATED);

    // many sign-ins together have a bound, which does not concern a browser that the owner signed in with
    let body = json!({"email": "bob@example.org", "password": PASSWORD, "session": "cookie"});
    let browser = answer(server.post("/api/v1/auth/login", body)).await;
    let mut set = browser.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let device = set.find(|cookie| cookie.starts_with("fm_device=")).unwrap().split(';').next().unwrap();
    let mut wrong = 0;
    for _ in 0..4 {
        let another = server.token_of("bob@example.org").await;
        for _ in 0..10 {
            let answer = token(&another, None, "wrong").await;
            wrong += u32::from(answer.status == StatusCode::FORBIDDEN);
        }
    }
    assert_eq!(wrong, 20, "ten of thirty were wrong before");
    token(&own, None, PASSWORD).await.expect_problem(429, "rate_limited");
    token(&own, Some(device), PASSWORD).await.expect(StatusCode::CREATED);
}
