//! How long requests may wait, by what they came through.

use std::time::Duration;

use actix_web::get;
use common::allowance;
use http_kit::allowance::Waits;
use http_kit::server::ServerSettings;

use crate::support::{Server, settings};

#[get("/api/v1/left")]
async fn left() -> String {
    allowance::current()
        .map_or_else(|| "none".to_owned(), |allowance| allowance.left().as_millis().to_string())
}

async fn left_behind(waits: Waits, fields: &str) -> String {
    let server = Server::start_with(ServerSettings { waits, ..settings() }, |config| {
        config.service(left);
    });
    server.ask(&format!("GET /api/v1/left HTTP/1.1\r\nHost: x\r\n{fields}\r\n")).await.body
}

#[tokio::test]
async fn people_have_what_the_listener_gives() {
    let waits = Waits::AtMost(Duration::from_millis(1234));
    for fields in ["", "X-Waits-Ms: 99999\r\n"] {
        assert_eq!(left_behind(waits, fields).await, "1234", "{fields:?}");
    }
}

#[tokio::test]
async fn services_have_what_their_caller_says() {
    assert_eq!(left_behind(Waits::AsCallersSay, "X-Waits-Ms: 777\r\n").await, "777");
    for fields in ["", "X-Waits-Ms: soon\r\n"] {
        assert_eq!(left_behind(Waits::AsCallersSay, fields).await, "none", "{fields:?}");
    }
}
