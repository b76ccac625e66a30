//! The contract of [`common::files::UploadStore`], which every adapter runs.

mod room;

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use common::files::{
    FileStore, OnConflict, PartialBlob, Saved, Taken, Upload, UploadRole, UploadState, UploadStore, Uploader,
};
use common::{Clock as _, IdGen as _, Sha256, Timestamp, UploadId, UserId};
use futures_util::future::join_all;

use crate::file_store::named;
use crate::{TestClock, TestIds};

pub use room::*;

/// An empty store.
pub struct Subject {
    /// The store.
    pub store: Arc<dyn UploadStore>,
    /// The same store through another client, where there can be one.
    pub other: Arc<dyn UploadStore>,
    /// Where the room for uploads is.
    files: Arc<dyn FileStore>,
    ids: TestIds,
    clock: TestClock,
    user: UserId,
    _keep: Box<dyn Any + Send + Sync>,
}

/// Makes one test of each rule. The argument is an async function that gives a [`Subject`] over an empty store.
#[macro_export]
macro_rules! upload_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            upload_store,
            [
                an_upload_comes_back_as_it_went,
                every_change_of_a_holder_is_kept,
                only_the_last_holder_counts,
                a_lease_keeps_others_out_until_it_ends,
                of_many_who_take_an_upload_one_gets_it,
                a_removed_upload_is_gone,
                users_see_their_own_unfinished_uploads,
                owners_see_what_others_upload_into_their_space,
                what_comes_by_a_link_is_that_links,
                unfinished_uploads_of_all_are_walked_through,
                expired_uploads_are_listed,
                bytes_of_unfinished_uploads_are_known,
                finals_are_found_by_their_parts,
                a_new_upload_is_kept_with_its_room_or_not_at_all,
                a_length_is_kept_with_its_room_or_not_at_all,
                merged_room_is_the_wholes_or_stays_the_parts,
                who_has_lost_an_upload_sets_nothing_aside,
                a_removed_upload_gives_its_room_back,
                parts_go_with_the_commit_that_says_what_they_became,
                an_upload_that_was_cut_off_is_held_by_nobody,
            ]
        );
    };
}

const LEASE: Duration = Duration::from_secs(15);

impl Subject {
    /// A subject over an empty store and another view of it.
    pub fn new<S: UploadStore + FileStore + 'static>(
        store: Arc<S>,
        other: Arc<S>,
        keep: impl Any + Send + Sync,
    ) -> Self {
        let ids = TestIds::new();
        let user = ids.next();
        let files = Arc::<S>::clone(&store);
        Self { store, other, files, ids, clock: TestClock::default(), user, _keep: Box::new(keep) }
    }

    fn upload(&self) -> Upload {
        let now = self.clock.now();
        Upload {
            id: self.ids.next(),
            owner: self.user,
            link: None,
            space: self.ids.next(),
            parent: self.ids.next(),
            name: None,
            on_conflict: OnConflict::Fail,
            modified_at: None,
            metadata: None,
            role: UploadRole::Whole,
            length: None,
            digest: None,
            blob: PartialBlob::new(self.ids.blob_key()),
            file: self.ids.next(),
            state: UploadState::Open,
            reservation: None,
            created_at: now,
            expires_at: now + LEASE * 100,
            generation: 0,
            lease: None,
        }
    }

    async fn insert(&self, change: impl FnOnce(&mut Upload)) -> Upload {
        let mut upload = self.upload();
        change(&mut upload);
        self.store.insert_upload(&upload).await.unwrap();
        upload
    }

    async fn take(&self, id: UploadId) -> Upload {
        match self.store.take_upload(id, self.clock.now(), self.clock.now() + LEASE).await.unwrap() {
            Taken::Held(upload) => *upload,
            other => panic!("{other:?}"),
        }
    }

    async fn find(&self, id: UploadId) -> Option<Upload> {
        let found = self.store.find_upload(id).await.unwrap();
        assert_eq!(self.other.find_upload(id).await.unwrap(), found);
        found
    }
}

const KEPT: Saved = Saved::Kept { wanted: false };

