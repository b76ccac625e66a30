use std::time::Duration;

use common::ReservationId;
use common::files::{Amount, Commit, NodeError, UsageByType};

use super::FilesSubject;

async fn set_quota(subject: &FilesSubject, bytes: Option<u64>) {
    subject.store.set_quota(subject.space.id, bytes).await.unwrap();
}

pub async fn a_quota_holds_for_uploads_without_reservation(subject: &FilesSubject) {
    set_quota(subject, Some(10)).await;
    let file = subject.file(subject.root(), "a", 6).await;
    let over = subject.commit(&subject.upload(subject.root(), "b", 5)).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    subject.file(subject.root(), "b", 4).await;
    subject.file(subject.root(), "empty", 0).await;
    let over = subject.commit(&subject.update(file.id, 1, 5)).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "old versions count: {over:?}");
    // what the commit itself gives up makes room for it
    subject.commit(&subject.update(file.id, 6, 0)).await.unwrap();
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.quota_bytes), (10, Some(10)));
    set_quota(subject, None).await;
    subject.file(subject.root(), "c", 100).await;
    assert_eq!(subject.usage().await.quota_bytes, None);
}

pub async fn a_reservation_is_changed_settled_and_released(subject: &FilesSubject) {
    set_quota(subject, Some(100)).await;
    let (space, until) = (subject.space.id, subject.now() + Duration::from_secs(3600));
    let id: ReservationId = subject.ids.next();
    let reserved = async || subject.usage().await.reserved_bytes;
    subject.store.reserve(space, id, 60, until).await.unwrap();
    assert_eq!(reserved().await, 60);
    let over = subject.store.reserve(space, subject.ids.next(), 41, until).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    let over = subject.store.reserve(space, id, 101, until).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    assert_eq!(reserved().await, 60, "a refused change changes nothing");
    subject.store.reserve(space, id, 90, until).await.unwrap();
    subject.store.reserve(space, id, 70, until).await.unwrap();
    assert_eq!(reserved().await, 70);
    let over = subject.commit(&subject.upload(subject.root(), "other", 31)).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "reserved bytes are nobody else's: {over:?}");

    let settled = Commit { reservation: Some(id), ..subject.upload(subject.root(), "a", 65) };
    subject.commit(&settled).await.unwrap();
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.reserved_bytes), (65, 0));

    let second: ReservationId = subject.ids.next();
    subject.store.reserve(space, second, 10, until).await.unwrap();
    let taken = Commit { reservation: Some(second), ..subject.upload(subject.root(), "a", 10) };
    subject.commit(&taken).await.unwrap_err();
    assert_eq!(reserved().await, 10, "a failed commit settles nothing");
    subject.store.release(second).await.unwrap();
    subject.store.release(second).await.unwrap();
    subject.store.release(id).await.unwrap();
    assert_eq!(reserved().await, 0);
    let unknown = subject.store.reserve(subject.ids.next(), subject.ids.next(), 1, until).await;
    assert!(matches!(unknown, Err(NodeError::NotFound)), "{unknown:?}");
}

pub async fn a_prolonged_reservation_lasts(subject: &FilesSubject) {
    let at = |seconds| subject.now() + Duration::from_secs(seconds);
    let (short, long): (ReservationId, ReservationId) = (subject.ids.next(), subject.ids.next());
    for id in [short, long] {
        subject.store.reserve(subject.space.id, id, 10, at(10)).await.unwrap();
    }
    let until = at(100);
    subject.store.prolong_reservation(long, until).await.unwrap();
    // never for less long, and nothing is made
    subject.store.prolong_reservation(long, at(20)).await.unwrap();
    subject.store.prolong_reservation(subject.ids.next(), until).await.unwrap();
    assert_eq!(subject.usage().await.reserved_bytes, 20);
    subject.clock.advance(Duration::from_secs(50));
    assert_eq!(subject.store.sweep_reservations(subject.now()).await.unwrap(), 1);
    assert_eq!(subject.usage().await.reserved_bytes, 10);
    subject.clock.advance(Duration::from_secs(51));
    assert_eq!(subject.store.sweep_reservations(subject.now()).await.unwrap(), 1);
    assert_eq!(subject.usage().await.reserved_bytes, 0);
}

pub async fn expired_reservations_are_swept(subject: &FilesSubject) {
    set_quota(subject, Some(100)).await;
    let space = subject.space.id;
    let ids: Vec<ReservationId> = (0..4).map(|_| subject.ids.next()).collect();
    for (n, id) in (1..).zip(&ids) {
        subject.store.reserve(space, *id, 10, subject.now() + Duration::from_secs(n)).await.unwrap();
    }
    subject.clock.advance(Duration::from_secs(3));
    assert_eq!(subject.store.sweep_reservations(subject.now()).await.unwrap(), 2);
    assert_eq!(subject.store.sweep_reservations(subject.now()).await.unwrap(), 0);
    assert_eq!(subject.usage().await.reserved_bytes, 20);
    // a commit whose reservation was swept is checked like any other
    set_quota(subject, Some(25)).await;
    let swept = |size| Commit { reservation: Some(ids[0]), ..subject.upload(subject.root(), "a", size) };
    let over = subject.commit(&swept(6)).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    subject.commit(&swept(5)).await.unwrap();
}

