mod open;
mod standing;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use common::auth::{
    Authenticator as _, Presented, PresentedBy, Principal, Role, Scope, TokenState, TokenText, UserState,
};
use common::{Clock as _, PortError, TokenId, UserId};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::TestClock;
use testkit::wait::until;
use tokio::time::timeout;

use super::{TokenSigner, jwks};
use world::{KEY, NoCache, OTHER_KEY, SEED, SESSION, USER, World, api_token};

/// A token put together by hand, with a good signature of `seed`.
fn forged(header: &Value, claims: &Value, seed: &[u8; 32]) -> String {
    let signed = unsigned(header, claims);
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    format!("{signed}.{}", BASE64.encode(pair.sign(signed.as_bytes())))
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

#[tokio::test]
async fn a_good_token_is_checked_once_and_then_remembered() {
    let world = World::new();
    let token = world.token();
    for _ in 0..3 {
        let principal = world.check(&token).await.unwrap().unwrap();
        assert_eq!(principal, Principal::of_session(USER, SESSION, Role::Admin));
    }
    assert_eq!((world.asked_for_keys(), world.resolved()), (1, 1));
    // the cache keeps states for a minute
    world.clock.advance(Duration::from_secs(61));
    assert!(world.accepts(&token).await);
    until(|| world.asked_for_keys() == 2).await;
    assert_eq!(world.resolved(), 2);
}

#[tokio::test]
async fn no_forged_token_is_good() {
    let world = World::new();
    let good_header = json!({"typ": "JWT", "alg": "EdDSA", "kid": KEY.to_string()});
    let good = serde_json::to_value(world.claims()).unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    assert!(world.accepts(&forged(&good_header, &good, &SEED)).await, "the control is good");

    let now = world.clock.now().seconds();
    let mut wrong = vec![
        ("wrong issuer", forged(&good_header, &with("iss", json!("them")), &SEED)),
        ("wrong audience", forged(&good_header, &with("aud", json!("other")), &SEED)),
        ("past end", forged(&good_header, &with("exp", json!(now - 5)), &SEED)),
        ("end as text", forged(&good_header, &with("exp", json!("9999999999")), &SEED)),
        ("subject is no id", forged(&good_header, &with("sub", json!("admin")), &SEED)),
        ("another key's signature", forged(&good_header, &good, &[6; 32])),
        ("no key id", forged(&json!({"alg": "EdDSA"}), &good, &SEED)),
        ("unknown key id", forged(&json!({"alg": "EdDSA", "kid": OTHER_KEY.to_string()}), &good, &SEED)),
        ("key id is no id", forged(&json!({"alg": "EdDSA", "kid": "../../key"}), &good, &SEED)),
        ("empty signature", format!("{}.", unsigned(&good_header, &good))),
        ("no signature", unsigned(&good_header, &good)),
        (
            "a key of its own",
            forged(&json!({"alg": "EdDSA", "kid": KEY.to_string(), "jwk": {"kty": "OKP"}}), &good, &[6; 32]),
        ),
    ];
    for name in ["exp", "iss", "aud", "sub", "sid"] {
        wrong.push(("a claim is missing", forged(&good_header, &without(name), &SEED)));
    }
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES256", "eddsa"] {
        let header = json!({"typ": "JWT", "alg": alg, "kid": KEY.to_string()});
        wrong.push(("another algorithm", forged(&header, &good, &SEED)));
        wrong.push(("another algorithm, no signature", format!("{}.", unsigned(&header, &good))));
    }
    let header = json!({"typ": "JWT", "alg": "HS256", "kid": KEY.to_string()});
    let signed = unsigned(&header, &good);
    let public = world.signer.public_key().ed25519;
    for key in [public.to_vec(), hex_of(&public).into_bytes(), BASE64.encode(public).into_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        wrong.push(("HS256 under the public key", format!("{signed}.{}", BASE64.encode(tag))));
    }
    for (what, token) in wrong {
        assert!(!world.accepts(&token).await, "{what}: {token}");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_token_ends_at_its_end_even_if_it_is_remembered() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.clock.advance(Duration::from_secs(904));
    assert!(world.accepts(&token).await, "within the leeway");
    world.clock.advance(Duration::from_secs(1));
    assert!(!world.accepts(&token).await);
}

#[tokio::test]
async fn a_revoked_session_fails_at_once_and_a_changed_one_is_asked_for() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.cache.forget_user(USER).await.unwrap();
    for _ in 0..2 {
        assert!(world.accepts(&token).await);
    }
    assert_eq!(world.resolved(), 3, "behind a tombstone the source is asked each time");
    *world.source.states.lock().unwrap() = None;
    world.cache.forget_session(SESSION).await.unwrap();
    assert!(!world.accepts(&token).await);
}

