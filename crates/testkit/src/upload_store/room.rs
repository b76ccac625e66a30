use common::files::{NodeError, Saved, Taken, Upload, UploadRole, UploadState, Uploader};
use common::{Clock as _, ReservationId, SpaceId, Timestamp, UploadId};
use futures_util::future::{join, join_all};

use super::{KEPT, LEASE, Subject};

impl Subject {
    async fn space(&self, quota_bytes: u64) -> SpaceId {
        let fresh = (self.ids.next(), self.ids.next());
        let made = self.files.ensure_space(self.ids.next(), fresh, Some(quota_bytes), self.clock.now()).await;
        made.unwrap().id
    }

    async fn reserved(&self, space: SpaceId) -> u64 {
        self.files.usage(space).await.unwrap().reserved_bytes
    }

    fn later(&self) -> Timestamp {
        self.clock.now() + LEASE * 100
    }

    /// An upload with so many bytes set aside for it.
    async fn with_room(&self, space: SpaceId, bytes: u64, change: impl FnOnce(&mut Upload)) -> Upload {
        let reservation: ReservationId = self.ids.next();
        self.files.reserve(space, reservation, bytes, self.later()).await.unwrap();
        self.insert(|upload| {
            upload.space = space;
            upload.reservation = Some(reservation);
            change(upload);
        })
        .await
    }
}

/// Without a reservation it is only kept.
pub async fn a_new_upload_is_kept_with_its_room_or_not_at_all(subject: &Subject) {
    let space = subject.space(100).await;
    let new = Upload { space, reservation: Some(subject.ids.next()), ..subject.upload() };
    let over = subject.store.insert_upload_with_room(&new, 101, subject.later()).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    assert_eq!((subject.find(new.id).await, subject.reserved(space).await), (None, 0));
    subject.store.insert_upload_with_room(&new, 60, subject.later()).await.unwrap();
    assert_eq!((subject.find(new.id).await.as_ref(), subject.reserved(space).await), (Some(&new), 60));
    let empty = Upload { space, reservation: Some(subject.ids.next()), ..subject.upload() };
    subject.store.insert_upload_with_room(&empty, 0, subject.later()).await.unwrap();
    let bare = subject.upload();
    subject.store.insert_upload_with_room(&bare, 7, subject.later()).await.unwrap();
    for kept in [empty, bare] {
        assert_eq!(subject.find(kept.id).await, Some(kept));
    }
    // and it is the upload's
    let held = subject.take(new.id).await;
    assert!(subject.store.remove_upload(held.id, held.generation).await.unwrap());
    assert_eq!(subject.reserved(space).await, 0);
}

/// Also when it is less, under a quota that was lowered.
pub async fn a_length_is_kept_with_its_room_or_not_at_all(subject: &Subject) {
    let space = subject.space(100).await;
    let upload = subject.with_room(space, 0, |_| {}).await;
    let mut held = subject.take(upload.id).await;
    let unsaid = held.clone();
    held.length = Some(101);
    let over = subject.store.save_upload_with_room(&held, &[], 101, subject.later()).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    assert_eq!((subject.find(held.id).await.as_ref(), subject.reserved(space).await), (Some(&unsaid), 0));
    held.length = Some(60);
    for _ in 0..2 {
        let saved = subject.store.save_upload_with_room(&held, &[], 60, subject.later()).await;
        assert_eq!(saved.unwrap(), KEPT);
        assert_eq!((subject.find(held.id).await.as_ref(), subject.reserved(space).await), (Some(&held), 60));
    }
    subject.files.set_quota(space, Some(10)).await.unwrap();
    held.length = None;
    let saved = subject.store.save_upload_with_room(&held, &[], 20, subject.later()).await;
    assert_eq!(saved.unwrap(), KEPT);
    assert_eq!((subject.find(held.id).await.as_ref(), subject.reserved(space).await), (Some(&held), 20));
    // that somebody else wants it is told as well
    let now = subject.clock.now();
    assert_eq!(subject.other.take_upload(held.id, now, now + LEASE).await.unwrap(), Taken::Busy);
    let saved = subject.store.save_upload_with_room(&held, &[], 5, subject.later()).await;
    assert_eq!((saved.unwrap(), subject.reserved(space).await), (Saved::Kept { wanted: true }, 5));
    // without a quota nothing is set aside
    let bare = subject.insert(|_| {}).await;
    let mut bare = subject.take(bare.id).await;
    bare.length = Some(7);
    let saved = subject.store.save_upload_with_room(&bare, &[], 7, subject.later()).await;
    assert_eq!((saved.unwrap(), subject.find(bare.id).await), (KEPT, Some(bare)));
}

