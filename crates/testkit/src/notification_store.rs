//! What every [`NotificationStore`] promises.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::notifications::{
    MAX_NOTIFICATIONS, NewNotification, Notification, NotificationPage, NotificationStore, ReadMark,
};
use common::{Clock as _, Timestamp, UserId};
use futures_util::future::join_all;
use serde_json::json;

use crate::{TestClock, TestIds};

const SECOND: Duration = Duration::from_secs(1);

/// A fresh store.
pub struct NotificationsSubject {
    /// The store.
    pub store: Arc<dyn NotificationStore>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl NotificationsSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new(store: Arc<dyn NotificationStore>, keep: impl Any + Send + Sync) -> Self {
        Self { store, ids: TestIds::new(), clock: TestClock::default(), _keep: Box::new(keep) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn news(&self, user: UserId) -> NewNotification {
        NewNotification {
            id: self.ids.next(),
            user,
            kind: "job.failed".to_owned(),
            text: "“ä” could not be done".to_owned(),
            data: json!({ "jobId": "x", "of": [1, null] }),
        }
    }

    async fn page(&self, user: UserId) -> NotificationPage {
        self.store.list_notifications(user, false, None, 100).await.unwrap()
    }
}

fn unread(news: NewNotification, at: Timestamp) -> Notification {
    Notification { news, created_at: at, read_at: None }
}

pub async fn a_notification_is_kept_once_and_for_its_user(subject: &NotificationsSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    assert_eq!(subject.page(ann).await, NotificationPage::default());
    let (one, other) = (subject.news(ann), subject.news(bob));
    let at = subject.now();
    let new = subject.store.notify(&[one.clone(), other.clone(), one.clone()], at).await.unwrap();
    assert_eq!(new, [one.id, other.id]);
    subject.clock.advance(SECOND);
    let changed = NewNotification { text: "another".to_owned(), ..one.clone() };
    assert_eq!(subject.store.notify(&[changed], subject.now()).await.unwrap(), []);
    let expected = NotificationPage { items: vec![unread(one, at)], more: false, unread: 1 };
    assert_eq!(subject.page(ann).await, expected);
    assert_eq!(subject.page(bob).await.items, [unread(other, at)]);
}

pub async fn of_simultaneous_notifications_one_is_new(subject: &NotificationsSubject) {
    let news = [subject.news(subject.ids.next())];
    let told = join_all((0..8).map(|_| subject.store.notify(&news, subject.now()))).await;
    let new: usize = told.into_iter().map(|new| new.unwrap().len()).sum();
    assert_eq!(new, 1);
}

pub async fn notifications_are_listed_newest_first(subject: &NotificationsSubject) {
    let user = subject.ids.next();
    let mut all = Vec::new();
    for n in 0..7 {
        let news = subject.news(user);
        subject.store.notify(std::slice::from_ref(&news), subject.now()).await.unwrap();
        all.push(unread(news, subject.now()));
        // two of each time
        if n % 2 == 1 {
            subject.clock.advance(SECOND);
        }
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.place()));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = subject.store.list_notifications(user, false, after, 3).await.unwrap();
        assert_eq!(page.unread, 7);
        after = page.items.last().map(Notification::place);
        seen.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, all);
}

