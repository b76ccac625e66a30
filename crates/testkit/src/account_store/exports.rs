use std::time::Duration;

use bytes::Bytes;
use common::auth::{
    AuditFilter, EXPORT_PART_BYTES, Export, ExportEnd, ExportFile, ExportPart, ExportState, NewExport, User,
};
use common::{ExportId, UserId};

use super::AccountSubject;
use crate::outbox::job;

const DAY: Duration = Duration::from_secs(86_400);

fn part(export: &Export, file: u32, number: u32) -> ExportPart {
    ExportPart { user: export.user, export: export.id, file, number }
}

fn new(subject: &AccountSubject, user: UserId) -> NewExport {
    let at = subject.now();
    NewExport { id: subject.ids.next(), user, at, expires_at: at + DAY }
}

async fn begun(subject: &AccountSubject, address: &str) -> (User, Export) {
    let user = subject.registered(address).await;
    let export =
        subject.exports.begin_export(&new(subject, user.id), &[], &subject.line()).await.unwrap().unwrap();
    (user, export)
}

async fn read(subject: &AccountSubject, export: &Export, file: u32, number: u32) -> Option<Bytes> {
    subject.exports.read_export_part(part(export, file, number)).await.unwrap()
}

pub async fn one_export_of_an_account_runs_at_a_time(subject: &AccountSubject) {
    let (ann, bob) =
        (subject.registered("ann@example.org").await, subject.registered("bob@example.org").await);
    let exports = &subject.exports;
    assert_eq!(exports.find_export(bob.id).await.unwrap(), None);
    let wanted: Vec<_> = (0..4).map(|_| new(subject, bob.id)).collect();
    let jobs: Vec<_> = wanted.iter().map(|_| job(&subject.ids, "account-export", subject.now())).collect();
    let lines: Vec<_> = wanted.iter().map(|_| subject.line()).collect();
    let tries = (0..wanted.len()).map(|n| exports.begin_export(&wanted[n], &jobs[n..=n], &lines[n]));
    let begun: Vec<Export> = futures_util::future::join_all(tries)
        .await
        .into_iter()
        .map(|begun| begun.unwrap().unwrap())
        .collect();
    assert!(begun.iter().all(|export| *export == begun[0]), "{begun:?}");
    assert_eq!(subject.outbox.depth().await.unwrap(), 1, "the job came with the one that did it");
    let log = subject.audit.list_audit(&AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(log.len(), 1, "as did the line of the log");
    let first = Export {
        id: begun[0].id,
        user: bob.id,
        state: ExportState::Running,
        requested_at: subject.now(),
        ended_at: None,
        expires_at: subject.now() + DAY,
        size_bytes: None,
        files: Vec::new(),
    };
    assert_eq!(exports.find_export(bob.id).await.unwrap(), Some(first.clone()));
    assert_eq!(exports.find_export(ann.id).await.unwrap(), None);

    // one that was left by its job stands in nobody's way
    assert!(exports.put_export_part(part(&first, 0, 0), 1, b"old").await.unwrap());
    subject.clock.advance(DAY);
    let second = exports.begin_export(&new(subject, bob.id), &[], &subject.line()).await.unwrap().unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(read(subject, &first, 0, 0).await, None);
    assert!(!exports.put_export_part(part(&first, 0, 0), 9, b"late").await.unwrap());
    let end = ExportEnd::Failed;
    let at = subject.now();
    assert!(!exports.end_export(bob.id, first.id, &end, at, at + DAY, &[]).await.unwrap());

    let nobody = subject.ids.next();
    assert_eq!(exports.begin_export(&new(subject, nobody), &[], &subject.line()).await.unwrap(), None);
    assert_eq!(exports.find_export(nobody).await.unwrap(), None);
}

pub async fn the_parts_of_an_export_are_those_of_its_newest_run(subject: &AccountSubject) {
    let (_, export) = begun(subject, "bob@example.org").await;
    let (eve, other) = begun(subject, "eve@example.org").await;
    let put = async |file, number, run, bytes: &[u8]| {
        subject.exports.put_export_part(part(&export, file, number), run, bytes).await.unwrap()
    };
    let long = vec![7; EXPORT_PART_BYTES];
    assert!(put(0, 0, 5, &long).await);
    assert!(put(0, 1, 5, b"tail").await);
    assert!(put(1, 0, 5, b"").await);
    assert!(put(0, 1, 5, b"again").await, "a call may be repeated");
    assert!(subject.exports.put_export_part(part(&other, 0, 0), 5, b"hers").await.unwrap());
    assert_eq!(read(subject, &export, 0, 0).await.unwrap(), long);
    assert_eq!(read(subject, &export, 0, 1).await.unwrap(), "again");
    assert_eq!(read(subject, &export, 1, 0).await.unwrap(), "");
    assert_eq!(read(subject, &export, 2, 0).await, None);
    // an id alone opens nothing
    let stolen = ExportPart { user: eve.id, ..part(&export, 0, 1) };
    assert_eq!(subject.exports.read_export_part(stolen).await.unwrap(), None);
    assert!(!subject.exports.put_export_part(stolen, 9, b"x").await.unwrap());

    assert!(put(0, 0, 6, b"anew").await);
    assert_eq!(read(subject, &export, 0, 0).await.unwrap(), "anew");
    assert_eq!(read(subject, &export, 0, 1).await, None);
    assert!(!put(0, 1, 5, b"late").await);
    assert_eq!(read(subject, &export, 0, 1).await, None);
    assert_eq!(read(subject, &other, 0, 0).await.unwrap(), "hers");
}

pub async fn an_export_ends_once_and_goes_when_its_time_is_over(subject: &AccountSubject) {
    let (bob, export) = begun(subject, "bob@example.org").await;
    let (eve, failed) = begun(subject, "eve@example.org").await;
    let exports = &subject.exports;
    assert!(exports.put_export_part(part(&export, 0, 0), 5, b"{}").await.unwrap());
    assert!(exports.put_export_part(part(&failed, 0, 0), 5, b"{}").await.unwrap());
    let files = vec![ExportFile { name: "profile.json".to_owned(), size: 2, crc32: u32::MAX }];
    let ready = |run| ExportEnd::Ready { run, files: files.clone(), size_bytes: 4096 };
    let at = subject.now();
    let end = async |user, id, end: &ExportEnd, days: u32| {
        let jobs = [job(&subject.ids, "account-mail", at)];
        exports.end_export(user, id, end, at, at + days * DAY, &jobs).await.unwrap()
    };
    assert!(!end(bob.id, export.id, &ready(4), 7).await, "a newer run has begun");
    assert!(!end(eve.id, export.id, &ready(5), 7).await, "it is another's");
    assert_eq!(subject.outbox.depth().await.unwrap(), 0);
    assert!(end(bob.id, export.id, &ready(5), 7).await);
    assert!(!end(bob.id, export.id, &ready(5), 7).await);
    assert!(!end(bob.id, export.id, &ExportEnd::Failed, 7).await);
    assert_eq!(subject.outbox.depth().await.unwrap(), 1);
    let kept = Export {
        state: ExportState::Ready,
        ended_at: Some(at),
        expires_at: at + 7 * DAY,
        size_bytes: Some(4096),
        files: files.clone(),
        ..export.clone()
    };
    assert_eq!(exports.find_export(bob.id).await.unwrap(), Some(kept));
    assert!(!exports.put_export_part(part(&export, 0, 0), 9, b"late").await.unwrap());
    assert_eq!(read(subject, &export, 0, 0).await.unwrap(), "{}");

    assert!(end(eve.id, failed.id, &ExportEnd::Failed, 2).await);
    let found = exports.find_export(eve.id).await.unwrap().unwrap();
    assert_eq!((found.state, found.size_bytes, found.files), (ExportState::Failed, None, Vec::new()));
    assert_eq!(read(subject, &failed, 0, 0).await, None);

    assert_eq!(exports.remove_expired_exports(at + DAY, 10).await.unwrap(), 0);
    assert_eq!(exports.remove_expired_exports(at + 7 * DAY, 1).await.unwrap(), 1);
    assert_eq!(exports.find_export(eve.id).await.unwrap(), None, "the one that was due first");
    assert_eq!(exports.remove_expired_exports(at + 7 * DAY, 10).await.unwrap(), 1);
    assert_eq!(exports.find_export(bob.id).await.unwrap(), None);
    assert_eq!(read(subject, &export, 0, 0).await, None);
    assert_eq!(exports.remove_expired_exports(at + 7 * DAY, 10).await.unwrap(), 0);
}

pub async fn an_export_goes_with_its_account(subject: &AccountSubject) {
    let (bob, mine) = begun(subject, "bob@example.org").await;
    let (ann, hers) = begun(subject, "ann@example.org").await;
    let (eve, other) = begun(subject, "eve@example.org").await;
    let (exports, now) = (&subject.exports, subject.now());
    let is_there = async |export: &Export| {
        let found = exports.find_export(export.user).await.unwrap().is_some();
        assert_eq!(read(subject, export, 0, 0).await.is_some(), found);
        found
    };
    for export in [&mine, &hers, &other] {
        assert!(exports.put_export_part(part(export, 0, 0), 1, b"x").await.unwrap());
        assert!(is_there(export).await);
    }
    assert!(subject.accounts.schedule_deletion(bob.id, now + DAY, now, &[]).await.unwrap());
    assert!(is_there(&mine).await, "it may be kept");
    assert!(subject.delete(bob.id, now + DAY).await);
    subject.users.remove_user(ann.id, &[], &subject.line()).await.unwrap();
    assert!(!is_there(&mine).await);
    assert!(!is_there(&hers).await);
    assert!(is_there(&other).await);
    let late: ExportId = mine.id;
    assert!(!exports.end_export(bob.id, late, &ExportEnd::Failed, now, now + DAY, &[]).await.unwrap());
    assert_eq!(exports.find_export(eve.id).await.unwrap().unwrap().id, other.id);
}
