//! Probes and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, web};
use common::PortError;
use http_kit::health::{Health, check, configure, configure_metrics};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{DEADLINE, Server, get};

#[tokio::test]
async fn readiness_names_what_fails() {
    let works = Arc::new(AtomicBool::new(true));
    let draining = CancellationToken::new();
    let store = Arc::clone(&works);
    let checks = vec![
        check("store", move || {
            let works = store.load(Ordering::SeqCst);
            async move { if works { Ok(()) } else { Err(PortError::unavailable("store", "secret")) } }
        }),
        check("blobs", || async { Ok(()) }),
    ];
    let health = web::Data::new(Health::new(checks, draining.clone()));
    let server = Server::start(move |config| configure(config, health.clone()));
    assert_eq!(server.ask(&get("/health/live")).await.json(), json!({"status": "live"}));
    let answer = server.ask(&get("/health/ready")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "ready", "parts": {"store": "ok", "blobs": "ok"}}))
    );
    works.store(false, Ordering::SeqCst);
    let failing = async {
        loop {
            let answer = server.ask(&get("/health/ready")).await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(DEADLINE, failing).await.unwrap();
    assert_eq!(
        answer.json(),
        json!({"status": "not ready", "parts": {"store": "unavailable", "blobs": "ok"}})
    );
    works.store(true, Ordering::SeqCst);
    draining.cancel();
    let answer = server.ask(&get("/health/ready")).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (503, Some("draining")));
    assert_eq!(server.ask(&get("/health/live")).await.status, 200);
}

#[tokio::test]
async fn a_part_that_is_not_needed_is_named_and_fails_nobody() {
    let away = check("cache", || async { Err(PortError::unavailable("cache", "secret")) });
    let store = check("store", || async { Ok(()) });
    let health = Health::new(vec![store], CancellationToken::new()).with_dispensable(vec![away]);
    let health = web::Data::new(health);
    let server = Server::start(move |config| configure(config, health.clone()));
    let answer = server.ask(&get("/health/ready")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({"status": "ready", "parts": {"store": "ok", "cache": "unavailable"}}))
    );
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let handle = runtime::telemetry::init_metrics().unwrap();
    let server = Server::start(move |config| {
        configure_metrics(config, handle.clone());
        config.route("/api/v1/counted/{id}", web::get().to(HttpResponse::Ok));
    });
    for id in ["a", "b"] {
        server.ask(&get(&format!("/api/v1/counted/{id}"))).await;
    }
    server.ask(&get("/api/v1/nothing/to/see")).await;
    server.ask("MADEUP /api/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = server.ask(&get("/metrics")).await;
    let counted =
        r#"fm_http_requests_total{service="test",method="GET",route="/api/v1/counted/{id}",status="200"} 2"#;
    assert!(answer.body.contains(counted), "{}", answer.body);
    assert!(answer.body.contains(r#"method="other",route="unmatched""#), "{}", answer.body);
    assert!(answer.body.contains("fm_http_request_duration_seconds_bucket{"), "{}", answer.body);
    assert!(!answer.body.contains("nothing"));
}
