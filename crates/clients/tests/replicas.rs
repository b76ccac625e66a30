//! Several addresses of one service, which go and come back. Alone in its process, whose metrics it reads.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use clients::InternalClient;
use common::routes::Service;
use http_kit::server::{Drain, Listener, ServerSettings, serve};
use http_kit::service_token::ServiceTokens;
use runtime::SystemClock;
use testkit::wait::{assert_unavailable, recovered, soon};
use tokio::task::JoinSet;

/// A replica that counts what it answered.
struct Replica {
    address: SocketAddr,
    answered: Arc<AtomicU32>,
    drain: Drain,
    task: JoinSet<std::io::Result<()>>,
}

impl Replica {
    fn start(address: &str) -> Self {
        let listener = Listener::bind_tcp(address).unwrap();
        let address = listener.local_addr().unwrap();
        let answered = Arc::<AtomicU32>::default();
        let drain = Drain::default();
        let count = Arc::clone(&answered);
        let configure = move |config: &mut web::ServiceConfig| {
            let count = Arc::clone(&count);
            let answer = move || {
                count.fetch_add(1, Ordering::SeqCst);
                async { HttpResponse::Ok().json(1) }
            };
            config.route("/internal/x", web::get().to(answer));
        };
        let settings = ServerSettings { workers: 1, linger: Duration::ZERO, ..ServerSettings::new("test") };
        let mut task = JoinSet::new();
        task.spawn(serve(settings, listener, configure, drain.clone()));
        Self { address, answered, drain, task }
    }

    fn answered(&self) -> u32 {
        self.answered.load(Ordering::SeqCst)
    }

    /// From now on its address takes no connections.
    async fn stop(mut self) -> SocketAddr {
        self.drain.stop.cancel();
        soon(self.task.join_next()).await.unwrap().unwrap().unwrap();
        self.address
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_go_to_the_replicas_that_are_there() {
    let metrics = runtime::telemetry::init_metrics().unwrap();
    let shows = |line: &str| metrics.render().lines().any(|shown| shown == line);
    let is = |address: SocketAddr, state: &str| {
        shows(&format!(
            "fm_client_circuit_state{{target=\"files\",address=\"{address}\",state=\"{state}\"}} 1"
        ))
    };
    let [a, b, c] = ["127.0.0.1:0"; 3].map(Replica::start);
    let bases: Vec<_> = [&a, &b, &c].map(|to| format!("http://{}", to.address).parse().unwrap()).into();
    let tokens = ServiceTokens::new(&[7; 32], None).unwrap();
    let client =
        InternalClient::tcp(&bases, Service::Worker, Service::Files, tokens, Arc::new(SystemClock)).unwrap();
    let ask = async || soon(client.get_json::<u32>("/internal/x")).await;

    for _ in 0..9 {
        ask().await.unwrap();
    }
    assert_eq!([&a, &b, &c].map(Replica::answered), [3; 3]);
    assert!([&a, &b, &c].iter().all(|to| is(to.address, "closed")));

    // one is gone: no call fails, before its circuit opens and after
    let gone = b.stop().await;
    soon(async {
        while !is(gone, "open") {
            ask().await.unwrap();
        }
    })
    .await;
    for _ in 0..10 {
        ask().await.unwrap();
    }
    assert!(is(a.address, "closed") && is(c.address, "closed"));

    // all are gone: once that is known, callers are told without trying
    let all = [a.stop().await, gone, c.stop().await];
    let refused = || shows("fm_client_circuit_refused_total{target=\"files\"} 1");
    soon(async {
        while !refused() {
            assert_unavailable("files", &ask().await.unwrap_err());
        }
    })
    .await;
    assert!(!all.iter().any(|address| is(*address, "closed")));

    // one comes back and is found by a probe
    let back = Replica::start(&gone.to_string());
    assert_eq!(recovered("files", ask).await, 1);
    assert!(is(gone, "closed"));
    for _ in 0..10 {
        ask().await.unwrap();
    }
    assert_eq!(back.answered(), 11);
    back.stop().await;
}
