//! Who may register.

use auth_service::Registration;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Options, PASSWORD, Server, answer, user_count};

fn options(registration: Registration, loopback_only: bool, has_public_url: bool) -> Options {
    let mut options = Options::default();
    options.settings.registration = registration;
    options.settings.loopback_only = loopback_only;
    options.settings.has_public_url = has_public_url;
    options
}

async fn is_open(server: &Server) -> bool {
    let state = answer(server.get("/api/v1/setup")).await.expect(StatusCode::OK);
    let classic = server.sign_up("classic@b", PASSWORD).await;
    let body = json!({"email": "v1@b", "password": PASSWORD});
    let v1 = answer(server.post("/api/v1/auth/register", body)).await;
    if state["registration"] == "open" {
        classic.expect(StatusCode::CREATED);
        v1.expect(StatusCode::CREATED);
        true
    } else {
        assert_eq!(state["registration"], "closed");
        classic.expect_classic(403, "Registration is closed");
        v1.expect_problem(403, "registration_closed");
        assert_eq!(user_count(&server.store).await, 0);
        false
    }
}

#[actix_web::test]
async fn by_itself_it_is_open_on_this_machine_only() {
    assert!(is_open(&Server::with(options(Registration::Auto, true, false)).await).await);
    assert!(!is_open(&Server::with(options(Registration::Auto, false, false)).await).await);
    assert!(!is_open(&Server::with(options(Registration::Auto, true, true)).await).await);
}

#[actix_web::test]
async fn a_setting_decides_before_all_else() {
    assert!(is_open(&Server::with(options(Registration::Open, false, true)).await).await);
    assert!(!is_open(&Server::with(options(Registration::Closed, true, false)).await).await);
}

#[actix_web::test]
async fn it_is_closed_to_what_came_through_a_gateway() {
    let server = Server::start().await;
    for (name, value) in [
        ("x-forwarded-for", "1.2.3.4"),
        ("forwarded", "for=1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "127.0.0.1"),
    ] {
        let state = answer(server.get("/api/v1/setup").header(name, value)).await.expect(StatusCode::OK);
        assert_eq!(state["registration"], "closed", "{name}");
        let body = json!({"email": "a@b", "password": PASSWORD});
        answer(server.post("/users", body.clone()).header(name, value))
            .await
            .expect_classic(403, "Registration is closed");
        answer(server.post("/api/v1/auth/register", body).header(name, value))
            .await
            .expect_problem(403, "registration_closed");
    }
    assert_eq!(user_count(&server.store).await, 0);
}

#[actix_web::test]
async fn where_it_is_closed_no_body_is_looked_at() {
    let server = Server::with(options(Registration::Closed, true, false)).await;
    answer(server.post("/users", json!([]))).await.expect_classic(403, "Registration is closed");
    answer(server.post("/api/v1/auth/register", json!([]))).await.expect_problem(403, "registration_closed");
}
