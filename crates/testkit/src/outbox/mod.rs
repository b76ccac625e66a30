//! What every [`Outbox`] promises, over whatever store's commits.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::auth::AuthStore;
use common::files::{Commit, FileStore};
use common::jobs::{Backoff, NewJob, Outbox, Priority, UNREADABLE_RESTS};
use common::{Clock as _, JobId, Timestamp};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::auth_store::user;
use crate::file_store::FilesSubject;
use crate::{TestClock, TestIds, a_trace};

type Enter = Box<dyn Fn(Vec<NewJob>) -> BoxFuture<'static, ()> + Send + Sync>;

/// An empty outbox and a way to commit jobs into it.
pub struct OutboxSubject {
    /// The outbox.
    pub outbox: Arc<dyn Outbox>,
    commit: Enter,
    ids: Arc<TestIds>,
    clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl OutboxSubject {
    /// A subject whose jobs enter by `commit`.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        ids: Arc<TestIds>,
        commit: impl Fn(Vec<NewJob>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
        keep: impl Any + Send + Sync,
    ) -> Self {
        Self { outbox, commit: Box::new(commit), ids, clock: TestClock::default(), _keep: Box::new(keep) }
    }

    /// The outbox of an auth store: jobs enter with accounts.
    pub fn of_auth<S: AuthStore + Outbox + 'static>(store: Arc<S>, keep: impl Any + Send + Sync) -> Self {
        let ids = Arc::new(TestIds::new());
        let outbox = Arc::<S>::clone(&store);
        let fresh = Arc::clone(&ids);
        let commit = move |jobs: Vec<NewJob>| -> BoxFuture<'static, ()> {
            let store = Arc::clone(&store);
            let user =
                user(fresh.next(), &format!("{}@example.org", fresh.next::<JobId>()), Timestamp::default());
            Box::pin(async move { store.create_user(&user, &jobs).await.expect("the address is free") })
        };
        Self::new(outbox, ids, commit, keep)
    }

    /// The outbox of a file store: jobs enter with uploads.
    pub async fn of_files<S: FileStore + Outbox + 'static>(
        store: Arc<S>,
        keep: impl Any + Send + Sync,
    ) -> Self {
        let files = Arc::new(FilesSubject::new(Arc::<S>::clone(&store), keep).await);
        let ids = Arc::clone(&files.ids);
        let commit = move |jobs: Vec<NewJob>| -> BoxFuture<'static, ()> {
            let files = Arc::clone(&files);
            Box::pin(async move {
                let name = files.ids.next::<JobId>().to_string();
                let commit = Commit { jobs, ..files.upload(files.root(), &name, 1) };
                files.commit(&commit).await.map(drop).expect("the name is free");
            })
        };
        Self::new(store, ids, commit, ())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn committed(&self, count: usize) -> Vec<NewJob> {
        let mut jobs = Vec::new();
        for _ in 0..count {
            let job = job(&self.ids, "test", self.now());
            (self.commit)(vec![job.clone()]).await;
            jobs.push(job);
        }
        jobs
    }

    async fn lease(&self, limit: u32) -> Vec<JobId> {
        let rows = self.outbox.lease_unsent(limit, LEASE, self.now()).await.unwrap();
        rows.into_iter().map(|row| row.job.id).collect()
    }
}

const LEASE: Duration = Duration::from_secs(30);

/// A job with every field in use.
pub fn job(ids: &TestIds, kind: &str, at: Timestamp) -> NewJob {
    NewJob {
        id: ids.next(),
        kind: kind.to_owned(),
        data: json!({"text": "äöü", "list": [1, null, true]}),
        priority: Priority::HIGH,
        user: Some(ids.next()),
        max_attempts: 3,
        backoff: Backoff::Exponential { delay_ms: 1000, max_delay_ms: 60_000 },
        ttl_ms: 60_000,
        run_at: Some(at + Duration::from_secs(1)),
        created_at: at,
        request_id: Some("request-1".to_owned()),
        trace: Some(a_trace()),
        unique_key: Some("key".to_owned()),
        remove_on_complete: true,
    }
}

