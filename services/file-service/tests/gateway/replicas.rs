//! Several replicas, of which one fails.

use std::net::SocketAddr;

use reqwest::{Method, StatusCode};
use testkit::nginx::{Behind, Nginx};

use crate::helpers::{Breaker, Double, OK, ask, expect_own_problem, nobody, noise, request, start};
use crate::support::answer;

async fn before(files: Vec<SocketAddr>) -> Nginx {
    start(Behind { files, ..Behind::default() }).await
}

#[actix_web::test]
async fn one_that_is_down_is_passed_by() {
    let [first, second] = [Double::content(), Double::content()];
    let nginx = before(vec![first.address, second.address]).await;
    for _ in 0..4 {
        assert_eq!(ask(Method::GET, &nginx.address(), "/files", &[]).await.status, OK);
    }
    assert_eq!((first.asked().len(), second.asked().len()), (2, 2));
    first.stop().await;
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    for round in 0..3 {
        for method in &methods {
            let got = ask(method.clone(), &nginx.address(), "/files", &[]).await;
            assert_eq!(got.status, OK, "{method} in round {round}");
        }
    }
    assert_eq!(second.asked().len(), 2 + 3 * methods.len());
}

/// A gateway whose next request goes to a replica that nobody listens at.
async fn before_a_dead_one(alive: &Double) -> Nginx {
    before(vec![nobody(), alive.address]).await
}

#[actix_web::test]
async fn nothing_is_lost_where_no_connection_can_be_made() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for len in [0, 10, 50_000, 99_999, 100_000, 3_000_000] {
            let alive = Double::content();
            let nginx = before_a_dead_one(&alive).await;
            let body = noise(len);
            let got =
                answer(request(method.clone(), &nginx.address(), "/files", &[]).body(body.clone())).await;
            assert_eq!(got.status, OK, "{method} of {len} bytes: {:?}", nginx.errors());
            let [asked] = &alive.asked()[..] else { panic!("once: {method} of {len} bytes") };
            assert!(asked.body == body && asked.method == method.as_str(), "{method} of {len} bytes");
        }
    }
}

#[actix_web::test]
async fn only_what_changes_nothing_is_sent_twice() {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        let (breaker, other) = (Breaker::start().await, Double::content());
        let nginx = before(vec![breaker.address, other.address]).await;
        assert_eq!(ask(method.clone(), &nginx.address(), "/files", &[]).await.status, OK, "{method}");
        assert_eq!((breaker.taken.lock().unwrap().len(), other.asked().len()), (1, 1), "{method}");
    }
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for body in [Some(0), Some(10), Some(50_000), Some(3_000_000), None] {
            let (breaker, other) = (Breaker::start().await, Double::content());
            let nginx = before(vec![breaker.address, other.address]).await;
            let request = request(method.clone(), &nginx.address(), "/api/v1/files/root", &[]);
            let request = match body {
                Some(len) => request.body(noise(len)),
                None => {
                    let piece = Ok::<_, std::io::Error>("short, and of unknown length");
                    request.body(reqwest::Body::wrap_stream(futures_util::stream::iter([piece])))
                }
            };
            let got = answer(request).await;
            let case = format!("{method} {body:?}");
            expect_own_problem(&got, 503, "unavailable");
            assert_eq!(breaker.taken.lock().unwrap().len(), 1, "{case}");
            assert!(other.asked().is_empty(), "{case}");
        }
    }
}

#[actix_web::test]
async fn a_service_whose_part_is_away_still_serves_the_rest() {
    let [first, second] = [(); 2].map(|()| {
        Double::start(|asked| {
            if asked.path.contains("away") {
                return actix_web::HttpResponse::ServiceUnavailable().body("own");
            }
            actix_web::HttpResponse::Ok().finish()
        })
    });
    let nginx = before(vec![first.address, second.address]).await;
    for _ in 0..4 {
        let away = ask(Method::GET, &nginx.address(), "/api/v1/away", &[]).await;
        assert_eq!((away.status, away.text()), (StatusCode::SERVICE_UNAVAILABLE, "own"));
        assert_eq!(ask(Method::GET, &nginx.address(), "/api/v1/there", &[]).await.status, OK);
    }
}