/// One commit: nobody else gets room that they give back, and none changes hands with a whole that does not know of it.
pub async fn merged_room_is_the_wholes_or_stays_the_parts(subject: &Subject) {
    let space = subject.space(100).await;
    let reserve = async |bytes: u64| {
        let id: ReservationId = subject.ids.next();
        subject.files.reserve(space, id, bytes, subject.later()).await.map(|()| id)
    };
    let whole = subject.insert(|upload| upload.space = space).await;
    let mut whole = subject.take(whole.id).await;
    whole.reservation = Some(subject.ids.next());
    let save = async |whole: &Upload, merged: &[ReservationId], bytes: u64| {
        subject.store.save_upload_with_room(whole, merged, bytes, subject.later()).await
    };
    let parts = [reserve(30).await.unwrap(), reserve(30).await.unwrap()];
    let other = reserve(40).await.unwrap();
    // whoever looks for room meanwhile finds none; one of the parts stands there twice
    let merged = [parts[0], parts[1], parts[0]];
    let others = join_all((0..20).map(|_| reserve(1)));
    let (done, others) = join(save(&whole, &merged, 60), others).await;
    assert_eq!(done.unwrap(), KEPT);
    assert!(others.iter().all(|other| matches!(other, Err(NodeError::OverQuota))), "{others:?}");
    assert_eq!(save(&whole, &merged, 60).await.unwrap(), KEPT);
    assert_eq!((subject.find(whole.id).await.as_ref(), subject.reserved(space).await), (Some(&whole), 100));
    subject.files.release(parts[0]).await.unwrap();
    assert_eq!(subject.reserved(space).await, 100, "the parts hold nothing any more");

    // what does not fit changes nothing
    subject.files.release(other).await.unwrap();
    let part = reserve(10).await.unwrap();
    let larger = Upload { length: Some(101), ..whole.clone() };
    let over = save(&larger, &[part], 101).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    assert_eq!((subject.find(whole.id).await.as_ref(), subject.reserved(space).await), (Some(&whole), 70));
    // and what takes no more than was held is always possible
    subject.files.set_quota(space, Some(10)).await.unwrap();
    assert_eq!(save(&whole, &[part], 70).await.unwrap(), KEPT);
    assert_eq!(subject.reserved(space).await, 70);

    // what was held in another space goes back there, and makes no room here
    let elsewhere = subject.space(100).await;
    let theirs: ReservationId = subject.ids.next();
    subject.files.reserve(elsewhere, theirs, 50, subject.later()).await.unwrap();
    let over = save(&whole, &[theirs], 71).await;
    assert!(matches!(over, Err(NodeError::OverQuota)), "{over:?}");
    subject.files.set_quota(space, Some(100)).await.unwrap();
    assert_eq!(save(&whole, &[theirs], 71).await.unwrap(), KEPT);
    assert_eq!((subject.reserved(space).await, subject.reserved(elsewhere).await), (71, 0));

    // who has lost the whole takes nothing from its parts
    let part = reserve(20).await.unwrap();
    let later = subject.clock.now() + LEASE * 2;
    assert!(matches!(
        subject.other.take_upload(whole.id, later, later + LEASE).await.unwrap(),
        Taken::Held(_)
    ));
    assert_eq!(save(&whole, &[part], 91).await.unwrap(), Saved::Lost);
    subject.files.release(part).await.unwrap();
    assert_eq!(subject.reserved(space).await, 71);
}

/// Nor does it give back what is somebody else's now.
pub async fn who_has_lost_an_upload_sets_nothing_aside(subject: &Subject) {
    let space = subject.space(100).await;
    let upload = subject.with_room(space, 10, |_| {}).await;
    let slow = subject.take(upload.id).await;
    let later = subject.clock.now() + LEASE * 2;
    let Taken::Held(held) = subject.other.take_upload(upload.id, later, later + LEASE).await.unwrap() else {
        panic!("it is not free")
    };
    for bytes in [0, 50] {
        let saved = subject.store.save_upload_with_room(&slow, &[], bytes, subject.later()).await;
        assert_eq!((saved.unwrap(), subject.reserved(space).await), (Saved::Lost, 10));
    }
    // of what is gone nothing comes back
    assert!(subject.store.remove_upload(held.id, held.generation).await.unwrap());
    let saved = subject.store.save_upload_with_room(&held, &[], 50, subject.later()).await;
    assert_eq!((saved.unwrap(), subject.reserved(space).await), (Saved::Lost, 0));
}

