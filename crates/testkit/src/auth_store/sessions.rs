use std::time::Duration;

use common::Timestamp;
use common::auth::{REFRESH_GRACE, RefreshOutcome, Session};

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

/// Which session the token was exchanged in.
fn rotated(outcome: RefreshOutcome) -> Session {
    match outcome {
        RefreshOutcome::Rotated(session) => session,
        other => panic!("it is not rotated: {other:?}"),
    }
}

async fn rotate(subject: &AuthSubject, old: u8, new: u8, at: Timestamp) -> RefreshOutcome {
    subject.store.rotate_refresh(&[old; 32], &[new; 32], at, at + 2 * HOUR).await.unwrap()
}

async fn with_token(subject: &AuthSubject, token: u8) -> Session {
    let user = subject.registered(&format!("bob{token}@example.org")).await;
    let session = subject.session(user.id, Some(token));
    subject.store.create_session(&session).await.unwrap();
    session
}

pub async fn a_reused_refresh_token_ends_the_session(subject: &AuthSubject) {
    let (copied, other) = (with_token(subject, 1).await, with_token(subject, 100).await);
    let now = subject.now();
    for n in 1..4 {
        rotated(rotate(subject, n, n + 1, now).await);
    }
    // not only the last one is remembered, and within the grace too its successor was used
    assert_eq!(rotate(subject, 1, 50, now).await, RefreshOutcome::Reused(copied.id));
    let ended = subject.store.find_session(copied.id).await.unwrap().unwrap();
    assert_eq!(ended.revoked_at, Some(now));
    assert_eq!(rotate(subject, 4, 5, now).await, RefreshOutcome::Unknown, "the whole family has ended");
    assert!(subject.store.find_session(other.id).await.unwrap().unwrap().is_live(now));
}

pub async fn a_refresh_whose_answer_was_lost_can_be_repeated(subject: &AuthSubject) {
    let session = with_token(subject, 1).await;
    let start = subject.now();
    rotated(rotate(subject, 1, 2, start).await);
    // again and again, as long as the first use is not long ago
    for (n, at) in [(3, start), (4, start + REFRESH_GRACE)] {
        let again = rotated(rotate(subject, 1, n, at).await);
        assert_eq!((again.id, again.expires_at), (session.id, at + 2 * HOUR));
        assert_eq!(subject.store.find_session(session.id).await.unwrap(), Some(again));
    }
    // whichever answer arrived is good, and one token after it has the same grace
    let later = start + HOUR;
    rotated(rotate(subject, 3, 5, later).await);
    rotated(rotate(subject, 3, 6, later).await);
    rotated(rotate(subject, 6, 7, later).await);
    // those beside it were replaced with that
    assert_eq!(rotate(subject, 4, 8, later).await, RefreshOutcome::Reused(session.id));
    assert!(!subject.store.find_session(session.id).await.unwrap().unwrap().is_live(later));
}

pub async fn a_refresh_token_is_not_repeated_after_the_grace(subject: &AuthSubject) {
    let session = with_token(subject, 1).await;
    let start = subject.now();
    rotated(rotate(subject, 1, 2, start).await);
    // a second use does not prolong it
    rotated(rotate(subject, 1, 3, start + REFRESH_GRACE).await);
    let late = start + REFRESH_GRACE + Duration::from_millis(1);
    assert_eq!(rotate(subject, 1, 4, late).await, RefreshOutcome::Reused(session.id));
    assert_eq!(rotate(subject, 2, 5, late).await, RefreshOutcome::Unknown);
}

pub async fn simultaneous_refreshes_share_the_session(subject: &AuthSubject) {
    let session = with_token(subject, 1).await;
    let now = subject.now();
    for outcome in futures_util::future::join_all((2..12).map(|n| rotate(subject, 1, n, now))).await {
        assert_eq!(rotated(outcome).id, session.id);
    }
    assert!(subject.store.find_session(session.id).await.unwrap().unwrap().is_live(now));
    // of what they got only one can be used
    let used = futures_util::future::join_all((2..12).map(|n| rotate(subject, n, n + 20, now))).await;
    let is_rotated = |outcome: &&RefreshOutcome| matches!(outcome, RefreshOutcome::Rotated(_));
    assert_eq!(used.iter().filter(is_rotated).count(), 1, "{used:?}");
    assert!(used.contains(&RefreshOutcome::Reused(session.id)), "{used:?}");
    assert!(!subject.store.find_session(session.id).await.unwrap().unwrap().is_live(now));
}

pub async fn a_refresh_of_an_ended_session_is_unknown(subject: &AuthSubject) {
    let (revoked, expired) = (with_token(subject, 1).await, with_token(subject, 2).await);
    subject.store.revoke_session(revoked.id, subject.now()).await.unwrap();
    for hash in [1, 2] {
        assert_eq!(rotate(subject, hash, 9, expired.expires_at).await, RefreshOutcome::Unknown);
    }
}

/// Whoever found it the first time may have failed before all caches knew.
pub async fn a_reuse_in_an_ended_session_is_told_again(subject: &AuthSubject) {
    let session = with_token(subject, 1).await;
    let (now, late) = (subject.now(), subject.now() + 2 * REFRESH_GRACE);
    rotated(rotate(subject, 1, 2, now).await);
    for at in [late, late, late + HOUR] {
        assert_eq!(rotate(subject, 1, 3, at).await, RefreshOutcome::Reused(session.id));
    }
    let ended = subject.store.find_session(session.id).await.unwrap().unwrap();
    assert_eq!(ended.revoked_at, Some(late), "it ended once");
    // nor does the grace renew what has ended
    let session = with_token(subject, 10).await;
    rotated(rotate(subject, 10, 11, now).await);
    subject.store.revoke_session(session.id, now).await.unwrap();
    assert_eq!(rotate(subject, 10, 12, now).await, RefreshOutcome::Reused(session.id));
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
