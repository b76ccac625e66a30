//! A server that is down, silent, or not there yet.

use std::time::Duration;

use common::allowance::{Allowance, UNNOTICED, scope};
use common::auth::{AuthStore as _, CreateUserError};
use common::jobs::{JobAdmin as _, JobStore as _, Outbox as _};
use common::{Causes, Clock as _, PortError, PortResult};
use store_mongo::{AuthDb, JobsDb, Mongo, OpenOptions};
use testkit::auth_store::user;
use testkit::{TestClock, TestIds, servers};

/// Short, so that tests of silence are.
const DEADLINE: Duration = Duration::from_secs(2);

/// Far more than the deadline, and far less than the driver would wait by itself for ever.
const PATIENCE: Duration = Duration::from_secs(60);

async fn client(server: &servers::Mongo) -> Mongo {
    let options = OpenOptions {
        deadline: DEADLINE,
        server_selection_timeout: Duration::from_secs(1),
        ..OpenOptions::default()
    };
    Mongo::connect(&server.uri(), "files_manager", &options).await.expect("the address can be read")
}

/// The call ends, and says that the database cannot be reached.
async fn assert_unavailable<T: std::fmt::Debug>(call: impl Future<Output = PortResult<T>>) {
    let result = tokio::time::timeout(PATIENCE, call).await.expect("the call has a deadline");
    assert!(matches!(result, Err(PortError::Unavailable { part: "mongodb", .. })), "{result:?}");
}

/// Waits until the store answers, which it must by itself.
async fn recovered(store: &AuthDb) {
    let answers = async {
        while let Err(error) = store.ping().await {
            assert!(matches!(error, PortError::Unavailable { .. }), "{error:?}");
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("the store recovers by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down_is_unavailable_until_it_is_back() {
    let mut server = servers::Mongo::start().await.unwrap();
    let mongo = client(&server).await;
    let (auth, jobs) = (AuthDb::new(&mongo), JobsDb::new(&mongo));
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let bob = user(ids.next(), "bob@example.org", at);
    recovered(&auth).await;
    auth.create_user(&bob, &[]).await.unwrap();
    jobs.ping().await.unwrap();

    server.0.kill();
    assert_unavailable(auth.find_user(bob.id)).await;
    assert_unavailable(auth.count_users()).await;
    assert_unavailable(auth.lease_unsent(1, DEADLINE, at)).await;
    assert_unavailable(jobs.counts(None)).await;
    let job = testkit::outbox::job(&ids, "test", at);
    assert_unavailable(jobs.insert(std::slice::from_ref(&job), at)).await;
    let refused = auth.create_user(&user(ids.next(), "kim@example.org", at), &[]).await;
    assert!(matches!(refused, Err(CreateUserError::Port(PortError::Unavailable { .. }))), "{refused:?}");

    server.0.restart().await.unwrap();
    recovered(&auth).await;
    assert_eq!(auth.find_user(bob.id).await.unwrap(), Some(bob), "what was answered is kept");
    assert_eq!(auth.count_users().await.unwrap(), 1);
    jobs.insert(&[job], at).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_unavailable_within_the_deadline() {
    let server = servers::Mongo::start().await.unwrap();
    let mongo = client(&server).await;
    let auth = AuthDb::new(&mongo);
    let (ids, at) = (TestIds::new(), TestClock::default().now());
    let bob = user(ids.next(), "bob@example.org", at);
    recovered(&auth).await;
    auth.create_user(&bob, &[]).await.unwrap();

    server.0.freeze();
    assert_unavailable(auth.find_user(bob.id)).await;
    assert_unavailable(auth.ping()).await;
    // those who wait for one another do not wait longer
    let kims: Vec<_> = (0..5).map(|n| user(ids.next(), &format!("kim{n}@example.org"), at)).collect();
    let all = futures_util::future::join_all(kims.iter().map(|kim| auth.create_user(kim, &[])));
    for result in tokio::time::timeout(PATIENCE, all).await.expect("each has the same deadline") {
        assert!(matches!(result, Err(CreateUserError::Port(PortError::Unavailable { .. }))), "{result:?}");
    }

    // one request that asks twice waits no longer for both together than it may in all
    let allowance = Allowance::new(DEADLINE / 4);
    let texts = scope(Some(allowance), async {
        [auth.find_user(bob.id).await, auth.find_user(bob.id).await]
            .map(|result| Causes(&result.expect_err("the server is silent")).to_string())
    });
    let [first, second] = tokio::time::timeout(PATIENCE, texts).await.expect("it ends");
    let within = |wait: Duration| format!("no answer within {} ms", wait.as_millis());
    assert!(first.ends_with(&within(DEADLINE / 4 + UNNOTICED)), "{first}");
    assert!(second.ends_with(&within(UNNOTICED)), "{second}");

    server.0.thaw();
    recovered(&auth).await;
    assert_eq!(auth.find_user(bob.id).await.unwrap(), Some(bob));
}

/// A service that starts before its database waits for nothing, and works when the database has come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_can_be_made_before_its_server() {
    let mut server = servers::Mongo::start().await.unwrap();
    server.0.kill();
    let mongo = client(&server).await;
    let auth = AuthDb::new(&mongo);
    assert_unavailable(auth.migrate()).await;
    assert_unavailable(auth.count_users()).await;
    server.0.restart().await.unwrap();
    recovered(&auth).await;
    auth.migrate().await.unwrap();
    assert_eq!(auth.count_users().await.unwrap(), 0);
}