/// With everything that it may have, and with nothing.
pub async fn an_upload_comes_back_as_it_went(subject: &Subject) {
    let bare = subject.insert(|_| {}).await;
    let full = subject
        .insert(|upload| {
            upload.name = Some(named("ä b.txt"));
            upload.on_conflict = OnConflict::Replace;
            upload.modified_at = Some(Timestamp::from_millis(-5));
            upload.metadata = Some("filename w6Q=,empty".to_owned());
            upload.role = UploadRole::Final(vec![bare.id, subject.ids.next(), bare.id]);
            upload.length = Some(1 << 40);
            upload.digest = Some(Sha256::of(b"x"));
            upload.blob.size = 77;
            upload.blob.state = "some state".to_owned();
            upload.state = UploadState::Done(subject.ids.next());
            upload.reservation = Some(subject.ids.next());
            upload.link = Some(subject.ids.next());
            upload.generation = 3;
            upload.lease = Some(subject.clock.now());
        })
        .await;
    let part = subject.insert(|upload| upload.role = UploadRole::Part).await;
    for upload in [bare, full, part] {
        assert_eq!(subject.find(upload.id).await, Some(upload));
    }
    assert_eq!(subject.find(subject.ids.next()).await, None);
}

/// And nothing else changes.
pub async fn every_change_of_a_holder_is_kept(subject: &Subject) {
    let upload = subject.insert(|upload| upload.role = UploadRole::Part).await;
    let mut held = subject.take(upload.id).await;
    let expected = Upload { generation: 1, lease: Some(subject.clock.now() + LEASE), ..upload };
    assert_eq!(held, expected);
    held.parent = subject.ids.next();
    held.name = Some(named("new"));
    held.on_conflict = OnConflict::Rename;
    held.modified_at = Some(subject.clock.now());
    held.metadata = Some("a".to_owned());
    held.length = Some(9);
    held.digest = Some(Sha256::of(b"9"));
    held.blob.size = 9;
    held.blob.state = "s".to_owned();
    held.reservation = Some(subject.ids.next());
    held.expires_at = subject.clock.now() + LEASE * 200;
    held.lease = Some(subject.clock.now() + LEASE * 2);
    for state in [UploadState::Complete, UploadState::Done(subject.ids.next()), UploadState::Open] {
        held.state = state;
        assert_eq!(subject.store.save_upload(&held).await.unwrap(), KEPT);
        assert_eq!(subject.store.save_upload(&held).await.unwrap(), KEPT);
        assert_eq!(subject.find(held.id).await.as_ref(), Some(&held));
    }
    held.lease = None;
    held.length = None;
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), KEPT);
    assert_eq!(subject.find(held.id).await, Some(held));
}

/// What an older one says has no effect.
pub async fn only_the_last_holder_counts(subject: &Subject) {
    let id = subject.insert(|_| {}).await.id;
    let mut first = subject.take(id).await;
    subject.clock.advance(LEASE + Duration::from_millis(1));
    let second = subject.take(id).await;
    assert_eq!((first.generation, second.generation), (1, 2));
    first.blob.size = 5;
    assert_eq!(subject.store.save_upload(&first).await.unwrap(), Saved::Lost);
    assert!(!subject.store.remove_upload(id, first.generation).await.unwrap());
    assert_eq!(subject.find(id).await, Some(second));
}

/// And tells the holder that it is wanted.
pub async fn a_lease_keeps_others_out_until_it_ends(subject: &Subject) {
    let id = subject.insert(|_| {}).await.id;
    let mut held = subject.take(id).await;
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), KEPT);
    let (now, until) = (subject.clock.now(), subject.clock.now() + LEASE);
    assert_eq!(subject.other.take_upload(id, now, until).await.unwrap(), Taken::Busy);
    assert_eq!(subject.find(id).await.as_ref(), Some(&held));
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), Saved::Kept { wanted: true });
    held.lease = None;
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), Saved::Kept { wanted: true });
    let again = subject.take(id).await;
    assert_eq!(subject.store.save_upload(&again).await.unwrap(), KEPT);
    assert_eq!(subject.store.take_upload(subject.ids.next(), now, until).await.unwrap(), Taken::Gone);
}

/// Through whichever client.
pub async fn of_many_who_take_an_upload_one_gets_it(subject: &Subject) {
    let id = subject.insert(|_| {}).await.id;
    let (now, until) = (subject.clock.now(), subject.clock.now() + LEASE);
    let takers = (0..10).map(|number| {
        let store = if number % 2 == 0 { &subject.store } else { &subject.other };
        store.take_upload(id, now, until)
    });
    let taken = join_all(takers).await.into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(taken.iter().filter(|taken| matches!(taken, Taken::Held(_))).count(), 1, "{taken:?}");
    assert_eq!(subject.find(id).await.unwrap().generation, 1);
}