#[tokio::test]
async fn a_session_that_ended_or_is_anothers_is_no_session() {
    let world = World::new();
    world.source.states.lock().unwrap().as_mut().unwrap().0.expires_at = world.clock.now();
    assert!(!world.accepts(&world.token()).await);
    let world = World::new();
    world.source.states.lock().unwrap().as_mut().unwrap().0.user = UserId::from_bytes([9; 12]);
    assert!(!world.accepts(&world.token()).await);
}

#[tokio::test]
async fn unknown_key_ids_do_not_flood_the_source_and_new_keys_are_found() {
    let world = World::new();
    assert!(world.accepts(&world.token()).await);
    let new = TokenSigner::generate(OTHER_KEY);
    let token = new.sign(&world.claims());
    world.clock.advance(Duration::from_secs(5));
    for _ in 0..50 {
        assert!(!world.accepts(&token).await);
    }
    assert_eq!(world.asked_for_keys(), 2);
    world.source.keys.lock().unwrap().push(new.public_key().clone());
    world.clock.advance(Duration::from_secs(5));
    assert!(world.accepts(&token).await);
    assert_eq!(world.asked_for_keys(), 3);
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting_after_a_minute() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.source.keys.lock().unwrap().clear();
    world.clock.advance(Duration::from_secs(60));
    assert!(world.accepts(&token).await, "whoever comes first has the keys asked for, and does not wait");
    until(|| world.asked_for_keys() == 2).await;
    assert!(!world.accepts(&token).await);
}

#[tokio::test]
async fn what_a_withdrawn_key_signed_fails_with_the_next_request() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.source.keys.lock().unwrap().clear();
    world.cache.forget_keys(OTHER_KEY).await.unwrap();
    assert!(!world.accepts(&token).await);
    assert_eq!(world.asked_for_keys(), 2);
    // what is withdrawn is known now: nobody waits for that any more
    assert!(!world.accepts(&token).await);
}

#[tokio::test]
async fn withdrawn_keys_are_asked_for_once() {
    let world = World::new();
    let token = world.token();
    world.cache.forget_keys(OTHER_KEY).await.unwrap();
    for _ in 0..3 {
        assert!(world.accepts(&token).await);
    }
    assert_eq!(world.asked_for_keys(), 2, "at the first request, and for what was withdrawn");
    world.source.down.store(true, Ordering::SeqCst);
    world.cache.forget_keys(KEY).await.unwrap();
    assert!(matches!(world.check(&token).await, Err(PortError::Unavailable { .. })), "it may be withdrawn");
}

#[tokio::test(start_paused = true)]
async fn stale_keys_hold_up_no_request_while_the_source_hangs() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.source.keys_hang.store(true, Ordering::SeqCst);
    let soon = Duration::from_secs(1);
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(61));
        assert!(timeout(soon, world.accepts(&token)).await.expect("it is not held up"));
    }
    until(|| world.asked_for_keys() == 2).await;
    // only a key that nobody here has is worth the wait
    let unknown = TokenSigner::generate(OTHER_KEY).sign(&world.claims());
    assert!(timeout(soon, world.check(&unknown)).await.is_err());
    assert_eq!(world.asked_for_keys(), 2, "one asks for all");
}

#[tokio::test]
async fn an_outage_of_the_source_spares_what_is_known() {
    let world = World::new();
    let token = world.token();
    assert!(world.accepts(&token).await);
    world.source.down.store(true, Ordering::SeqCst);
    assert!(world.accepts(&token).await);
    // the keys are stale now and stay in use; the states have expired and must be asked for
    world.clock.advance(Duration::from_secs(61));
    assert!(matches!(world.check(&token).await, Err(PortError::Unavailable { .. })));
    let unknown = TokenSigner::generate(OTHER_KEY).sign(&world.claims());
    assert!(matches!(world.check(&unknown).await, Err(PortError::Unavailable { .. })));
    assert!(!world.accepts("garbage").await);
    world.source.down.store(false, Ordering::SeqCst);
    assert!(world.accepts(&token).await);
}