pub async fn what_was_read_is_no_longer_unread(subject: &NotificationsSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let early = subject.now();
    let (one, two, foreign) = (subject.news(ann), subject.news(ann), subject.news(bob));
    subject.store.notify(&[one.clone(), two.clone(), foreign.clone()], early).await.unwrap();
    subject.clock.advance(SECOND);
    let late = subject.now();
    let three = subject.news(ann);
    subject.store.notify(std::slice::from_ref(&three), late).await.unwrap();
    let store = &subject.store;
    let ids = ReadMark::Ids(vec![one.id, foreign.id, subject.ids.next()]);
    assert_eq!(store.mark_read(ann, &ids, late).await.unwrap(), 2);
    assert_eq!(subject.page(bob).await.unread, 1);
    let unread_ones = async || {
        let page = store.list_notifications(ann, true, None, 10).await.unwrap();
        page.items.into_iter().map(|one| one.news.id).collect::<Vec<_>>()
    };
    assert_eq!(unread_ones().await, [three.id, two.id]);
    subject.clock.advance(SECOND);
    assert_eq!(store.mark_read(ann, &ReadMark::UpTo(early), subject.now()).await.unwrap(), 1);
    assert_eq!(unread_ones().await, [three.id]);
    // what was read before stays read since then
    let page = subject.page(ann).await;
    let read_at = |id| page.items.iter().find(|one| one.news.id == id).unwrap().read_at;
    assert_eq!(
        (read_at(one.id), read_at(two.id), read_at(three.id)),
        (Some(late), Some(subject.now()), None)
    );
    assert_eq!(store.mark_read(ann, &ReadMark::UpTo(subject.now()), subject.now()).await.unwrap(), 0);
    assert_eq!(store.mark_read(ann, &ReadMark::Ids(Vec::new()), subject.now()).await.unwrap(), 0);
}

pub async fn a_user_has_only_so_many(subject: &NotificationsSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let other = subject.news(bob);
    subject.store.notify(&[other], subject.now()).await.unwrap();
    let most = MAX_NOTIFICATIONS as usize;
    let news: Vec<_> = (0..most).map(|_| subject.news(ann)).collect();
    subject.store.notify(&news, subject.now()).await.unwrap();
    subject.clock.advance(SECOND);
    let newer: Vec<_> = (0..3).map(|_| subject.news(ann)).collect();
    subject.store.notify(&newer, subject.now()).await.unwrap();
    let all = subject.store.list_notifications(ann, false, None, MAX_NOTIFICATIONS + 10).await.unwrap();
    assert_eq!((all.items.len(), all.unread), (most, u64::from(MAX_NOTIFICATIONS)));
    assert!(all.items[..3].iter().all(|one| newer.contains(&one.news)));
    assert_eq!(subject.page(bob).await.unread, 1);
}

pub async fn old_notifications_are_forgotten_in_steps(subject: &NotificationsSubject) {
    let user = subject.ids.next();
    let old: Vec<_> = (0..5).map(|_| subject.news(user)).collect();
    subject.store.notify(&old, subject.now()).await.unwrap();
    subject.clock.advance(SECOND);
    let new = subject.news(user);
    subject.store.notify(std::slice::from_ref(&new), subject.now()).await.unwrap();
    let forget = async |limit| subject.store.forget_notifications(subject.now(), limit).await.unwrap();
    assert_eq!([forget(0).await, forget(3).await, forget(3).await, forget(3).await], [0, 3, 2, 0]);
    assert_eq!(subject.page(user).await.items, [unread(new, subject.now())]);
}

pub async fn all_notifications_of_a_user_are_forgotten_in_steps(subject: &NotificationsSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let hers: Vec<_> = (0..5).map(|_| subject.news(ann)).collect();
    let his = subject.news(bob);
    subject.store.notify(&hers, subject.now()).await.unwrap();
    subject.store.notify(std::slice::from_ref(&his), subject.now()).await.unwrap();
    let forget = async |limit| subject.store.forget_notifications_of(ann, limit).await.unwrap();
    assert_eq!([forget(0).await, forget(3).await, forget(3).await, forget(3).await], [0, 3, 2, 0]);
    assert_eq!(subject.page(ann).await.items, []);
    assert_eq!(subject.page(bob).await.items, [unread(his, subject.now())]);
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns a [`NotificationsSubject`].
#[macro_export]
macro_rules! notification_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            notification_store,
            [
                a_notification_is_kept_once_and_for_its_user,
                of_simultaneous_notifications_one_is_new,
                notifications_are_listed_newest_first,
                what_was_read_is_no_longer_unread,
                a_user_has_only_so_many,
                old_notifications_are_forgotten_in_steps,
                all_notifications_of_a_user_are_forgotten_in_steps,
            ]
        );
    };
}
