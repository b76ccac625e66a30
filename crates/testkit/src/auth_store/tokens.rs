use std::time::Duration;

use common::FileId;
use common::auth::{ApiToken, AuditAction, CreateTokenError, Scope};
use futures_util::future::join_all;

use super::{AuthSubject, HASH, audit_entry};
use crate::outbox::job;

const HOUR: Duration = Duration::from_secs(3600);
const MOST: u32 = 3;

impl AuthSubject {
    pub(super) fn token(&self, user: common::UserId, byte: u8) -> ApiToken {
        ApiToken {
            id: self.ids.next(),
            user,
            name: format!("token {byte}"),
            hash: [byte; 32],
            scopes: [Scope::FilesRead, Scope::Shares].into_iter().collect(),
            folder: None,
            created_at: self.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    pub(super) async fn keep(&self, token: &ApiToken) {
        let entry = audit_entry(self.ids.next(), AuditAction::TokenMade, self.now());
        self.tokens.create_token(token, HASH, 100, &[], &entry).await.unwrap();
    }
}

pub async fn a_token_is_found_as_it_was_made(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let plain = subject.token(bob.id, 1);
    let full = ApiToken {
        folder: Some(FileId::from_bytes([9; 12])),
        expires_at: Some(subject.now() + HOUR),
        ..subject.token(bob.id, 2)
    };
    let other = subject.token(eve.id, 3);
    for token in [&plain, &full, &other] {
        subject.keep(token).await;
        assert_eq!(subject.tokens.find_token(&token.hash).await.unwrap().as_ref(), Some(token));
    }
    assert_eq!(subject.tokens.find_token(&[4; 32]).await.unwrap(), None);
    assert_eq!(subject.tokens.list_tokens(bob.id).await.unwrap(), [full, plain]);
    assert_eq!(subject.tokens.list_tokens(eve.id).await.unwrap(), [other]);
    let one_more = subject.token(eve.id, 5);
    let (mail, entry) = (
        job(&subject.ids, "account-mail", subject.now()),
        audit_entry(subject.ids.next(), AuditAction::TokenMade, subject.now()),
    );
    let before = subject.outbox.depth().await.unwrap();
    subject.tokens.create_token(&one_more, HASH, 100, std::slice::from_ref(&mail), &entry).await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), before + 1, "its owner is told");
    let refused = subject.tokens.create_token(&subject.token(eve.id, 6), HASH, 1, &[mail], &entry).await;
    assert!(matches!(refused, Err(CreateTokenError::TooMany)), "{refused:?}");
    assert_eq!(subject.outbox.depth().await.unwrap(), before + 1);
    let log = subject.audit.list_audit(&common::auth::AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(log.len(), 4);
}

pub async fn a_token_comes_with_the_password_that_it_was_made_by_or_not_at_all(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let mail = [job(&subject.ids, "account-mail", subject.now())];
    let make = async |token: &ApiToken, proof: &str| {
        let entry = audit_entry(subject.ids.next(), AuditAction::TokenMade, subject.now());
        subject.tokens.create_token(token, proof, 100, &mail, &entry).await
    };
    let late = make(&subject.token(bob.id, 1), "the one before").await;
    assert!(matches!(late, Err(CreateTokenError::Conflict)), "{late:?}");
    let nobody = make(&subject.token(subject.ids.next(), 1), HASH).await;
    assert!(matches!(nobody, Err(CreateTokenError::Conflict)), "{nobody:?}");
    // nobody is told of a token that never was
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert_eq!(subject.lines(AuditAction::TokenMade).await, 0);
    assert!(subject.tokens.list_tokens(bob.id).await.unwrap().is_empty());
    make(&subject.token(bob.id, 1), HASH).await.unwrap();
    assert_eq!(subject.lines(AuditAction::TokenMade).await, 1);
}

pub async fn an_account_has_only_so_many_tokens(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let entry = |user| audit_entry(user, AuditAction::TokenMade, subject.now());
    let tries = (0..10).map(|n| {
        let (token, entry) = (subject.token(bob.id, n), entry(subject.ids.next()));
        async move { subject.tokens.create_token(&token, HASH, MOST, &[], &entry).await }
    });
    let made = join_all(tries).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), MOST as usize, "{made:?}");
    assert!(made.iter().all(|made| matches!(made, Ok(()) | Err(CreateTokenError::TooMany))));
    let listed = subject.tokens.list_tokens(bob.id).await.unwrap();
    assert_eq!(listed.len(), MOST as usize);
    // nobody else is concerned, and one that was ended makes room
    subject
        .tokens
        .create_token(&subject.token(eve.id, 50), HASH, MOST, &[], &entry(subject.ids.next()))
        .await
        .unwrap();
    let ended = entry(subject.ids.next());
    subject.tokens.revoke_token(bob.id, listed[0].id, subject.now(), &ended).await.unwrap();
    let short = ApiToken { expires_at: Some(subject.now() + HOUR), ..subject.token(bob.id, 51) };
    subject.tokens.create_token(&short, HASH, MOST, &[], &entry(subject.ids.next())).await.unwrap();
    // so does one whose time is over
    let late = ApiToken { created_at: subject.now() + HOUR, ..subject.token(bob.id, 52) };
    subject.tokens.create_token(&late, HASH, MOST, &[], &entry(subject.ids.next())).await.unwrap();
    let one_more = ApiToken { created_at: subject.now() + HOUR, ..subject.token(bob.id, 53) };
    let refused = subject.tokens.create_token(&one_more, HASH, MOST, &[], &entry(subject.ids.next())).await;
    assert!(matches!(refused, Err(CreateTokenError::TooMany)), "{refused:?}");
}