#[tokio::test]
async fn without_a_cache_the_source_is_asked_each_time() {
    let world = World::over(Arc::default(), Arc::new(NoCache));
    let token = world.token();
    for _ in 0..3 {
        assert!(world.accepts(&token).await);
    }
    assert_eq!(world.resolved(), 3);
}

fn token_states(world: &World, role: Role) -> (TokenState, UserState) {
    let token = TokenState {
        id: TokenId::from_bytes([7; 12]),
        user: USER,
        scopes: [Scope::FilesRead, Scope::Admin].into_iter().collect(),
        folder: None,
        expires_at: Some(world.clock.now() + Duration::from_secs(90)),
    };
    (token, UserState { role })
}

#[tokio::test]
async fn an_api_token_is_good_for_what_its_owner_may_do() {
    let world = World::new();
    let text = api_token();
    assert!(!world.accepts(text.reveal()).await);
    for (role, scopes) in [(Role::Admin, "files:read admin"), (Role::User, "files:read")] {
        *world.source.token.lock().unwrap() = Some(token_states(&world, role));
        world.cache.forget_user(USER).await.unwrap();
        let principal = world.check(text.reveal()).await.unwrap().unwrap();
        assert_eq!((principal.user, principal.role, principal.session()), (USER, role, None));
        assert_eq!(principal.scopes.to_string(), scopes);
        assert_eq!(principal.is_admin(), role == Role::Admin);
    }
    let other = TokenText::of_random([1; 20]);
    assert!(!world.accepts(other.reveal()).await);
    let in_cookie = Presented { token: text.reveal().to_owned(), by: PresentedBy::Cookie };
    assert_eq!(world.authenticator.authenticate(&in_cookie).await.unwrap(), None);
}

#[tokio::test]
async fn an_api_token_is_remembered_for_a_minute_and_ends_in_time() {
    let world = World::new();
    let text = api_token();
    *world.source.token.lock().unwrap() = Some(token_states(&world, Role::User));
    for _ in 0..3 {
        assert!(world.accepts(text.reveal()).await);
    }
    assert_eq!(world.resolved(), 1);
    world.clock.advance(Duration::from_secs(59));
    assert!(world.accepts(text.reveal()).await);
    world.clock.advance(Duration::from_secs(2));
    assert!(world.accepts(text.reveal()).await);
    assert_eq!(world.resolved(), 2);
    world.clock.advance(Duration::from_secs(29));
    assert!(!world.accepts(text.reveal()).await, "its time is looked at, whatever is remembered");

    *world.source.token.lock().unwrap() = None;
    world.cache.forget_token(&text.hash()).await.unwrap();
    assert!(!world.accepts(text.reveal()).await);
}

#[test]
fn a_key_survives_being_stored() {
    let signer = TokenSigner::generate(KEY);
    let again = TokenSigner::from_seed(KEY, &signer.seed()).unwrap();
    assert_eq!(signer.public_key(), again.public_key());
    assert!(TokenSigner::from_seed(KEY, &[1; 31]).is_err());
    assert!(!format!("{signer:?}").contains(&hex_of(&signer.seed())));
}

#[test]
fn the_key_set_is_a_jwk_set() {
    let signer = TokenSigner::from_seed(KEY, &SEED).unwrap();
    let set = jwks(std::slice::from_ref(signer.public_key()));
    let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(set["keys"][0].clone()).unwrap();
    assert_eq!(key.common.key_id.as_deref(), Some(KEY.to_string().as_str()));
    assert!(jsonwebtoken::DecodingKey::from_jwk(&key).is_ok());
}

proptest! {
    #[test]
    fn no_alteration_of_a_token_is_good(at in any::<prop::sample::Index>(), flip in 1u8..128, cut in any::<prop::sample::Index>(), text in ".{0,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            let token = world.token();
            let mut altered = token.clone().into_bytes();
            altered[at.index(token.len())] ^= flip;
            if let Ok(altered) = String::from_utf8(altered) {
                prop_assert!(!world.accepts(&altered).await, "{altered}");
            }
            prop_assert!(!world.accepts(&token[..cut.index(token.len())]).await);
            prop_assert!(!world.accepts(&text).await);
            Ok(())
        })?;
    }
}
