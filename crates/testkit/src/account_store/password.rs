use std::time::Duration;

use common::auth::{ApiToken, CodeKind, PasswordChange, PasswordProof, User};

use super::{AccountSubject, code};
use crate::outbox::job;

const HOUR: Duration = Duration::from_secs(3600);

pub async fn a_new_password_ends_the_other_sessions(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let (mine, other) = (subject.opened(bob.id, None).await, subject.opened(bob.id, Some(1)).await);
    let foreign = subject.opened(eve.id, None).await;
    let now = subject.now();
    for (byte, user) in [(1, bob.id), (2, eve.id)] {
        subject.accounts.add_code(&code(byte, CodeKind::Reset, Some(user), now), &[]).await.unwrap();
    }
    let (token, hers) = (subject.token(bob.id, 1).await, subject.token(eve.id, 2).await);
    let change = PasswordChange {
        user: bob.id,
        proof: PasswordProof::Hash(bob.password_hash.clone()),
        password_hash: "new".to_owned(),
        keep: Some(mine.id),
        keep_devices: Vec::new(),
        end_tokens: false,
        at: now,
    };
    let notice = job(&subject.ids, "account-mail", now);
    assert!(subject.accounts.change_password(&change, std::slice::from_ref(&notice)).await.unwrap());
    let found = subject.store.find_user(bob.id).await.unwrap().unwrap();
    assert_eq!(found.password_hash, "new");
    let live = async |id| subject.store.find_session(id).await.unwrap().unwrap().is_live(now);
    assert_eq!((live(mine.id).await, live(other.id).await, live(foreign.id).await), (true, false, true));
    let find = async |byte: u8| subject.accounts.find_code(&[byte; 32], CodeKind::Reset, now).await.unwrap();
    assert_eq!((find(1).await.is_some(), find(2).await.is_some()), (false, true), "his codes work no longer");

    let works =
        async |token: &ApiToken| subject.tokens.find_token(&token.hash).await.unwrap().unwrap().is_live(now);
    assert!(works(&token).await, "API tokens go on, unless the change says otherwise");

    // it was the hash before
    let again = PasswordChange { keep: None, end_tokens: true, ..change.clone() };
    let late = job(&subject.ids, "account-mail", now);
    assert!(!subject.accounts.change_password(&again, &[late]).await.unwrap());
    assert!(live(mine.id).await && works(&token).await, "nothing was done");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);

    let proof = PasswordProof::Hash("new".to_owned());
    let ends = PasswordChange { proof, password_hash: "newer".to_owned(), end_tokens: true, ..change };
    assert!(subject.accounts.change_password(&ends, &[]).await.unwrap());
    assert!(live(mine.id).await && !works(&token).await && works(&hers).await);
    assert!(subject.tokens.list_tokens(bob.id).await.unwrap().is_empty());
    // one that ended long ago is removed as any other
    assert_eq!(subject.tokens.remove_ended_tokens(now + HOUR, 10).await.unwrap(), 1);
}

pub async fn a_reset_code_works_once(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let session = subject.opened(bob.id, None).await;
    let token = subject.token(bob.id, 1).await;
    let now = subject.now();
    for (byte, kind) in [(1, CodeKind::Reset), (2, CodeKind::Reset), (3, CodeKind::Verify)] {
        subject.accounts.add_code(&code(byte, kind, Some(bob.id), now), &[]).await.unwrap();
    }
    let reset = |byte: u8, user, at, hash: &str| {
        let change = PasswordChange {
            user,
            proof: PasswordProof::Code([byte; 32]),
            password_hash: hash.to_owned(),
            keep: None,
            keep_devices: Vec::new(),
            end_tokens: true,
            at,
        };
        async move { subject.accounts.change_password(&change, &[]).await.unwrap() }
    };
    let expires = code(1, CodeKind::Reset, None, now).expires_at;
    assert!(!reset(1, eve.id, now, "x").await, "it is not hers");
    assert!(!reset(3, bob.id, now, "x").await, "it is for something else");
    assert!(!reset(7, bob.id, now, "x").await, "there is none");
    assert!(!reset(1, bob.id, expires, "x").await, "it has expired");
    assert_eq!(subject.store.find_user(bob.id).await.unwrap().unwrap().password_hash, bob.password_hash);
    let tries = (0..6).map(|n| reset(1, bob.id, now, if n % 2 == 0 { "new" } else { "newer" }));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|done| **done).count(), 1, "{outcomes:?}");
    assert!(!subject.store.find_session(session.id).await.unwrap().unwrap().is_live(now));
    assert!(!subject.tokens.find_token(&token.hash).await.unwrap().unwrap().is_live(now));
    assert!(!reset(2, bob.id, now, "x").await, "the other code went with it");
}

pub async fn identities_go_with_the_password_that_somebody_else_knew(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let now = subject.now();
    let link = async |user: &User, name: &str| subject.link(&subject.identity(user, name)).await.unwrap();
    let left = async |user: &User| subject.identities.list_identities(user.id).await.unwrap().len();
    let change = async |user: &User, proof: PasswordProof, password_hash: &str, end_tokens: bool| {
        let (user, password_hash) = (user.id, password_hash.to_owned());
        let keep_devices = Vec::new();
        let change =
            PasswordChange { user, proof, password_hash, keep: None, keep_devices, end_tokens, at: now };
        subject.accounts.change_password(&change, &[]).await.unwrap()
    };
    link(&eve, "hers").await;
    link(&bob, "a").await;
    link(&bob, "b").await;
    assert!(change(&bob, PasswordProof::Hash(bob.password_hash.clone()), "one", false).await);
    assert_eq!(left(&bob).await, 2, "whoever knows the password decides");
    assert!(!change(&bob, PasswordProof::Hash("other".to_owned()), "two", true).await);
    assert_eq!(left(&bob).await, 2, "nothing was done");
    assert!(change(&bob, PasswordProof::Hash("one".to_owned()), "two", true).await);
    assert_eq!(left(&bob).await, 0);

    link(&bob, "a").await;
    let reset = async |byte: u8, user: &User| {
        subject.accounts.add_code(&code(byte, CodeKind::Reset, Some(user.id), now), &[]).await.unwrap();
        assert!(change(user, PasswordProof::Code([byte; 32]), "three", true).await);
    };
    reset(1, &bob).await;
    assert_eq!(left(&bob).await, 0, "by a code as well");
    link(&bob, "a").await;
    subject.users.reset_password(bob.id, "four", now, &[], &subject.line()).await.unwrap();
    assert_eq!(left(&bob).await, 0, "and by an administrator");

    // how its owner came in goes with no password that there never was
    let (ann, _) = subject.identified("ann@example.org", "ann").await;
    reset(2, &ann).await;
    assert_eq!(left(&ann).await, 1);
    reset(3, &ann).await;
    assert_eq!(left(&ann).await, 0);
    let (joe, _) = subject.identified("joe@example.org", "joe").await;
    subject.users.reset_password(joe.id, "first", now, &[], &subject.line()).await.unwrap();
    assert_eq!((left(&joe).await, left(&eve).await), (1, 1));
}