/// For every call.
pub async fn a_removed_upload_is_gone(subject: &Subject) {
    let part: UploadId = subject.ids.next();
    let id = subject.insert(|upload| upload.role = UploadRole::Final(vec![part])).await.id;
    let held = subject.take(id).await;
    assert!(subject.store.remove_upload(id, held.generation).await.unwrap());
    assert!(!subject.store.remove_upload(id, held.generation).await.unwrap());
    assert_eq!(subject.find(id).await, None);
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), Saved::Lost);
    let now = subject.clock.now() + LEASE * 2;
    assert_eq!(subject.store.take_upload(id, now, now).await.unwrap(), Taken::Gone);
    assert_eq!(subject.store.finals_of_part(part).await.unwrap(), []);
}

/// Newest first, in pages.
pub async fn users_see_their_own_unfinished_uploads(subject: &Subject) {
    let mut own = Vec::new();
    for number in 0..7 {
        let upload = subject
            .insert(|upload| {
                if number == 3 {
                    upload.state = UploadState::Done(upload.file);
                }
            })
            .await;
        if number != 3 {
            own.push(upload.id);
        }
        subject.insert(|upload| upload.owner = subject.ids.next()).await;
    }
    own.reverse();
    let mut found: Vec<UploadId> = Vec::new();
    loop {
        let of = Uploader::User(subject.user);
        let page = subject.store.list_uploads(of, found.last().copied(), 4).await.unwrap();
        found.extend(page.iter().map(|upload| upload.id));
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(found, own);
    assert_eq!(subject.store.count_uploads(Uploader::User(subject.user)).await.unwrap(), own.len() as u64);
}

/// Newest first, in pages, without their own.
pub async fn owners_see_what_others_upload_into_their_space(subject: &Subject) {
    let (space, owner) = (subject.ids.next(), subject.ids.next());
    let mut theirs = Vec::new();
    for number in 0..7 {
        let upload = subject
            .insert(|upload| {
                upload.space = space;
                match number {
                    2 => upload.owner = owner,
                    3 => upload.state = UploadState::Done(upload.file),
                    4 => upload.state = UploadState::Complete,
                    _ => {}
                }
            })
            .await;
        if number != 2 && number != 3 {
            theirs.push(upload.id);
        }
        // into another space
        subject.insert(|_| {}).await;
    }
    theirs.reverse();
    let mut found: Vec<UploadId> = Vec::new();
    loop {
        let before = found.last().copied();
        let page = subject.store.list_uploads_into(space, owner, before, 2).await.unwrap();
        found.extend(page.iter().map(|upload| upload.id));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, theirs);
    assert_eq!(subject.store.count_uploads_into(space, owner).await.unwrap(), theirs.len() as u64);
    assert_eq!(subject.store.count_uploads_into(subject.ids.next(), owner).await.unwrap(), 0);
    assert_eq!(subject.store.list_uploads_into(space, owner, None, 0).await.unwrap(), []);
}

/// And not its maker's, who sees it where it goes to; newest first, in pages.
pub async fn what_comes_by_a_link_is_that_links(subject: &Subject) {
    let (link, other, space) = (subject.ids.next(), subject.ids.next(), subject.ids.next());
    let mut by_link = Vec::new();
    let mut into = Vec::new();
    for number in 0..8 {
        let upload = subject
            .insert(|upload| {
                upload.space = space;
                upload.link = match number {
                    0 => None,
                    1 => Some(other),
                    _ => Some(link),
                };
                match number {
                    2 => upload.state = UploadState::Done(upload.file),
                    3 => upload.state = UploadState::Complete,
                    _ => {}
                }
            })
            .await;
        if number > 2 {
            by_link.push(upload.id);
        }
        if number == 1 || number > 2 {
            into.push(upload.id);
        }
    }
    by_link.reverse();
    into.reverse();
    let of = Uploader::Link(link);
    let mut found: Vec<UploadId> = Vec::new();
    loop {
        let page = subject.other.list_uploads(of, found.last().copied(), 2).await.unwrap();
        assert!(page.iter().all(|upload| upload.uploader() == of && upload.owner == subject.user));
        found.extend(page.iter().map(|upload| upload.id));
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, by_link);
    assert_eq!(subject.store.count_uploads(of).await.unwrap(), by_link.len() as u64);
    assert_eq!(subject.store.count_uploads(Uploader::Link(subject.ids.next())).await.unwrap(), 0);
    let own = Uploader::User(subject.user);
    assert_eq!(subject.store.count_uploads(own).await.unwrap(), 1);
    assert_eq!(subject.store.list_uploads(own, None, 10).await.unwrap().len(), 1);
    // into one's own space what comes by one's own link is not one's own
    let seen = subject.store.list_uploads_into(space, subject.user, None, 10).await.unwrap();
    assert_eq!(seen.iter().map(|upload| upload.id).collect::<Vec<_>>(), into);
    assert_eq!(subject.store.count_uploads_into(space, subject.user).await.unwrap(), into.len() as u64);
    // a holder changes nothing of that
    let mut held = subject.take(found[0]).await;
    held.blob.size = 3;
    assert_eq!(subject.store.save_upload(&held).await.unwrap(), KEPT);
    assert_eq!(subject.find(held.id).await.and_then(|upload| upload.link), Some(link));
}

/// By their ids, in pages, parts included.
pub async fn unfinished_uploads_of_all_are_walked_through(subject: &Subject) {
    let mut expected = Vec::new();
    for number in 0..6 {
        let upload = subject
            .insert(|upload| {
                upload.owner = subject.ids.next();
                match number {
                    1 => upload.state = UploadState::Done(upload.file),
                    2 => upload.role = UploadRole::Part,
                    3 => upload.role = UploadRole::Final(vec![subject.ids.next(), subject.ids.next()]),
                    _ => {}
                }
            })
            .await;
        if number != 1 {
            expected.push(upload);
        }
    }
    expected.sort_unstable_by_key(|upload| upload.id);
    let mut found: Vec<Upload> = Vec::new();
    loop {
        let after = found.last().map(|upload| upload.id);
        let page = subject.store.list_unfinished_uploads(after, 2).await.unwrap();
        found.extend(page.iter().cloned());
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(found, expected);
}

/// Whatever their state, the oldest first.
pub async fn expired_uploads_are_listed(subject: &Subject) {
    let now = subject.clock.now();
    let mut ids = Vec::new();
    for seconds in [30, 10, 20, 40] {
        let upload = subject
            .insert(|upload| {
                upload.expires_at = now + Duration::from_secs(seconds);
                if seconds == 20 {
                    upload.state = UploadState::Done(upload.file);
                }
            })
            .await;
        ids.push(upload.id);
    }
    let expired = async |seconds, limit| {
        let found = subject.store.list_expired_uploads(now + Duration::from_secs(seconds), limit).await;
        found.unwrap().into_iter().map(|upload| upload.id).collect::<Vec<_>>()
    };
    assert_eq!(expired(10, 10).await, []);
    assert_eq!(expired(31, 10).await, [ids[1], ids[2], ids[0]]);
    assert_eq!(expired(31, 2).await, [ids[1], ids[2]]);
}

/// Others are not.
pub async fn bytes_of_unfinished_uploads_are_known(subject: &Subject) {
    let open = subject.insert(|_| {}).await.blob.key;
    let complete = subject.insert(|upload| upload.state = UploadState::Complete).await.blob.key;
    let done = subject.insert(|upload| upload.state = UploadState::Done(upload.file)).await.blob.key;
    let mut asked = vec![open, done, complete];
    asked.extend((0..1200).map(|_| subject.ids.blob_key()));
    let known: HashSet<_> = subject.store.known_uploads(&asked).await.unwrap().into_iter().collect();
    assert_eq!(known, HashSet::from([open, complete]));
    assert_eq!(subject.store.known_uploads(&[]).await.unwrap(), []);
}

/// While they wait.
pub async fn finals_are_found_by_their_parts(subject: &Subject) {
    let (one, two): (UploadId, UploadId) = (subject.ids.next(), subject.ids.next());
    let first = subject.insert(|upload| upload.role = UploadRole::Final(vec![one, two, one])).await.id;
    let second = subject.insert(|upload| upload.role = UploadRole::Final(vec![two])).await.id;
    let done = |upload: &mut Upload| {
        upload.role = UploadRole::Final(vec![one]);
        upload.state = UploadState::Done(upload.file);
    };
    subject.insert(done).await;
    assert_eq!(subject.store.finals_of_part(one).await.unwrap(), [first]);
    let mut both = subject.store.finals_of_part(two).await.unwrap();
    both.sort_unstable();
    assert_eq!(both, [first, second]);
    assert_eq!(subject.store.finals_of_part(first).await.unwrap(), []);
}