fn ids_of(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

pub async fn rows_come_oldest_first_and_whole(subject: &OutboxSubject) {
    assert!(subject.lease(10).await.is_empty());
    let jobs = subject.committed(5).await;
    let rows = subject.outbox.lease_unsent(3, LEASE, subject.now()).await.unwrap();
    assert!(rows.iter().all(|row| row.sent == 0));
    assert_eq!(rows.into_iter().map(|row| row.job).collect::<Vec<_>>(), jobs[..3]);
    assert_eq!(subject.lease(10).await, ids_of(&jobs[3..]));
    assert_eq!(subject.outbox.depth().await.unwrap(), 5);
}

pub async fn jobs_of_one_commit_keep_their_order(subject: &OutboxSubject) {
    let jobs: Vec<_> = (0..4).map(|_| job(&subject.ids, "test", subject.now())).collect();
    let shuffled = vec![jobs[2].clone(), jobs[0].clone(), jobs[3].clone(), jobs[1].clone()];
    (subject.commit)(shuffled.clone()).await;
    assert_eq!(subject.lease(10).await, ids_of(&shuffled));
}

pub async fn a_leased_row_is_nobody_elses_until_the_lease_ends(subject: &OutboxSubject) {
    let jobs = subject.committed(2).await;
    assert_eq!(subject.lease(1).await, [jobs[0].id]);
    assert_eq!(subject.lease(10).await, [jobs[1].id]);
    assert!(subject.lease(10).await.is_empty());
    subject.clock.advance(LEASE);
    assert_eq!(subject.lease(10).await, ids_of(&jobs), "its relay died");
}

pub async fn two_relays_never_share_a_row(subject: &OutboxSubject) {
    let jobs = subject.committed(30).await;
    let leases = futures_util::future::join_all((0..10).map(|_| subject.lease(5))).await;
    let leased: Vec<_> = leases.into_iter().flatten().collect();
    assert_eq!(leased.len(), 30);
    assert_eq!(leased.into_iter().collect::<HashSet<_>>(), ids_of(&jobs).into_iter().collect());
}

pub async fn a_sent_row_waits_until_it_is_settled(subject: &OutboxSubject) {
    let jobs = subject.committed(3).await;
    let ids = ids_of(&jobs);
    subject.lease(10).await;
    let sent_at = subject.now();
    subject.outbox.mark_sent(&ids[..2], sent_at).await.unwrap();
    subject.clock.advance(2 * LEASE);
    assert_eq!(subject.lease(10).await, [ids[2]], "what was sent is not sent again");
    assert!(subject.outbox.list_sent(sent_at, 10).await.unwrap().is_empty(), "before is exclusive");
    let mut sent = subject.outbox.list_sent(subject.now(), 10).await.unwrap();
    sent.sort();
    assert_eq!(sent, ids[..2]);
    assert_eq!(subject.outbox.list_sent(subject.now(), 1).await.unwrap().len(), 1);
    assert_eq!(subject.outbox.depth().await.unwrap(), 3);
    subject.outbox.settle(&ids[..1]).await.unwrap();
    subject.outbox.settle(&ids[..1]).await.unwrap();
    assert_eq!(subject.outbox.list_sent(subject.now(), 10).await.unwrap(), [ids[1]]);
    assert_eq!(subject.outbox.depth().await.unwrap(), 2);
}

pub async fn an_unknown_row_is_sent_again(subject: &OutboxSubject) {
    let jobs = subject.committed(2).await;
    let ids = ids_of(&jobs);
    subject.lease(10).await;
    subject.outbox.mark_sent(&ids, subject.now()).await.unwrap();
    subject.clock.advance(Duration::from_secs(5));
    subject.outbox.unsend(&ids[1..]).await.unwrap();
    subject.outbox.unsend(&ids[1..]).await.unwrap();
    assert_eq!(subject.outbox.list_sent(subject.now(), 10).await.unwrap(), [ids[0]]);
    let rows = subject.outbox.lease_unsent(10, LEASE, subject.now()).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.job.id, row.sent)).collect::<Vec<_>>(), [(ids[1], 1)]);
    subject.outbox.mark_sent(&ids[1..], subject.now()).await.unwrap();
    subject.outbox.unsend(&ids[1..]).await.unwrap();
    let again = subject.outbox.lease_unsent(10, LEASE, subject.now()).await.unwrap();
    assert_eq!(again[0].sent, 2);
}

