use std::time::Duration;

use common::Timestamp;
use common::auth::RefreshOutcome;

use super::AccountSubject;

const MINUTE: Duration = Duration::from_secs(60);

pub async fn sessions_are_listed_newest_first_in_pages(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let mut mine = Vec::new();
    for n in 0..5 {
        mine.push(subject.opened(bob.id, Some(n)).await);
        subject.opened(eve.id, Some(100 + n)).await;
    }
    mine.reverse();
    let now = subject.now();
    let page = async |before, limit| -> Vec<_> {
        let listed = subject.accounts.list_sessions(bob.id, before, limit, now).await.unwrap();
        assert!(listed.iter().all(|listed| listed.last_used_at.is_none()));
        listed.into_iter().map(|listed| listed.session).collect()
    };
    assert_eq!(page(None, 10).await, mine);
    assert_eq!(page(None, 2).await, mine[..2]);
    assert_eq!(page(Some(mine[1].id), 2).await, mine[2..4]);
    assert_eq!(page(Some(mine[3].id), 2).await, mine[4..]);
    assert!(page(Some(mine[4].id), 2).await.is_empty());
    assert!(page(None, 0).await.is_empty());
    assert_eq!(subject.accounts.count_sessions(bob.id, now).await.unwrap(), 5);
}

pub async fn only_live_sessions_are_listed_and_counted(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (ended, live) = (subject.opened(bob.id, None).await, subject.opened(bob.id, None).await);
    subject.store.revoke_session(ended.id, subject.now()).await.unwrap();
    let ids = async |now: Timestamp| -> Vec<_> {
        let listed = subject.accounts.list_sessions(bob.id, None, 10, now).await.unwrap();
        assert_eq!(subject.accounts.count_sessions(bob.id, now).await.unwrap(), listed.len() as u64);
        listed.into_iter().map(|listed| listed.session.id).collect()
    };
    assert_eq!(ids(subject.now()).await, [live.id]);
    assert!(ids(live.expires_at).await.is_empty());
}

pub async fn all_sessions_but_one_are_ended(subject: &AccountSubject) {
    let (bob, eve) =
        (subject.registered("bob@example.org").await, subject.registered("eve@example.org").await);
    let kept = subject.opened(bob.id, None).await;
    let (with_token, plain) = (subject.opened(bob.id, Some(1)).await, subject.opened(bob.id, None).await);
    let foreign = subject.opened(eve.id, None).await;
    let at = subject.now() + MINUTE;
    let accounts = &subject.accounts;
    assert_eq!(accounts.revoke_sessions(bob.id, Some(kept.id), at).await.unwrap(), 2);
    assert_eq!(accounts.revoke_sessions(bob.id, Some(kept.id), at + MINUTE).await.unwrap(), 0);
    for id in [with_token.id, plain.id] {
        assert_eq!(subject.store.find_session(id).await.unwrap().unwrap().revoked_at, Some(at));
    }
    for id in [kept.id, foreign.id] {
        assert!(subject.store.find_session(id).await.unwrap().unwrap().is_live(at));
    }
    let outcome = subject.store.rotate_refresh(&[1; 32], &[2; 32], at, at + MINUTE).await.unwrap();
    assert_eq!(outcome, RefreshOutcome::Unknown, "what renews an ended session has ended too");
    // they are swept like any ended session
    assert_eq!(subject.store.remove_ended_sessions(at + MINUTE, 10).await.unwrap(), 2);
    assert_eq!(accounts.revoke_sessions(bob.id, None, at).await.unwrap(), 1);
    assert_eq!(accounts.revoke_sessions(subject.ids.next(), None, at).await.unwrap(), 0);
}

pub async fn a_use_is_noted_now_and_then(subject: &AccountSubject) {
    let bob = subject.registered("bob@example.org").await;
    let (first, second) = (subject.opened(bob.id, Some(1)).await, subject.opened(bob.id, None).await);
    let (start, apart) = (subject.now(), 5 * MINUTE);
    let note = async |uses: &[_]| subject.accounts.note_session_uses(uses, apart).await.unwrap();
    let used = async || -> Vec<_> {
        let listed = subject.accounts.list_sessions(bob.id, None, 10, start).await.unwrap();
        listed.into_iter().rev().map(|listed| listed.last_used_at).collect()
    };
    note(&[(first.id, start + MINUTE)]).await;
    assert_eq!(used().await, [None, None], "it was opened a moment ago");
    let once = start + 6 * MINUTE;
    note(&[(first.id, once), (subject.ids.next(), once), (second.id, start)]).await;
    assert_eq!(used().await, [Some(once), None]);
    note(&[(first.id, once + MINUTE), (second.id, once)]).await;
    assert_eq!(used().await, [Some(once), Some(once)]);
    note(&[(first.id, once + 5 * MINUTE)]).await;
    assert_eq!(used().await, [Some(once + 5 * MINUTE), Some(once)]);
    note(&[(first.id, once)]).await;
    assert_eq!(used().await, [Some(once + 5 * MINUTE), Some(once)], "it never goes back");
    // what rotates the token leaves it
    let end = start + 60 * MINUTE;
    subject.store.rotate_refresh(&[1; 32], &[2; 32], start, end).await.unwrap();
    assert_eq!(used().await, [Some(once + 5 * MINUTE), Some(once)]);
}
