//! The contract of the auth store, over MongoDB.

mod support;

use std::sync::Arc;

use common::auth::{AuditAction, AuditEntry, AuthStore as _, CreateUserError, RefreshOutcome, Role, User};
use common::{Clock as _, Timestamp, UserId};
use futures_util::future::join_all;
use store_mongo::AuthDb;
use testkit::account_store::AccountSubject;
use testkit::auth_store::{AuthSubject, audit_entry, session, user};
use testkit::outbox::OutboxSubject;
use testkit::{TestClock, TestIds};

async fn subject() -> AuthSubject {
    let (mongo, scratch) = support::mongo().await;
    AuthSubject::new(Arc::new(AuthDb::new(&mongo)), scratch)
}

/// A line of the audit log about an account that is made.
fn line(ids: &TestIds, at: Timestamp) -> AuditEntry {
    audit_entry(ids.next(), AuditAction::UserMade, at)
}

testkit::auth_store_suite!(subject);

mod accounts {
    use super::*;

    async fn subject() -> AccountSubject {
        let (mongo, scratch) = support::mongo().await;
        AccountSubject::new(Arc::new(AuthDb::new(&mongo)), scratch)
    }

    testkit::account_store_suite!(subject);
}

mod outbox {
    use std::time::Duration;

    use common::jobs::Outbox as _;

    use super::*;

    async fn subject() -> OutboxSubject {
        let (mongo, scratch) = support::mongo().await;
        OutboxSubject::of_auth(Arc::new(AuthDb::new(&mongo)), scratch)
    }

    testkit::outbox_suite!(subject);

    /// A lease is broken off at each of its steps: rows may be leased by then, or later. The clock stands, so no lease ends.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_row_whose_lease_was_broken_off_is_leased_again_at_once() {
        let (mongo, _scratch) = support::mongo().await;
        let (store, ids, at) = (AuthDb::new(&mongo), TestIds::new(), TestClock::default().now());
        let bob = testkit::auth_store::user(ids.next(), "bob@example.org", at);
        store.create_user(&bob, &[testkit::outbox::job(&ids, "test", at)]).await.unwrap();
        let lease = || store.lease_unsent(10, Duration::from_secs(30), at);
        for steps in 1.. {
            let broken_off = support::broken_off(steps, lease()).await.map(Result::unwrap);
            let is_whole = broken_off.is_some();
            let again = async {
                loop {
                    let rows = lease().await.unwrap();
                    if !rows.is_empty() {
                        return rows;
                    }
                }
            };
            let rows = match broken_off {
                Some(rows) => rows,
                None => {
                    tokio::time::timeout(Duration::from_secs(20), again).await.expect("the row comes back")
                }
            };
            let [row] = &rows[..] else { panic!("one row: {rows:?}") };
            store.unsend(&[row.job.id]).await.unwrap();
            if is_whole {
                assert!(steps > 3, "it was broken off in the middle: {steps}");
                break;
            }
        }
        // whoever holds a row keeps it
        assert_eq!(lease().await.unwrap().len(), 1);
        assert!(lease().await.unwrap().is_empty());
    }
}

mod keys {
    use testkit::idempotency_store::KeysSubject;

    use super::*;

    async fn subject() -> KeysSubject {
        let (mongo, scratch) = support::mongo().await;
        KeysSubject::new(Arc::new(AuthDb::new(&mongo)), scratch)
    }

    testkit::idempotency_store_suite!(subject);
}

/// What is done at the same time, done by two processes.
mod replicas {
    use super::*;

    async fn replicas() -> ([AuthDb; 2], support::Scratch) {
        let (mongo, scratch) = support::mongo().await;
        let other = scratch.connect().await;
        ([AuthDb::new(&mongo), AuthDb::new(&other)], scratch)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_writers_of_one_address_one_succeeds() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        for round in 0..5 {
            let users: Vec<User> =
                (0..8).map(|_| user(ids.next(), &format!("bob{round}@example.org"), at)).collect();
            let made =
                join_all(users.iter().enumerate().map(|(n, user)| stores[n % 2].create_user(user, &[])))
                    .await;
            let winners: Vec<UserId> =
                users.iter().zip(&made).filter(|(_, made)| made.is_ok()).map(|(user, _)| user.id).collect();
            assert_eq!(winners.len(), 1);
            assert!(
                made.iter().all(|made| matches!(made, Ok(()) | Err(CreateUserError::AddressTaken))),
                "{made:?}"
            );
            for store in &stores {
                let found = store.find_user_by_address(&users[0].address.key()).await.unwrap().unwrap();
                assert_eq!(found.id, winners[0]);
                assert_eq!(store.count_users().await.unwrap(), round + 1);
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_two_first_administrators_one_is_made() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let admins: Vec<User> = (0..8)
            .map(|n| User {
                role: Role::Admin,
                bootstrap: true,
                ..user(ids.next(), &format!("root{n}@example.org"), at)
            })
            .collect();
        let lines: Vec<_> = admins.iter().map(|_| line(&ids, at)).collect();
        let made = join_all(
            admins
                .iter()
                .enumerate()
                .map(|(n, admin)| stores[n % 2].create_first_admin(admin, &[], &lines[n])),
        )
        .await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
        assert!(
            made.iter().all(|made| matches!(made, Ok(()) | Err(CreateUserError::AlreadySetUp))),
            "{made:?}"
        );
    }

    /// An administrator who came by another way is one as well.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn any_administrator_ends_the_setting_up() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let admin = |address: &str| User { role: Role::Admin, ..user(ids.next(), address, at) };
        stores[0].create_user(&admin("eve@example.org"), &[]).await.unwrap();
        assert!(stores[1].has_admin().await.unwrap());
        let first = stores[1].create_first_admin(&admin("root@example.org"), &[], &line(&ids, at)).await;
        assert!(matches!(first, Err(CreateUserError::AlreadySetUp)), "{first:?}");
        stores[1].create_user(&admin("kim@example.org"), &[]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn simultaneous_refreshes_at_two_replicas_share_the_session() {
        let (stores, _scratch) = replicas().await;
        let (ids, at) = (TestIds::new(), TestClock::default().now());
        let session = session(ids.next(), ids.next(), Some([1; 32]), at);
        stores[0].create_session(&session).await.unwrap();
        let rotate = async |old: u8, new: u8| {
            let store = &stores[new as usize % 2];
            store.rotate_refresh(&[old; 32], &[new; 32], at, session.expires_at).await.unwrap()
        };
        for outcome in join_all((2..12).map(|n| rotate(1, n))).await {
            assert!(
                matches!(&outcome, RefreshOutcome::Rotated(same) if same.id == session.id),
                "{outcome:?}"
            );
        }
        // of what they got only one can be used
        let outcomes = join_all((2..12).map(|n| rotate(n, n + 20))).await;
        let is_rotated = |outcome: &&RefreshOutcome| matches!(outcome, RefreshOutcome::Rotated(_));
        assert_eq!(outcomes.iter().filter(is_rotated).count(), 1, "{outcomes:?}");
        assert!(outcomes.contains(&RefreshOutcome::Reused(session.id)), "{outcomes:?}");
        assert!(!stores[0].find_session(session.id).await.unwrap().unwrap().is_live(at));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_carried_here_is_kept_as_it_was() {
    let (mongo, _scratch) = support::mongo().await;
    testkit::portable::auth(&AuthDb::new(&mongo)).await;
}
