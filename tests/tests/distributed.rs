//! Every end-to-end case on the distributed form, through its gateway.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use e2e::Product;
use e2e::stack::{Bucket, Options, Servers, Stack};
use tokio::sync::OnceCell;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// A fresh installation on the servers of this run, two replicas of each service.
async fn fresh() -> Stack {
    start(&Options::of_tests().unwrap()).await
}

async fn start(options: &Options) -> Stack {
    let servers = SERVERS.get_or_init(|| async { Servers::start().await.unwrap() }).await;
    tokio::task::block_in_place(|| Stack::start(servers, options)).unwrap()
}

e2e::all_cases!(crate::fresh);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_through_all_services() {
    let mut options = Options::of_tests().unwrap();
    options.settings.extend(e2e::trace::SETTINGS.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let stack = start(&options).await;
    let (files, worker) = (async || stack.log("file-service"), async || stack.log("worker-service"));
    e2e::trace::a_picture_is_followed(&stack.product(), files, worker).await.unwrap();
}

/// By it containers, units and balancers know who is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_healthcheck_tells_who_is_ready() {
    let mut stack = start(&Options { replicas: 1, ..Options::of_tests().unwrap() }).await;
    let programs = stack.programs().to_owned();
    tokio::task::block_in_place(|| {
        for replica in stack.replicas() {
            assert!(replica.healthcheck(&programs).unwrap().success(), "{}", replica.program());
        }
        for replica in stack.replicas() {
            replica.stop().unwrap();
            assert!(!replica.healthcheck(&programs).unwrap().success(), "{}", replica.program());
        }
    });
}

/// The cases that reach contents, over contents in a bucket.
mod in_s3 {
    use testkit::servers::s3::S3Server;

    use super::*;

    /// The server runs on the test's runtime and ends with it.
    struct WithServer {
        stack: Stack,
        _server: S3Server,
    }

    impl WithServer {
        fn product(&self) -> Product {
            self.stack.product()
        }
    }

    async fn fresh() -> WithServer {
        let server = S3Server::start().await.unwrap();
        let s3 = Some(Bucket::in_server(&server).unwrap());
        let options = Options { replicas: 1, s3, ..Options::of_tests().unwrap() };
        WithServer { stack: start(&options).await, _server: server }
    }

    e2e::cases! { super::fresh:
        contents {
            bytes_in_same_bytes_out
            ranges_are_exact
            validators_follow_the_bytes
            a_broken_upload_leaves_nothing
        }
        jobs {
            a_picture_gets_its_thumbnails
        }
    }
}
