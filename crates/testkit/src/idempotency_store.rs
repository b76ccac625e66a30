//! What every [`IdempotencyStore`] promises.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::auth::AuthStore;
use common::idempotency::{
    IdempotencyStore, KEPT, KeyId, KeyState, KnownKey, LEASE, Released, Reserved, Run, scope,
};
use common::{Clock as _, PortResult, Timestamp, UserId};
use futures_util::future::join_all;

use crate::auth_store::{session, user};
use crate::{TestClock, TestIds};

const SECOND: Duration = Duration::from_secs(1);

/// A fresh store of keys, beside data that requests change.
pub struct KeysSubject {
    /// The store.
    pub store: Arc<dyn IdempotencyStore>,
    /// The same, as what is changed.
    pub data: Arc<dyn AuthStore>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl KeysSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new<S>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self
    where
        S: IdempotencyStore + AuthStore + 'static,
    {
        Self {
            store: Arc::<S>::clone(&store),
            data: store,
            ids: TestIds::new(),
            clock: TestClock::default(),
            _keep: Box::new(keep),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn try_reserve(&self, key: u8, of: UserId, most: u32) -> Reserved {
        self.store.reserve(KeyId([key; 32]), of, b"print", most, self.now()).await.unwrap()
    }

    async fn reserved(&self, key: u8) -> Run {
        match self.try_reserve(key, self.ids.next(), 1000).await {
            Reserved::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    async fn known(&self, key: u8) -> KnownKey {
        match self.try_reserve(key, self.ids.next(), 1000).await {
            Reserved::Known(known) => known,
            other => panic!("{other:?}"),
        }
    }

    async fn take_over(&self, run: &Run) -> Option<Run> {
        self.store.take_over(run.key(), run.number(), self.now()).await.unwrap()
    }

    /// A change of several documents.
    async fn sign_up(&self, name: &str) -> Result<(), common::auth::CreateUserError> {
        let user = user(self.ids.next(), &format!("{name}@example.org"), self.now());
        self.data.create_user(&user, &[]).await
    }

    /// A change of one document.
    async fn sign_in(&self) -> PortResult<()> {
        let session = session(self.ids.next(), self.ids.next(), None, self.now());
        self.data.create_session(&session).await
    }
}

pub async fn a_key_is_reserved_once(subject: &KeysSubject) {
    let of: UserId = subject.ids.next();
    let all = join_all((0..8).map(|_| subject.try_reserve(1, of, 1000))).await;
    assert_eq!(all.iter().filter(|one| matches!(one, Reserved::Run(_))).count(), 1, "{all:?}");
    let until = subject.now() + LEASE;
    let expected = KnownKey { number: 1, fingerprint: b"print".to_vec(), state: KeyState::Open { until } };
    assert_eq!(subject.known(1).await, expected);
    assert_eq!(subject.reserved(2).await.number(), 1, "another key is another request");
}

pub async fn an_answer_is_kept_for_its_time(subject: &KeysSubject) {
    let run = subject.reserved(1).await;
    let answer = vec![7; 70_000];
    assert!(subject.store.keep_answer(&run, &answer).await.unwrap());
    assert!(subject.store.keep_answer(&run, &answer).await.unwrap(), "safe to repeat");
    subject.clock.advance(KEPT - SECOND);
    assert_eq!(subject.known(1).await.state, KeyState::Answered(answer));
    assert!(subject.take_over(&run).await.is_none());
    subject.clock.advance(SECOND);
    let next = subject.reserved(1).await;
    assert!(!subject.store.keep_answer(&run, b"late").await.unwrap(), "the key is another request's");
    assert!(matches!(subject.known(1).await.state, KeyState::Open { .. }));
    assert!(subject.store.keep_answer(&next, b"new").await.unwrap());
}

pub async fn a_run_that_changed_nothing_frees_its_key(subject: &KeysSubject) {
    let run = subject.reserved(1).await;
    assert_eq!(subject.store.release(&run).await.unwrap(), Released::Free);
    assert_eq!(subject.store.release(&run).await.unwrap(), Released::Free, "safe to repeat");
    assert!(!subject.store.keep_answer(&run, b"late").await.unwrap());
    subject.reserved(1).await;
}

pub async fn the_first_change_marks_its_key(subject: &KeysSubject) {
    for key in [1, 2] {
        let run = subject.reserved(key).await;
        assert!(!run.is_marked());
        let reading = async { subject.data.count_users().await.unwrap() };
        scope(run.clone(), reading).await;
        assert!(matches!(subject.known(key).await.state, KeyState::Open { .. }), "it has only read");
        scope(run.clone(), async {
            match key {
                1 => subject.sign_up("ann").await.unwrap(),
                _ => subject.sign_in().await.unwrap(),
            }
        })
        .await;
        let until = subject.now() + LEASE;
        assert_eq!(subject.known(key).await.state, KeyState::Marked { until }, "change {key}");
        assert!(run.is_marked());
        // more changes need no more marks
        scope(run.clone(), subject.sign_in()).await.unwrap();
        assert_eq!(subject.store.release(&run).await.unwrap(), Released::Marked);
        let ended = KeyState::Marked { until: Timestamp::from_millis(0) };
        assert_eq!(subject.known(key).await.state, ended, "nobody is at it");
        subject.clock.advance(LEASE);
        assert!(subject.take_over(&run).await.is_none(), "it is never done again");
        assert!(subject.store.keep_answer(&run, b"late").await.unwrap());
        assert_eq!(subject.known(key).await.state, KeyState::Answered(b"late".to_vec()));
    }
    assert_eq!(subject.data.count_users().await.unwrap(), 1);
}

pub async fn what_is_not_changed_marks_nothing(subject: &KeysSubject) {
    subject.sign_up("ann").await.unwrap();
    let run = subject.reserved(1).await;
    scope(run.clone(), subject.sign_up("ann")).await.unwrap_err();
    assert!(matches!(subject.known(1).await.state, KeyState::Open { .. }));
    assert_eq!(subject.store.release(&run).await.unwrap(), Released::Free);
}

pub async fn a_key_is_taken_over_once_when_its_lease_has_ended(subject: &KeysSubject) {
    let run = subject.reserved(1).await;
    subject.clock.advance(LEASE - SECOND);
    assert!(subject.take_over(&run).await.is_none());
    subject.clock.advance(SECOND);
    let all = join_all((0..4).map(|_| subject.take_over(&run))).await;
    let taken: Vec<_> = all.into_iter().flatten().collect();
    let [next] = &*taken else { panic!("{taken:?}") };
    assert_eq!(next.number(), 2);
    let until = subject.now() + LEASE;
    assert_eq!(subject.known(1).await.state, KeyState::Open { until });
    assert!(subject.take_over(&run).await.is_none());
}

pub async fn a_run_whose_key_was_taken_over_changes_nothing(subject: &KeysSubject) {
    let run = subject.reserved(1).await;
    subject.clock.advance(LEASE);
    let next = subject.take_over(&run).await.unwrap();
    scope(run.clone(), subject.sign_up("ann")).await.unwrap_err();
    scope(run.clone(), subject.sign_in()).await.unwrap_err();
    assert_eq!(subject.data.count_users().await.unwrap(), 0);
    assert_eq!(subject.store.release(&run).await.unwrap(), Released::Overtaken);
    assert!(!subject.store.keep_answer(&run, b"late").await.unwrap());
    scope(next.clone(), subject.sign_up("ann")).await.unwrap();
    assert!(subject.store.keep_answer(&next, b"done").await.unwrap());
    assert_eq!(subject.data.count_users().await.unwrap(), 1);
}

pub async fn a_freed_key_is_not_that_of_a_run_before(subject: &KeysSubject) {
    let first = subject.reserved(1).await;
    subject.clock.advance(LEASE);
    let second = subject.take_over(&first).await.unwrap();
    assert_eq!(subject.store.release(&second).await.unwrap(), Released::Free);
    let third = subject.reserved(1).await;
    for gone in [&first, &second] {
        scope(gone.clone(), subject.sign_up("ann")).await.unwrap_err();
        assert!(!subject.store.keep_answer(gone, b"late").await.unwrap());
    }
    scope(third, subject.sign_up("ann")).await.unwrap();
    assert_eq!(subject.data.count_users().await.unwrap(), 1);
}

pub async fn changes_of_one_run_at_once_all_count(subject: &KeysSubject) {
    let run = subject.reserved(1).await;
    let changes = join_all((0..6).map(|n| async move { subject.sign_up(&format!("u{n}")).await }));
    scope(run.clone(), changes).await.into_iter().for_each(|change| change.unwrap());
    assert_eq!(subject.data.count_users().await.unwrap(), 6);
    assert!(matches!(subject.known(1).await.state, KeyState::Marked { .. }));
}

pub async fn an_account_has_only_so_many(subject: &KeysSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    for key in [1, 2] {
        assert!(matches!(subject.try_reserve(key, ann, 2).await, Reserved::Run(_)));
    }
    assert!(matches!(subject.try_reserve(3, ann, 2).await, Reserved::TooMany));
    assert!(matches!(subject.try_reserve(1, ann, 2).await, Reserved::Known(_)), "it is there already");
    assert!(matches!(subject.try_reserve(4, bob, 2).await, Reserved::Run(_)));
    subject.clock.advance(KEPT);
    assert!(matches!(subject.try_reserve(3, ann, 2).await, Reserved::Run(_)));
}

pub async fn old_keys_are_forgotten_in_steps(subject: &KeysSubject) {
    for key in 1..=5 {
        let run = subject.reserved(key).await;
        subject.store.keep_answer(&run, b"x").await.unwrap();
    }
    let then = subject.now();
    subject.clock.advance(SECOND);
    subject.reserved(6).await;
    let forget = async |limit| subject.store.forget_keys(then, limit).await.unwrap();
    assert_eq!([forget(3).await, forget(3).await, forget(3).await], [3, 2, 0]);
    subject.reserved(1).await;
    subject.known(6).await;
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns a [`KeysSubject`].
#[macro_export]
macro_rules! idempotency_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            idempotency_store,
            [
                a_key_is_reserved_once,
                an_answer_is_kept_for_its_time,
                a_run_that_changed_nothing_frees_its_key,
                the_first_change_marks_its_key,
                what_is_not_changed_marks_nothing,
                a_key_is_taken_over_once_when_its_lease_has_ended,
                a_run_whose_key_was_taken_over_changes_nothing,
                a_freed_key_is_not_that_of_a_run_before,
                changes_of_one_run_at_once_all_count,
                an_account_has_only_so_many,
                old_keys_are_forgotten_in_steps,
            ]
        );
    };
}