pub async fn of_fifty_uploads_ten_fit(subject: &FilesSubject) {
    set_quota(subject, Some(100)).await;
    let uploads = (0..50).map(|n| {
        let commit = subject.upload(subject.root(), &format!("file {n}"), 10);
        async move { subject.commit(&commit).await }
    });
    let results = futures_util::future::join_all(uploads).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    assert!(results.iter().all(|result| matches!(result, Ok(_) | Err(NodeError::OverQuota))));
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.node_count), (100, 10));
    assert_eq!(subject.names(subject.root()).await.len(), 10);
}

pub async fn of_fifty_reservations_ten_fit(subject: &FilesSubject) {
    set_quota(subject, Some(105)).await;
    let until = subject.now() + Duration::from_secs(3600);
    let tries = (0..50)
        .map(|_| async move { subject.store.reserve(subject.space.id, subject.ids.next(), 10, until).await });
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 10);
    assert_eq!(subject.usage().await.reserved_bytes, 100);
}

pub async fn a_lowered_quota_touches_nothing_stored(subject: &FilesSubject) {
    set_quota(subject, Some(100)).await;
    subject.file(subject.root(), "a", 50).await;
    let id: ReservationId = subject.ids.next();
    let until = subject.now() + Duration::from_secs(3600);
    subject.store.reserve(subject.space.id, id, 20, until).await.unwrap();
    set_quota(subject, Some(10)).await;
    let usage = subject.usage().await;
    assert_eq!((usage.used_bytes, usage.reserved_bytes, usage.quota_bytes), (50, 20, Some(10)));
    let over = subject.commit(&subject.upload(subject.root(), "b", 1)).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    // what was promised before stays promised
    subject.store.reserve(subject.space.id, id, 15, until).await.unwrap();
    let promised = Commit { reservation: Some(id), ..subject.upload(subject.root(), "c", 15) };
    subject.commit(&promised).await.unwrap();
    assert_eq!(subject.usage().await.used_bytes, 65);
}

async fn by_type(subject: &FilesSubject, at_most: u32) -> UsageByType {
    subject.store.usage_by_type(subject.space.id, at_most).await.unwrap()
}

fn amount(count: u64, bytes: u64) -> Amount {
    Amount { count, bytes }
}

pub async fn each_byte_of_a_space_is_of_one_type_or_a_version_or_trash(subject: &FilesSubject) {
    let empty = UsageByType { complete: true, ..UsageByType::default() };
    assert_eq!(by_type(subject, 10).await, empty);
    let folder = subject.folder(subject.root(), "a").await;
    let inner = subject.folder(folder.id, "b").await;
    let mut picture = subject.upload(inner.id, "p.png", 100);
    picture.content.mime = "image/png".to_owned();
    let picture = subject.commit(&picture).await.unwrap().node;
    // of another type now
    subject.commit(&subject.update(picture.id, 10, 5)).await.unwrap();
    subject.commit(&subject.update(picture.id, 1, 5)).await.unwrap();
    let mut other = subject.upload(folder.id, "q.png", 1_000);
    other.content.mime = "image/png".to_owned();
    subject.commit(&other).await.unwrap();
    subject.file(subject.root(), "empty", 0).await;
    let expected = |trash| UsageByType {
        types: [("image/png".to_owned(), amount(1, 1_000)), ("text/plain".to_owned(), amount(2, 1))].into(),
        versions: amount(2, 110),
        trash,
        complete: true,
    };
    assert_eq!(by_type(subject, 100).await, expected(amount(0, 0)));
    // a file by itself, one in a folder that is there by itself, one two folders below, with what it was before
    let thrown = subject.file(folder.id, "thrown", 7).await;
    subject.trash(thrown.id).await;
    let bin = subject.folder(subject.root(), "bin").await;
    let below = subject.folder(bin.id, "below").await;
    subject.file(bin.id, "x", 20).await;
    let deep = subject.file(below.id, "y", 300).await;
    subject.commit(&subject.update(deep.id, 4_000, 5)).await.unwrap();
    let earlier = subject.file(below.id, "thrown before", 50_000).await;
    subject.trash(earlier.id).await;
    subject.trash(bin.id).await;
    assert_eq!(by_type(subject, 100).await, expected(amount(5, 54_327)));
    let sum = 1_001 + 110 + 54_327;
    assert_eq!(subject.usage().await.used_bytes, sum);
    // what lies below a tombstone is nobody's, in the trash or not
    subject.delete(bin.id).await;
    assert_eq!(by_type(subject, 100).await, expected(amount(1, 7)));
    subject.delete(thrown.id).await;
    subject.delete(folder.id).await;
    let rest = by_type(subject, 100).await;
    assert_eq!(rest.types, [("text/plain".to_owned(), amount(1, 0))].into());
    assert_eq!((rest.versions, rest.trash, rest.complete), (amount(0, 0), amount(0, 0), true));
    subject.purged(bin.id).await;
    subject.purged(folder.id).await;
    assert_eq!(by_type(subject, 100).await, rest);
    let unknown = subject.store.usage_by_type(subject.ids.next(), 100).await.unwrap();
    assert_eq!(unknown, empty);
}

pub async fn a_usage_by_type_looks_at_so_much_and_no_more(subject: &FilesSubject) {
    for number in 0..6 {
        subject.file(subject.root(), &number.to_string(), 1).await;
    }
    let seen = |usage: &UsageByType| usage.types.values().map(|amount| amount.count).sum::<u64>();
    let all = by_type(subject, 6).await;
    assert_eq!((seen(&all), all.complete), (6, true));
    let some = by_type(subject, 4).await;
    assert!(!some.complete);
    assert!((4..6).contains(&seen(&some)), "{some:?}");
}