pub async fn settling_an_unsent_row_removes_it_too(subject: &OutboxSubject) {
    let jobs = subject.committed(1).await;
    subject.outbox.settle(&ids_of(&jobs)).await.unwrap();
    subject.outbox.settle(&[]).await.unwrap();
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert!(subject.lease(10).await.is_empty());
}

pub async fn a_row_that_cannot_be_read_holds_up_no_other(subject: &OutboxSubject) {
    let before = subject.committed(1).await;
    // deeper than what is read may be
    let deep = (0..500).fold(json!(1), |inside, _| Value::Array(vec![inside]));
    let strange = NewJob { data: deep, ..job(&subject.ids, "test", subject.now()) };
    (subject.commit)(vec![strange]).await;
    let after = subject.committed(1).await;
    let readable = ids_of(&[before, after].concat());
    assert_eq!(subject.lease(10).await, readable);
    subject.outbox.settle(&readable).await.unwrap();
    subject.clock.advance(2 * LEASE);
    assert!(subject.lease(10).await.is_empty(), "not each time");
    subject.clock.advance(UNREADABLE_RESTS);
    let later = subject.committed(1).await;
    assert_eq!(subject.lease(1).await, ids_of(&later), "nor does it take the place of another");
    assert_eq!(subject.outbox.depth().await.unwrap(), 2, "it stays");
}

/// A wait that has begun and not returned: calls may return for nothing, but not for ever.
async fn waiting(subject: &OutboxSubject) -> BoxFuture<'_, ()> {
    for _ in 0..100 {
        let mut wait = subject.outbox.wait().boxed();
        if (&mut wait).now_or_never().is_none() {
            return wait;
        }
    }
    panic!("nothing is committed, and yet no call of wait waits");
}

pub async fn a_commit_wakes_the_one_who_waits_and_the_one_who_comes_later(subject: &OutboxSubject) {
    const DEADLINE: Duration = Duration::from_secs(20);
    for _ in 0..5 {
        let wait = waiting(subject).await;
        subject.committed(1).await;
        tokio::time::timeout(DEADLINE, wait).await.expect("who waits is woken");
        drop(waiting(subject).await);
        subject.committed(1).await;
        tokio::time::timeout(DEADLINE, subject.outbox.wait())
            .await
            .expect("who comes later does not miss it");
    }
}

pub async fn a_relay_that_waits_only_when_nothing_is_there_gets_all(subject: &OutboxSubject) {
    const DEADLINE: Duration = Duration::from_secs(20);
    let count = 20;
    let relay = async {
        let mut seen = HashSet::new();
        while seen.len() < count {
            let rows = subject.outbox.lease_unsent(100, LEASE, Timestamp::default()).await.unwrap();
            if rows.is_empty() {
                subject.outbox.wait().await;
            }
            seen.extend(rows.into_iter().map(|row| row.job.id));
        }
        seen
    };
    let relay = tokio::time::timeout(DEADLINE, relay);
    let (seen, jobs) = tokio::join!(relay, subject.committed(count));
    assert_eq!(seen.expect("no commit is missed"), ids_of(&jobs).into_iter().collect());
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns an [`OutboxSubject`].
#[macro_export]
macro_rules! outbox_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            outbox,
            [
                rows_come_oldest_first_and_whole,
                jobs_of_one_commit_keep_their_order,
                a_leased_row_is_nobody_elses_until_the_lease_ends,
                two_relays_never_share_a_row,
                a_sent_row_waits_until_it_is_settled,
                an_unknown_row_is_sent_again,
                settling_an_unsent_row_removes_it_too,
                a_row_that_cannot_be_read_holds_up_no_other,
                a_commit_wakes_the_one_who_waits_and_the_one_who_comes_later,
                a_relay_that_waits_only_when_nothing_is_there_gets_all,
            ]
        );
    };
}