/// In one commit, and whoever lost it gives nothing back.
pub async fn a_removed_upload_gives_its_room_back(subject: &Subject) {
    let space = subject.space(100).await;
    let upload = subject.with_room(space, 30, |_| {}).await;
    let kept = subject.with_room(space, 40, |_| {}).await;
    let held = subject.take(upload.id).await;
    assert!(!subject.store.remove_upload(upload.id, upload.generation).await.unwrap());
    assert_eq!(subject.reserved(space).await, 70);
    assert!(subject.store.remove_upload(held.id, held.generation).await.unwrap());
    assert!(!subject.store.remove_upload(held.id, held.generation).await.unwrap());
    assert_eq!(subject.reserved(space).await, 40);
    assert_eq!(subject.find(kept.id).await, Some(kept));
}

/// Whoever holds one, and with what is set aside for them.
pub async fn parts_go_with_the_commit_that_says_what_they_became(subject: &Subject) {
    let space = subject.space(100).await;
    let elsewhere = subject.space(100).await;
    let is_part = |upload: &mut Upload| {
        upload.role = UploadRole::Part;
        upload.state = UploadState::Complete;
        upload.blob.state = "some state".to_owned();
    };
    let one = subject.with_room(space, 10, is_part).await;
    let two = subject.with_room(elsewhere, 20, is_part).await;
    let held = subject.take(two.id).await;
    let other = subject.with_room(space, 30, is_part).await;
    // what is no part stays, whoever names it
    let whole = subject.insert(|_| {}).await;
    let unknown: UploadId = subject.ids.next();
    let named = UploadRole::Final(vec![one.id, two.id, unknown, whole.id]);
    let joined = subject.with_room(space, 5, |upload| upload.role = named).await;
    let slow = subject.take(joined.id).await;
    let later = subject.clock.now() + LEASE * 2;
    let Taken::Held(mut joined) = subject.other.take_upload(joined.id, later, later + LEASE).await.unwrap()
    else {
        panic!("it is not free")
    };
    assert_eq!(subject.store.save_upload_without_parts(&slow).await.unwrap(), (Saved::Lost, Vec::new()));
    assert_eq!((subject.reserved(space).await, subject.reserved(elsewhere).await), (45, 20));
    joined.state = UploadState::Done(joined.file);
    joined.lease = None;
    let (saved, mut parts) = subject.store.save_upload_without_parts(&joined).await.unwrap();
    parts.sort_unstable_by_key(|part| part.id);
    assert_eq!((saved, parts), (KEPT, vec![one.clone(), held.clone()]));
    assert_eq!((subject.reserved(space).await, subject.reserved(elsewhere).await), (35, 0));
    assert_eq!(subject.store.save_upload_without_parts(&joined).await.unwrap(), (KEPT, Vec::new()));
    for part in [&one, &two] {
        assert_eq!(subject.find(part.id).await, None);
    }
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), Saved::Lost);
    // and it still says what it was made of
    assert_eq!(subject.find(joined.id).await, Some(*joined));
    for kept in [other, whole] {
        assert_eq!(subject.find(kept.id).await, Some(kept));
    }
}

/// It is expired to everybody, and what whoever held it says does not count.
pub async fn an_upload_that_was_cut_off_is_held_by_nobody(subject: &Subject) {
    let link = subject.ids.next();
    let by_link = |upload: &mut Upload| upload.link = Some(link);
    let held = subject.insert(by_link).await;
    let held = subject.take(held.id).await;
    let free = subject.insert(by_link).await;
    let done = subject
        .insert(|upload| {
            upload.link = Some(link);
            upload.state = UploadState::Done(upload.file);
        })
        .await;
    let of_another = subject.insert(|upload| upload.link = Some(subject.ids.next())).await;
    let own = subject.insert(|_| {}).await;
    assert_eq!(subject.store.cut_off_uploads(Uploader::Link(link)).await.unwrap(), 2);
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), Saved::Lost);
    let expired = subject.store.list_expired_uploads(subject.clock.now(), 10).await.unwrap();
    let mut ids: Vec<_> = expired.iter().map(|upload| upload.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [held.id, free.id]);
    assert!(expired.iter().all(|upload| upload.is_cut_off() && upload.lease.is_none()));
    for kept in [done, of_another, own] {
        assert_eq!(subject.find(kept.id).await, Some(kept));
    }
    // nobody has to wait for a lease
    let taken = subject.take(held.id).await;
    assert!(subject.store.remove_upload(taken.id, taken.generation).await.unwrap());
    assert_eq!(subject.store.cut_off_uploads(Uploader::Link(link)).await.unwrap(), 1);
    assert_eq!(subject.store.cut_off_uploads(Uploader::Link(subject.ids.next())).await.unwrap(), 0);
    assert_eq!(subject.store.cut_off_uploads(Uploader::User(subject.user)).await.unwrap(), 1);
}