pub async fn a_token_ends_once_and_tells_its_hash_again(subject: &AuthSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let token = subject.token(bob.id, 1);
    subject.keep(&token).await;
    let at = subject.now() + HOUR;
    let revoke = async |user, id, at| {
        let entry = audit_entry(subject.ids.next(), AuditAction::TokenRevoked, at);
        subject.tokens.revoke_token(user, id, at, &entry).await.unwrap()
    };
    assert_eq!(revoke(eve.id, token.id, at).await, None, "it is not hers");
    assert_eq!(revoke(bob.id, subject.ids.next(), at).await, None);
    assert_eq!(revoke(bob.id, token.id, at).await, Some(token.hash));
    assert_eq!(revoke(bob.id, token.id, at + HOUR).await, Some(token.hash));
    let ended = subject.tokens.find_token(&token.hash).await.unwrap().unwrap();
    assert_eq!(ended, ApiToken { revoked_at: Some(at), ..token });
    assert!(!ended.is_live(at));
    assert!(subject.tokens.list_tokens(bob.id).await.unwrap().is_empty());
    let ended = common::auth::AuditFilter {
        action: Some(AuditAction::TokenRevoked.word().to_owned()),
        ..common::auth::AuditFilter::default()
    };
    assert_eq!(subject.audit.list_audit(&ended, None, 10).await.unwrap().len(), 1, "the end is told once");
}

pub async fn uses_of_tokens_are_noted(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (one, two) = (subject.token(bob.id, 1), subject.token(bob.id, 2));
    subject.keep(&one).await;
    subject.keep(&two).await;
    let at = subject.now() + HOUR;
    subject.tokens.note_token_uses(&[]).await.unwrap();
    subject.tokens.note_token_uses(&[(one.id, at), (subject.ids.next(), at)]).await.unwrap();
    subject.tokens.note_token_uses(&[(one.id, at - HOUR), (two.id, at + HOUR)]).await.unwrap();
    let used = async |hash| subject.tokens.find_token(hash).await.unwrap().unwrap().last_used_at;
    assert_eq!(used(&one.hash).await, Some(at));
    assert_eq!(used(&two.hash).await, Some(at + HOUR));
}

pub async fn ended_tokens_are_removed_in_steps(subject: &AuthSubject) {
    let bob = subject.registered("bob@example.org").await;
    let start = subject.now();
    let lasting = subject.token(bob.id, 100);
    subject.keep(&lasting).await;
    for n in 0..4 {
        let token = ApiToken { expires_at: Some(start + HOUR * u32::from(n)), ..subject.token(bob.id, n) };
        subject.keep(&token).await;
    }
    // ended before its time
    let revoked = ApiToken { expires_at: Some(start + 100 * HOUR), ..subject.token(bob.id, 50) };
    subject.keep(&revoked).await;
    let entry = audit_entry(subject.ids.next(), AuditAction::TokenRevoked, start);
    subject.tokens.revoke_token(bob.id, revoked.id, start, &entry).await.unwrap();
    let before = start + 3 * HOUR;
    let mut removed = Vec::new();
    loop {
        let step = subject.tokens.remove_ended_tokens(before, 3).await.unwrap();
        removed.push(step);
        if step == 0 {
            break;
        }
    }
    assert_eq!(removed, [3, 1, 0]);
    let left: Vec<_> = subject.tokens.list_tokens(bob.id).await.unwrap();
    assert_eq!(left.iter().map(|token| token.hash[0]).collect::<Vec<_>>(), [3, 100]);
}
