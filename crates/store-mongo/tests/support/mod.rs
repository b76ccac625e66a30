//! A fresh database for each test, on the server that `FM_TEST_MONGODB_URI` names.

use std::fs::File;
use std::task::Poll;
use std::time::Duration;

use store_mongo::{Mongo, OpenOptions};

/// Removes the database when it goes.
pub(crate) struct Scratch {
    uri: String,
    name: String,
    _turn: File,
}

impl Scratch {
    /// The database itself, for what no adapter does.
    #[allow(dead_code, reason = "not all tests need it")]
    pub(crate) async fn raw(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(&self.uri).await.expect("the address can be read");
        client.database(&self.name)
    }

    /// A client behind a proxy, with the monitor's patience of a few seconds.
    #[allow(dead_code, reason = "not all tests need it")]
    pub(crate) async fn behind_a_proxy(&self) -> (Mongo, testkit::servers::FaultProxy) {
        let (_, address) = self.uri.split_once("://").expect("an address has a scheme");
        let address = address.split(['/', '?']).next().unwrap_or(address);
        let (_, port) = address.rsplit_once(':').expect("the server of tests has a port");
        let port = port.parse().expect("a port is a number");
        let proxy = testkit::servers::FaultProxy::start(port).await.expect("a port is free");
        // a replica set names its members, and the driver would go round the proxy
        let uri = format!("mongodb://{}/?directConnection=true&heartbeatFrequencyMS=1000", proxy.address());
        let options = OpenOptions {
            connect_timeout: Duration::from_secs(5),
            server_selection_timeout: Duration::from_secs(1),
            ..options()
        };
        (Mongo::connect(&uri, &self.name, &options).await.expect("the address can be read"), proxy)
    }

    /// One more client of the same database, as another process would have it.
    pub(crate) async fn connect(&self) -> Mongo {
        Mongo::connect(&self.uri, &self.name, &options()).await.expect("the address can be read")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (uri, name) = (std::mem::take(&mut self.uri), std::mem::take(&mut self.name));
        // the runtime of the test is ending
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let mongo = Mongo::connect(&uri, &name, &options()).await.expect("the address can be read");
                mongo.drop_database().await.expect("the server is there");
            });
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("the database of the test cannot be dropped");
        }
    }
}

/// Time enough for a stand-in that shares its processors with the tests.
fn options() -> OpenOptions {
    let patience = Duration::from_secs(60);
    // the monitor's patience is the time for a connection and a heartbeat; what it interrupts is unavailable
    OpenOptions {
        deadline: patience,
        server_selection_timeout: patience,
        connect_timeout: patience,
        ..OpenOptions::default()
    }
}

/// A client of an empty database.
pub(crate) async fn mongo() -> (Mongo, Scratch) {
    let uri = std::env::var("FM_TEST_MONGODB_URI").expect(
        "FM_TEST_MONGODB_URI names a MongoDB replica set for tests; `cargo xtask test` starts one and sets it",
    );
    let name = format!("fm_test_{:024x}", rand::random::<u128>() >> 32);
    let scratch = Scratch { uri, name, _turn: turn().await };
    (scratch.connect().await, scratch)
}

/// Tests take turns at the server, whatever processes they are in. A stand-in works on one thing at a time, and gets five times
/// as slow when several ask (480 s against 95 s for the suites of auth and jobs).
async fn turn() -> File {
    let path = std::env::temp_dir().join("fm-test-mongodb.lock");
    let waiting = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        std::io::Result::Ok(file)
    });
    waiting.await.expect("the lock is waited for").expect("the folder of temporary files can be written to")
}

/// What a call comes to that is dropped after it was polled so often; none if it had not ended by then.
#[allow(dead_code, reason = "not all tests need it")]
pub(crate) async fn broken_off<T>(steps: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = std::pin::pin!(call);
    let mut left = steps;
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
