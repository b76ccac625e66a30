//! Whether accounts are open to others.

use common::auth::OpenAccounts as _;

use super::*;

#[tokio::test]
async fn an_account_is_asked_for_once_a_minute_and_closed_with_the_next_request() {
    let world = World::new();
    let is_open = async || world.authenticator.is_open(USER).await.unwrap();
    assert!(is_open().await && is_open().await);
    assert_eq!(world.resolved(), 1, "remembered");
    world.clock.advance(Duration::from_secs(61));
    assert!(is_open().await);
    assert_eq!(world.resolved(), 2, "for a minute");

    // as auth-service does it: the store, then the tombstone, then the answer
    let state = world.source.states.lock().unwrap().take();
    world.cache.forget_user(USER).await.unwrap();
    assert!(!is_open().await);
    // that it is closed is not remembered
    *world.source.states.lock().unwrap() = state;
    assert!(is_open().await);
}

#[tokio::test]
async fn where_neither_cache_nor_source_can_say_nothing_is_open() {
    let world = World::over(Arc::new(TestClock::default()), Arc::new(NoCache));
    assert!(world.authenticator.is_open(USER).await.unwrap(), "the source can");
    world.source.down.store(true, Ordering::SeqCst);
    assert!(world.authenticator.is_open(USER).await.is_err());
}
