use std::time::Duration;

use common::auth::{RefreshOutcome, Session};

use super::AuthSubject;

const HOUR: Duration = Duration::from_secs(3600);

pub async fn a_session_is_found_as_it_was_made(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let plain = Session { device: None, address: None, ..subject.session(user.id, None) };
    let with_token = subject.session(user.id, Some(1));
    for session in [&plain, &with_token] {
        subject.store.create_session(session).await.unwrap();
        assert_eq!(subject.store.find_session(session.id).await.unwrap().as_ref(), Some(session));
    }
    assert_eq!(subject.store.find_session(subject.ids.next()).await.unwrap(), None);
}

pub async fn a_session_ends_once(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let session = subject.session(user.id, None);
    subject.store.create_session(&session).await.unwrap();
    let at = subject.now();
    assert!(subject.store.revoke_session(session.id, at).await.unwrap());
    assert!(!subject.store.revoke_session(session.id, at + HOUR).await.unwrap());
    assert!(!subject.store.revoke_session(subject.ids.next(), at).await.unwrap());
    let ended = subject.store.find_session(session.id).await.unwrap().unwrap();
    assert_eq!(ended, Session { revoked_at: Some(at), ..session });
}

pub async fn a_refresh_token_works_once(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let session = subject.session(user.id, Some(1));
    subject.store.create_session(&session).await.unwrap();
    let end = subject.now() + 2 * HOUR;
    let rotated = Session { refresh_hash: Some([2; 32]), expires_at: end, ..session.clone() };
    let outcome = subject.store.rotate_refresh(&[1; 32], &[2; 32], subject.now(), end).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Rotated(rotated.clone()));
    assert_eq!(subject.store.find_session(session.id).await.unwrap(), Some(rotated));
    let next = subject.store.rotate_refresh(&[2; 32], &[3; 32], subject.now(), end).await.unwrap();
    assert!(matches!(next, RefreshOutcome::Rotated(_)), "{next:?}");
    let unknown = subject.store.rotate_refresh(&[9; 32], &[8; 32], subject.now(), end).await.unwrap();
    assert_eq!(unknown, RefreshOutcome::Unknown);
}

pub async fn a_reused_refresh_token_ends_the_session(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let (copied, other) = (subject.session(user.id, Some(1)), subject.session(user.id, Some(100)));
    subject.store.create_session(&copied).await.unwrap();
    subject.store.create_session(&other).await.unwrap();
    let end = subject.now() + HOUR;
    for n in 1..4 {
        subject.store.rotate_refresh(&[n; 32], &[n + 1; 32], subject.now(), end).await.unwrap();
    }
    // not only the last one is remembered
    let outcome = subject.store.rotate_refresh(&[1; 32], &[50; 32], subject.now(), end).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Reused(copied.id));
    let ended = subject.store.find_session(copied.id).await.unwrap().unwrap();
    assert_eq!(ended.revoked_at, Some(subject.now()));
    let current = subject.store.rotate_refresh(&[4; 32], &[5; 32], subject.now(), end).await.unwrap();
    assert_eq!(current, RefreshOutcome::Unknown, "the whole family has ended");
    assert!(subject.store.find_session(other.id).await.unwrap().unwrap().is_live(subject.now()));
}

pub async fn of_simultaneous_refreshes_one_rotates(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let session = subject.session(user.id, Some(1));
    subject.store.create_session(&session).await.unwrap();
    let (now, end) = (subject.now(), subject.now() + HOUR);
    let tries = (2..12)
        .map(|n| async move { subject.store.rotate_refresh(&[1; 32], &[n; 32], now, end).await.unwrap() });
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, RefreshOutcome::Rotated(_))).count(), 1);
    assert!(outcomes.contains(&RefreshOutcome::Reused(session.id)), "{outcomes:?}");
    assert!(!subject.store.find_session(session.id).await.unwrap().unwrap().is_live(now));
}

pub async fn a_refresh_of_an_ended_session_is_unknown(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let (revoked, expired) = (subject.session(user.id, Some(1)), subject.session(user.id, Some(2)));
    subject.store.create_session(&revoked).await.unwrap();
    subject.store.create_session(&expired).await.unwrap();
    subject.store.revoke_session(revoked.id, subject.now()).await.unwrap();
    let later = expired.expires_at;
    for hash in [1, 2] {
        let outcome = subject.store.rotate_refresh(&[hash; 32], &[9; 32], later, later + HOUR).await.unwrap();
        assert_eq!(outcome, RefreshOutcome::Unknown);
    }
}

pub async fn ended_sessions_are_removed_in_steps(subject: &AuthSubject) {
    let user = subject.registered("bob@example.org").await;
    let start = subject.now();
    let mut ended = Vec::new();
    for n in 0..5 {
        let session = subject.session(user.id, Some(n));
        subject.store.create_session(&session).await.unwrap();
        ended.push(session.id);
    }
    let revoked_early = subject.session(user.id, None);
    let live = Session { expires_at: start + 10 * HOUR, ..subject.session(user.id, Some(77)) };
    subject.store.create_session(&revoked_early).await.unwrap();
    subject.store.create_session(&live).await.unwrap();
    subject.store.revoke_session(revoked_early.id, start).await.unwrap();

    assert_eq!(subject.store.remove_ended_sessions(start, 10).await.unwrap(), 0, "before is exclusive");
    assert_eq!(subject.store.remove_ended_sessions(start + HOUR, 10).await.unwrap(), 1);
    assert_eq!(subject.store.find_session(revoked_early.id).await.unwrap(), None);
    let later = start + 2 * HOUR;
    assert_eq!(subject.store.remove_ended_sessions(later, 3).await.unwrap(), 3);
    assert_eq!(subject.store.remove_ended_sessions(later, 3).await.unwrap(), 2);
    assert_eq!(subject.store.remove_ended_sessions(later, 3).await.unwrap(), 0);
    for id in ended {
        assert_eq!(subject.store.find_session(id).await.unwrap(), None);
    }
    let rotated = subject.store.rotate_refresh(&[77; 32], &[78; 32], start, start + HOUR).await.unwrap();
    assert!(matches!(rotated, RefreshOutcome::Rotated(session) if session.id == live.id));
}
