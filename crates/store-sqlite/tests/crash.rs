//! What was answered is there after the process has gone, and nothing is there by half.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use common::auth::{AuditAction, AuthStore as _, Role, User};
use common::files::{Commit, Kind, ListQuery, Order, Sort};
use common::jobs::{ClaimRequest, JobAdmin as _, JobState, JobStore as _, NewJob, Outbox as _};
use common::{Clock as _, IdGen as _, Timestamp};
use store_sqlite::{AuthDb, FilesDb, JobsDb, OpenOptions};
use testkit::auth_store::{audit_entry, session, user};
use testkit::file_store::{FilesSubject, query};
use testkit::{TestClock, TestIds};

/// Nothing is moved out of the log while a test copies it.
fn options() -> OpenOptions {
    OpenOptions { quiet: Duration::from_secs(3600), ..OpenOptions::default() }
}

fn job(ids: &TestIds) -> NewJob {
    NewJob::new(ids.next(), "test", serde_json::json!({}), Timestamp::default())
}

/// Copies the file first, then its log: as long as nothing is moved from the log into the file, this is what a crash leaves,
/// a log that ends anywhere included.
fn image(of: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("image.db");
    let log = |path: &Path| {
        let mut log = path.to_path_buf();
        log.as_mut_os_string().push("-wal");
        log
    };
    std::fs::copy(of, &copy).unwrap();
    std::fs::copy(log(of), log(&copy)).unwrap();
    copy
}

#[tokio::test]
async fn accounts_and_sessions_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.db");
    let (ids, now) = (TestIds::new(), TestClock::default().now());
    let admin = User { role: Role::Admin, bootstrap: true, ..user(ids.next(), "root@example.org", now) };
    let bob = user(ids.next(), "bob@example.org", now);
    let session = session(ids.next(), bob.id, Some([1; 32]), now);
    let welcome = job(&ids);
    let db = AuthDb::open(&path, &options()).unwrap();
    let line = audit_entry(ids.next(), AuditAction::UserMade, now);
    db.create_first_admin(&admin, &[], &line).await.unwrap();
    db.create_user(&bob, std::slice::from_ref(&welcome)).await.unwrap();
    db.create_session(&session).await.unwrap();
    db.rotate_refresh(&[1; 32], &[2; 32], now, session.expires_at).await.unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let copy = image(&path, crashed.path());
    drop(db);
    for path in [path, copy] {
        let db = AuthDb::open(&path, &options()).unwrap();
        assert_eq!(db.find_user(bob.id).await.unwrap().as_ref(), Some(&bob));
        assert!(db.has_admin().await.unwrap());
        assert_eq!(db.count_users().await.unwrap(), 1);
        assert_eq!(db.find_session(session.id).await.unwrap().unwrap().refresh_hash, Some([2; 32]));
        let rows = db.lease_unsent(10, Duration::from_secs(30), now).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.job).collect::<Vec<_>>(), std::slice::from_ref(&welcome));
        // who opens it does not have to be told that rows wait
        db.wait().await;
    }
}

#[tokio::test]
async fn jobs_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let (ids, now) = (TestIds::new(), TestClock::default().now());
    let db = JobsDb::open(&path, &options()).unwrap();
    let jobs: Vec<_> = (0..10).map(|_| job(&ids)).collect();
    db.insert(&jobs, now).await.unwrap();
    let request = ClaimRequest {
        types: vec!["test".to_owned()],
        worker: "w".to_owned(),
        max: 4,
        lease: Duration::from_secs(30),
    };
    let claimed = db.claim(&request, now).await.unwrap();
    for claimed in &claimed.jobs[..3] {
        db.complete(claimed.holder, Some(&serde_json::json!("done")), now).await.unwrap();
    }
    let crashed = tempfile::tempdir().unwrap();
    let copy = image(&path, crashed.path());
    drop(db);
    for path in [path, copy] {
        let db = JobsDb::open(&path, &options()).unwrap();
        let counts = db.counts(None).await.unwrap();
        assert_eq!(
            (counts[&JobState::Complete], counts[&JobState::Active], counts[&JobState::Inactive]),
            (3, 1, 6)
        );
        assert_eq!(db.known(&jobs.iter().map(|job| job.id).collect::<Vec<_>>()).await.unwrap().len(), 10);
        // the one that was held is taken over when its lease has ended
        let later = now + Duration::from_secs(30);
        assert_eq!(db.reap(10, later).await.unwrap(), ["test"]);
        let again = db.claim(&ClaimRequest { max: 100, ..request.clone() }, later).await.unwrap();
        assert_eq!(again.jobs.len(), 6);
    }
}

/// Uploads by many callers, and images of the files at moments of their own: each image holds all that was answered before, and its counters
/// agree with what is in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_taken_at_any_moment_is_whole() {
    const CALLERS: usize = 8;
    const UPLOADS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("files.db");
    let db = Arc::new(FilesDb::open(&path, &options()).unwrap());
    let subject = FilesSubject::new(db, ()).await;
    let (answered, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let uploads = futures_util::future::join_all((0..CALLERS).map(|caller| {
        let (subject, answered) = (&subject, &answered);
        async move {
            for n in 0..UPLOADS {
                let jobs = vec![NewJob { id: subject.ids.object_id().into(), ..job(&subject.ids) }];
                let commit =
                    Commit { jobs, ..subject.upload(subject.root(), &format!("{caller} {n}"), 100 + n) };
                subject.commit(&commit).await.unwrap();
                answered.fetch_add(1, Ordering::SeqCst);
            }
        }
    }));
    let images = async {
        let mut count = 0;
        while !done.load(Ordering::SeqCst) || count == 0 {
            let folder = tempfile::tempdir().unwrap();
            let before = answered.load(Ordering::SeqCst);
            let copy = image(&path, folder.path());
            check_image(&copy, &subject, before).await;
            count += 1;
        }
        count
    };
    let uploads = async {
        uploads.await;
        done.store(true, Ordering::SeqCst);
    };
    let ((), count) = tokio::join!(uploads, images);
    assert!(count > 0);
    let last = tempfile::tempdir().unwrap();
    check_image(&image(&path, last.path()), &subject, CALLERS * UPLOADS).await;
}

async fn check_image(copy: &Path, subject: &FilesSubject, answered: usize) {
    use common::files::FileStore as _;
    let db = FilesDb::open(copy, &options()).unwrap();
    let list = ListQuery { kind: Some(Kind::File), ..query(Sort::Name, Order::Asc, 1000) };
    let page = db.list_children(subject.root(), &list).await.unwrap();
    assert!(page.items.len() >= answered, "{} of {answered} are there", page.items.len());
    assert_eq!(page.total, page.items.len() as u64);
    let usage = db.usage(subject.space.id).await.unwrap();
    let mut used = 0;
    for node in &page.items {
        let content = node.content.as_ref().unwrap();
        used += content.size;
        assert_eq!(db.read_inline(content.blob).await.unwrap().unwrap().len() as u64, content.size);
    }
    assert_eq!((usage.used_bytes, usage.node_count), (used, page.total));
    assert_eq!(db.count_nodes().await.unwrap(), page.total);
    assert_eq!(db.depth().await.unwrap(), page.total, "each upload brought its job");
}
