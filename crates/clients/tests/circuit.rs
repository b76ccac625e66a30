//! The circuit to a service that fails, seen from outside: calls, and the metrics of the process. Alone in its process, whose metrics it reads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use clients::InternalClient;
use common::PortError;
use common::routes::Service;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::ServiceTokens;
use runtime::SystemClock;
use testkit::wait::{recovered, soon, until};
use tokio::sync::Semaphore;
use url::Url;

/// A service that answers what it is told, when it is let.
struct Patient {
    status: AtomicU16,
    asked: AtomicU32,
    may_answer: Semaphore,
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_answers_at_once_and_closes_by_a_probe() {
    let metrics = runtime::telemetry::init_metrics().unwrap();
    let listener = Listener::bind_tcp("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shown = |state: &str| {
        let line =
            format!("fm_client_circuit_state{{target=\"files\",address=\"{address}\",state=\"{state}\"}} 1");
        metrics.render().lines().any(|shown| shown == line)
    };
    let patient = Arc::new(Patient {
        status: AtomicU16::new(502),
        asked: AtomicU32::new(0),
        may_answer: Semaphore::new(1000),
    });
    let base = Url::parse(&format!("http://{address}")).unwrap();
    let drain = Drain::default();
    let served = Arc::clone(&patient);
    let configure = move |config: &mut web::ServiceConfig| {
        let patient = Arc::clone(&served);
        let answer = move || {
            let patient = Arc::clone(&patient);
            async move {
                patient.asked.fetch_add(1, Ordering::SeqCst);
                patient.may_answer.acquire().await.unwrap().forget();
                let status = StatusCode::from_u16(patient.status.load(Ordering::SeqCst)).unwrap();
                HttpResponse::build(status).json(1)
            }
        };
        config.route("/internal/x", web::get().to(answer));
    };
    let server = serve(ServerSettings::new("test"), listener, configure, drain.clone());
    let tokens = ServiceTokens::new(&[7; 32], None).unwrap();
    let client = InternalClient::tcp(
        std::slice::from_ref(&base),
        Service::Worker,
        Service::Files,
        tokens,
        Arc::new(SystemClock),
    )
    .unwrap();

    let story = async {
        assert!(shown("closed"));
        soon(async {
            while !shown("open") {
                client.get_json::<u32>("/internal/x").await.unwrap_err();
            }
        })
        .await;
        let asked = patient.asked.load(Ordering::SeqCst);
        assert!((2..10).contains(&asked), "{asked}");
        // now nobody calls it, and callers are told at once
        for _ in 0..3 {
            let refused = client.get_json::<u32>("/internal/x").await.unwrap_err();
            assert!(matches!(refused, PortError::Unavailable { part: "files", .. }), "{refused:?}");
        }
        assert_eq!(patient.asked.load(Ordering::SeqCst), asked);

        // it recovers; the next call that goes through is the probe, and others are refused while it runs
        patient.status.store(200, Ordering::SeqCst);
        patient.may_answer.forget_permits(1000);
        let probe = recovered("files", async || client.get_json::<u32>("/internal/x").await);
        let watch = async {
            until(|| shown("half_open")).await;
            client.get_json::<u32>("/internal/x").await.unwrap_err();
            patient.may_answer.add_permits(1000);
        };
        let (answer, ()) = tokio::join!(probe, watch);
        assert_eq!(answer, 1);
        assert!(shown("closed") && !shown("open") && !shown("half_open"));
        assert_eq!(patient.asked.load(Ordering::SeqCst), asked + 1, "one probe");
        client.get_json::<u32>("/internal/x").await.unwrap();

        // a stream is a call like any other
        let counted = || {
            let rendered = metrics.render();
            [
                "fm_client_calls_total{target=\"files\",outcome=\"ok\"} ",
                "fm_client_call_duration_seconds_count{target=\"files\"} ",
            ]
            .map(|series| {
                let line = rendered.lines().find_map(|line| line.strip_prefix(series));
                line.unwrap().parse::<u32>().unwrap()
            })
        };
        let before = counted();
        drop(client.get_stream("/internal/x").await.unwrap().unwrap());
        assert_eq!(counted(), before.map(|count| count + 1));
    };
    tokio::select! {
        ended = server => panic!("the server ended: {ended:?}"),
        () = soon(story) => drain.stop.cancel(),
    }
}
