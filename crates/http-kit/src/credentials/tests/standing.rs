//! Whether what a caller began may go on.

use common::PortResult;

use super::*;

async fn stands(world: &World, token: &str, caller: &Principal) -> PortResult<bool> {
    let presented = Presented { token: token.to_owned(), by: PresentedBy::Header };
    world.authenticator.still_stands(&presented, caller).await
}

#[tokio::test]
async fn a_sign_in_outlives_the_text_of_its_token_and_ends_at_once() {
    let world = World::new();
    let token = world.token();
    let caller = world.check(&token).await.unwrap().unwrap();
    assert!(stands(&world, &token, &caller).await.unwrap());
    world.clock.advance(Duration::from_secs(3600));
    assert!(!world.accepts(&token).await, "nothing new is begun with it");
    assert!(stands(&world, &token, &caller).await.unwrap());
    assert!(!matches!(stands(&world, "no token", &caller).await, Ok(true)));

    // as auth-service does it: the store, then the tombstone, then the answer
    let ended = world.source.states.lock().unwrap().take();
    world.cache.forget_session(SESSION).await.unwrap();
    assert!(!stands(&world, &token, &caller).await.unwrap());
    // a closed account ends it as well, and so does its own time
    *world.source.states.lock().unwrap() = ended;
    assert!(stands(&world, &token, &caller).await.unwrap());
    world.clock.advance(Duration::from_secs(86_400));
    assert!(!stands(&world, &token, &caller).await.unwrap());
}

#[tokio::test]
async fn an_api_token_stands_until_it_is_ended_or_its_time_is_over() {
    let world = World::new();
    let text = api_token();
    *world.source.token.lock().unwrap() = Some(token_states(&world, Role::User));
    let caller = world.check(text.reveal()).await.unwrap().unwrap();
    assert!(stands(&world, text.reveal(), &caller).await.unwrap());
    let state = world.source.token.lock().unwrap().take();
    world.cache.forget_token(&text.hash()).await.unwrap();
    assert!(!stands(&world, text.reveal(), &caller).await.unwrap());
    *world.source.token.lock().unwrap() = state;
    assert!(stands(&world, text.reveal(), &caller).await.unwrap());
    world.clock.advance(Duration::from_secs(91));
    assert!(!stands(&world, text.reveal(), &caller).await.unwrap());
}

#[tokio::test]
async fn what_a_withdrawn_key_signed_does_not_go_on() {
    let world = World::new();
    let token = world.token();
    let caller = world.check(&token).await.unwrap().unwrap();
    let new = TokenSigner::generate(OTHER_KEY);
    *world.source.keys.lock().unwrap() = vec![new.public_key().clone()];
    world.cache.forget_keys(OTHER_KEY).await.unwrap();
    assert!(!stands(&world, &token, &caller).await.unwrap());
}

#[tokio::test]
async fn where_nobody_can_say_it_is_not_said_to_have_ended() {
    let world = World::over(Arc::new(TestClock::default()), Arc::new(NoCache));
    let token = world.token();
    let caller = world.check(&token).await.unwrap().unwrap();
    world.source.down.store(true, Ordering::SeqCst);
    assert!(stands(&world, &token, &caller).await.is_err());
}
