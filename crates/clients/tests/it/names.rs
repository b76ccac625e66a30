//! One name that stands for all replicas of a service.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::{HttpResponse, web};
use async_trait::async_trait;
use clients::{InternalClient, Names};
use common::routes::Service;
use http_kit::health::STARTING;
use http_kit::server::Listener;
use runtime::SystemClock;
use testkit::wait::{recovered, soon};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::{start, tokens};

/// More than an address may fail in a row.
const ROW: u32 = 12;

/// A name server of one name, which stands for these addresses now.
#[derive(Default)]
struct OneName(Mutex<Vec<Ipv4Addr>>);

impl OneName {
    fn stands_for(&self, addresses: &[Ipv4Addr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

#[async_trait]
impl Names for OneName {
    async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, "files.test");
        Ok(self.0.lock().unwrap().iter().map(|ip| SocketAddr::from((*ip, port))).collect())
    }
}

fn answers(status: u16) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    move |config| {
        let answer = move || async move {
            let status = actix_web::http::StatusCode::from_u16(status).unwrap();
            let mut answer = HttpResponse::build(status);
            if status.is_server_error() {
                answer.insert_header((STARTING, "?1"));
            }
            answer.json(1)
        };
        config.route("/internal/x", web::get().to(answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_behind_a_name_that_hangs_is_left_alone_by_itself() {
    let [works, hangs, later] = [1, 2, 3].map(|last| Ipv4Addr::new(127, 0, 0, last));
    let listener = Listener::bind_tcp((works, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let first = start(listener, answers(200));
    let (taken, silent) = (Arc::<AtomicU32>::default(), TcpListener::bind((hangs, port)).await.unwrap());
    let mut hanging = JoinSet::new();
    let count = Arc::clone(&taken);
    hanging.spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = silent.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(connection);
        }
    });
    let names = Arc::<OneName>::default();
    names.stands_for(&[works, hangs]);
    let base: Url = format!("http://files.test:{port}").parse().unwrap();
    let clock = Arc::new(SystemClock);
    let client = InternalClient::tcp_by_names(
        &[base],
        Service::Worker,
        Service::Files,
        tokens(),
        clock,
        Arc::clone(&names) as _,
    )
    .unwrap();
    let ask = async || soon(client.get_json::<u32>("/internal/x")).await;

    // no call fails, and soon none of many in a row goes there any more
    let in_a_row = async || {
        let before = taken.load(Ordering::SeqCst);
        for _ in 0..ROW {
            assert_eq!(ask().await.unwrap(), 1);
        }
        taken.load(Ordering::SeqCst) == before
    };
    soon(async { while !in_a_row().await {} }).await;
    assert!(taken.load(Ordering::SeqCst) > 0, "both were asked");

    // the replicas are replaced: the name stands for others
    let starting = start(Listener::bind_tcp((later, port)).unwrap(), answers(503));
    names.stands_for(&[later]);
    drop(first);
    recovers_when_started(&ask, starting, SocketAddr::from((later, port))).await;
}

/// A replica that says that it is starting has not answered for the service.
async fn recovers_when_started(
    ask: &impl AsyncFn() -> common::PortResult<u32>,
    starting: crate::Server,
    at: SocketAddr,
) {
    soon(async { while !matches!(ask().await, Err(error) if said(&error).contains("it is starting")) {} })
        .await;
    drop(starting);
    let listener = soon(async {
        loop {
            match Listener::bind_tcp(at) {
                Ok(listener) => return listener,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    let _started = start(listener, answers(200));
    assert_eq!(recovered("files", ask).await, 1);
}

fn said(error: &common::PortError) -> String {
    common::Causes(error).to_string()
}
