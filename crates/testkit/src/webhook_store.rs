//! What every [`WebhookStore`] promises.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use common::webhooks::{
    ChangeWebhookError, Delivery, DeliveryAttempt, DeliveryPage, DeliveryState, Health, MAX_ATTEMPTS_KEPT,
    OffReason, PreviousSecret, SwitchedOff, Webhook, WebhookEvent, WebhookStore,
};
use common::{Clock as _, DeliveryId, Timestamp, UserId, WebhookId};
use futures_util::future::join_all;

use crate::{TestClock, TestIds};

const SECOND: Duration = Duration::from_secs(1);

/// A fresh store.
pub struct WebhooksSubject {
    /// The store.
    pub store: Arc<dyn WebhookStore>,
    /// Ids.
    pub ids: TestIds,
    /// Time.
    pub clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

impl WebhooksSubject {
    /// A subject over an empty store; `keep` lives as long as it does, such as a folder.
    pub fn new(store: Arc<dyn WebhookStore>, keep: impl Any + Send + Sync) -> Self {
        Self { store, ids: TestIds::new(), clock: TestClock::default(), _keep: Box::new(keep) }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn webhook(&self, user: UserId) -> Webhook {
        Webhook {
            id: self.ids.next(),
            user,
            url: "https://example.org/hook?of=ä".to_owned(),
            description: "builds “things”".to_owned(),
            events: vec![WebhookEvent::JobFailed, WebhookEvent::JobComplete],
            all_jobs: false,
            secret: vec![0, 255, 7],
            previous_secret: None,
            off: None,
            failing_since: None,
            failures: 0,
            created_at: self.now(),
            updated_at: self.now(),
            revision: 1,
        }
    }

    async fn created(&self, user: UserId) -> Webhook {
        let webhook = self.webhook(user);
        self.store.create_webhook(&webhook).await.unwrap();
        webhook
    }

    async fn get(&self, id: WebhookId) -> Webhook {
        self.store.find_webhook(id).await.unwrap().expect("the webhook is there")
    }

    fn delivery(&self, webhook: WebhookId) -> Delivery {
        Delivery {
            id: self.ids.next(),
            webhook,
            event: WebhookEvent::JobComplete,
            body: "{\"type\": \"job.complete\", \"ä\":1}".to_owned(),
            created_at: self.now(),
            state: DeliveryState::Pending,
            attempts: Vec::new(),
            finished_at: None,
        }
    }

    fn attempt(&self, status: Option<u16>) -> DeliveryAttempt {
        let error = (status != Some(200)).then(|| "it said no".to_owned());
        DeliveryAttempt { at: self.now(), duration_ms: 12, status, error }
    }

    async fn note(&self, id: DeliveryId, attempt: Option<&DeliveryAttempt>, state: DeliveryState) {
        self.store.note_delivery(id, attempt, state, self.now()).await.unwrap();
    }

    async fn found(&self, id: DeliveryId) -> Delivery {
        self.store.find_delivery(id).await.unwrap().expect("the delivery is there")
    }
}

pub async fn a_webhook_is_kept_and_changed_by_revision(subject: &WebhooksSubject) {
    let (ann, bob): (UserId, UserId) = (subject.ids.next(), subject.ids.next());
    let store = &subject.store;
    let one = subject.created(ann).await;
    subject.clock.advance(SECOND);
    let two = subject.created(ann).await;
    let other = subject.created(bob).await;
    store.create_webhook(&Webhook { url: "https://else".to_owned(), ..one.clone() }).await.unwrap();
    assert_eq!(store.list_webhooks(ann).await.unwrap(), [one.clone(), two.clone()]);
    assert_eq!(store.list_webhooks(bob).await.unwrap(), [other]);
    assert_eq!(store.find_webhook(subject.ids.next()).await.unwrap(), None);
    subject.clock.advance(SECOND);
    let changed = Webhook {
        url: "http://example.org:81/".to_owned(),
        description: String::new(),
        events: vec![WebhookEvent::JobFailed],
        all_jobs: true,
        secret: vec![1],
        previous_secret: Some(PreviousSecret { sealed: vec![2], until: subject.now() + SECOND }),
        off: Some(SwitchedOff { why: OffReason::Owner, at: subject.now() }),
        failing_since: Some(subject.now()),
        failures: 3,
        updated_at: subject.now(),
        ..one.clone()
    };
    store.update_webhook(&changed).await.unwrap();
    assert_eq!(subject.get(one.id).await, Webhook { revision: 2, ..changed.clone() });
    let late = store.update_webhook(&changed).await;
    assert!(matches!(late, Err(ChangeWebhookError::Changed)), "{late:?}");
    let plain = Webhook { revision: 2, url: one.url.clone(), ..one.clone() };
    store.update_webhook(&plain).await.unwrap();
    assert_eq!(subject.get(one.id).await, Webhook { revision: 3, ..one.clone() });
    assert!(store.delete_webhook(one.id).await.unwrap());
    assert!(!store.delete_webhook(one.id).await.unwrap());
    let gone = store.update_webhook(&plain).await;
    assert!(matches!(gone, Err(ChangeWebhookError::NotFound)), "{gone:?}");
    assert_eq!(store.list_webhooks(ann).await.unwrap(), [two]);
}

pub async fn those_listen_that_are_on_and_concerned(subject: &WebhooksSubject) {
    let users: [UserId; 3] = [subject.ids.next(), subject.ids.next(), subject.ids.next()];
    let one = subject.created(users[0]).await;
    let two = subject.created(users[1]).await;
    let off = subject.created(users[0]).await;
    assert!(subject.store.switch_off_webhook(off.id, OffReason::Gone, subject.now()).await.unwrap());
    let of_all = Webhook { all_jobs: true, ..subject.webhook(users[2]) };
    subject.store.create_webhook(&of_all).await.unwrap();
    let off_of_all = Webhook {
        off: Some(SwitchedOff { why: OffReason::Owner, at: subject.now() }),
        ..Webhook { all_jobs: true, ..subject.webhook(users[2]) }
    };
    subject.store.create_webhook(&off_of_all).await.unwrap();
    let listening = async |users: &[UserId]| {
        let mut ids: Vec<_> = subject
            .store
            .listening_webhooks(users)
            .await
            .unwrap()
            .into_iter()
            .map(|webhook| webhook.id)
            .collect();
        ids.sort();
        ids
    };
    let sorted = |mut ids: Vec<WebhookId>| {
        ids.sort();
        ids
    };
    assert_eq!(listening(&[]).await, [of_all.id]);
    assert_eq!(listening(&users[..1]).await, sorted(vec![one.id, of_all.id]));
    assert_eq!(listening(&users).await, sorted(vec![one.id, two.id, of_all.id]));
}

pub async fn a_webhook_is_switched_off_once(subject: &WebhooksSubject) {
    let webhook = subject.created(subject.ids.next()).await;
    let now = subject.now();
    let off = (0..8).map(|_| subject.store.switch_off_webhook(webhook.id, OffReason::Failing, now));
    let off: Vec<bool> = join_all(off).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(off.iter().filter(|did| **did).count(), 1);
    let is_off = Some(SwitchedOff { why: OffReason::Failing, at: now });
    assert_eq!(subject.get(webhook.id).await, Webhook { off: is_off, revision: 2, ..webhook.clone() });
    assert!(!subject.store.switch_off_webhook(webhook.id, OffReason::Gone, now).await.unwrap());
    let unknown = subject.ids.next();
    assert!(!subject.store.switch_off_webhook(unknown, OffReason::Gone, now).await.unwrap());
}

pub async fn failures_are_counted_until_one_attempt_works(subject: &WebhooksSubject) {
    let webhook = subject.created(subject.ids.next()).await;
    let start = subject.now();
    let note = async |worked| {
        let health = subject.store.note_webhook_attempt(webhook.id, worked, subject.now()).await.unwrap();
        subject.clock.advance(SECOND);
        health.expect("the webhook is there")
    };
    let well = Health { failing_since: None, failures: 0 };
    assert_eq!(note(true).await, well);
    assert_eq!(note(false).await, Health { failing_since: Some(start + SECOND), failures: 1 });
    assert_eq!(note(false).await, Health { failing_since: Some(start + SECOND), failures: 2 });
    let found = subject.get(webhook.id).await;
    assert_eq!((found.failing_since, found.failures, found.revision), (Some(start + SECOND), 2, 1));
    assert_eq!(note(true).await, well);
    assert_eq!(note(false).await, Health { failing_since: Some(start + 4 * SECOND), failures: 1 });
    let unknown = subject.ids.next();
    assert_eq!(subject.store.note_webhook_attempt(unknown, false, start).await.unwrap(), None);
}

pub async fn a_delivery_is_kept_with_its_attempts(subject: &WebhooksSubject) {
    let webhook = subject.created(subject.ids.next()).await;
    let (one, other) = (subject.delivery(webhook.id), subject.delivery(webhook.id));
    let store = &subject.store;
    store.create_deliveries(&[one.clone(), other.clone()]).await.unwrap();
    let failed = subject.attempt(Some(500));
    subject.note(one.id, Some(&failed), DeliveryState::Pending).await;
    // made again after a crash, it changes nothing
    store.create_deliveries(&[other.clone(), one.clone()]).await.unwrap();
    let noted = Delivery { attempts: vec![failed.clone()], ..one.clone() };
    assert_eq!(subject.found(one.id).await, noted);
    subject.clock.advance(SECOND);
    let worked = subject.attempt(Some(200));
    subject.note(one.id, Some(&worked), DeliveryState::Delivered).await;
    let at = subject.now();
    subject.clock.advance(SECOND);
    let again = subject.attempt(None);
    subject.note(one.id, Some(&again), DeliveryState::Failed).await;
    subject.note(one.id, None, DeliveryState::Cancelled).await;
    let done = Delivery {
        attempts: vec![failed, worked, again],
        state: DeliveryState::Delivered,
        finished_at: Some(at),
        ..one
    };
    assert_eq!(subject.found(done.id).await, done);
    subject.note(other.id, None, DeliveryState::Cancelled).await;
    let found = subject.found(other.id).await;
    assert_eq!((found.state, found.finished_at), (DeliveryState::Cancelled, Some(subject.now())));
    let unknown = subject.ids.next();
    subject.note(unknown, None, DeliveryState::Failed).await;
    assert_eq!(store.find_delivery(unknown).await.unwrap(), None);
}

pub async fn a_delivery_keeps_its_last_attempts(subject: &WebhooksSubject) {
    let delivery = subject.delivery(subject.created(subject.ids.next()).await.id);
    subject.store.create_deliveries(std::slice::from_ref(&delivery)).await.unwrap();
    let mut attempts = Vec::new();
    for _ in 0..MAX_ATTEMPTS_KEPT + 2 {
        let attempt = subject.attempt(None);
        subject.note(delivery.id, Some(&attempt), DeliveryState::Pending).await;
        attempts.push(attempt);
        subject.clock.advance(SECOND);
    }
    assert_eq!(subject.found(delivery.id).await.attempts, attempts[2..]);
}

pub async fn deliveries_are_listed_newest_first_and_go_with_their_webhook(subject: &WebhooksSubject) {
    let user = subject.ids.next();
    let (webhook, other) = (subject.created(user).await, subject.created(user).await);
    let mut all = Vec::new();
    for n in 0..7 {
        all.push(subject.delivery(webhook.id));
        if n % 2 == 1 {
            subject.clock.advance(SECOND);
        }
    }
    let foreign = subject.delivery(other.id);
    subject.store.create_deliveries(&[&all[..], std::slice::from_ref(&foreign)].concat()).await.unwrap();
    all.sort_by_key(|one| std::cmp::Reverse(one.place()));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = subject.store.list_deliveries(webhook.id, after, 3).await.unwrap();
        after = page.items.last().map(Delivery::place);
        seen.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, all);
    assert!(subject.store.delete_webhook(webhook.id).await.unwrap());
    let page = subject.store.list_deliveries(webhook.id, None, 3).await.unwrap();
    assert_eq!(page, DeliveryPage::default());
    assert_eq!(subject.store.find_delivery(seen[0].id).await.unwrap(), None);
    assert_eq!(subject.found(foreign.id).await, foreign);
}

pub async fn old_deliveries_are_forgotten_in_steps(subject: &WebhooksSubject) {
    let webhook = subject.created(subject.ids.next()).await;
    let old: Vec<_> = (0..5).map(|_| subject.delivery(webhook.id)).collect();
    subject.clock.advance(SECOND);
    let new = subject.delivery(webhook.id);
    subject.store.create_deliveries(&[old, vec![new.clone()]].concat()).await.unwrap();
    let forget = async |limit| subject.store.forget_deliveries(subject.now(), limit).await.unwrap();
    assert_eq!([forget(0).await, forget(3).await, forget(3).await, forget(3).await], [0, 3, 2, 0]);
    let page = subject.store.list_deliveries(webhook.id, None, 10).await.unwrap();
    assert_eq!(page, DeliveryPage { items: vec![new], more: false });
}

pub async fn what_was_told_stays_told(subject: &WebhooksSubject) {
    let store = &subject.store;
    assert_eq!(store.events_told().await.unwrap(), 0);
    for (seq, restart, told) in [(9, false, 9), (10, false, 10), (9, false, 10), (3, true, 3), (4, false, 4)]
    {
        store.set_events_told(seq, restart).await.unwrap();
        assert_eq!(store.events_told().await.unwrap(), told);
    }
}

pub async fn secrets_are_sealed_anew(subject: &WebhooksSubject) {
    let (store, user) = (&subject.store, subject.ids.next());
    let previous = Some(PreviousSecret { sealed: b"old".to_vec(), until: subject.now() });
    let mut all = Vec::new();
    for secret in [b"old".to_vec(), b"now".to_vec(), b"now".to_vec()] {
        let webhook = Webhook { secret, ..subject.webhook(user) };
        store.create_webhook(&webhook).await.unwrap();
        all.push(webhook);
    }
    let other = subject.created(subject.ids.next()).await;
    all.push(other);
    all.sort_unstable_by_key(|webhook| webhook.id);
    assert_eq!(store.page_webhooks(None, 3).await.unwrap(), all[..3]);
    assert_eq!(store.page_webhooks(Some(all[2].id), 3).await.unwrap(), all[3..]);
    let changed = Webhook { previous_secret: previous, ..subject.get(all[0].id).await };
    store.update_webhook(&changed).await.unwrap();
    let before = subject.get(all[0].id).await;
    assert!(!store.reseal_webhook(before.id, b"other", b"new").await.unwrap());
    assert!(!store.reseal_webhook(subject.ids.next(), b"old", b"new").await.unwrap());
    assert!(store.reseal_webhook(before.id, b"old", b"new").await.unwrap());
    assert!(!store.reseal_webhook(before.id, b"old", b"new").await.unwrap());
    let sealed = |sealed: &[u8]| if sealed == b"old" { b"new".to_vec() } else { sealed.to_vec() };
    let previous_secret = before
        .previous_secret
        .clone()
        .map(|previous| PreviousSecret { sealed: sealed(&previous.sealed), ..previous });
    let expected = Webhook { secret: sealed(&before.secret), previous_secret, ..before };
    assert_eq!(subject.get(expected.id).await, expected, "nothing else of it has changed");
}

pub async fn each_webhook_of_files_has_its_place(subject: &WebhooksSubject) {
    let store = &subject.store;
    let hears = async |webhook: Webhook| {
        let events = vec![WebhookEvent::JobFailed, WebhookEvent::FileMoved];
        let webhook = Webhook { events, ..webhook };
        store.create_webhook(&webhook).await.unwrap();
        webhook
    };
    let ann: UserId = subject.ids.next();
    let (one, two) = (hears(subject.webhook(ann)).await, hears(subject.webhook(subject.ids.next())).await);
    subject.created(ann).await;
    let off = hears(subject.webhook(ann)).await;
    store.switch_off_webhook(off.id, OffReason::Gone, subject.now()).await.unwrap();
    let mut expected = vec![(one.clone(), None), (two.clone(), None)];
    expected.sort_by_key(|(webhook, _)| webhook.id);
    let listed = async || store.webhooks_of_files(None, 10).await.unwrap();
    assert_eq!(listed().await, expected);
    let first = store.webhooks_of_files(None, 1).await.unwrap();
    assert_eq!(first, expected[..1]);
    assert_eq!(store.webhooks_of_files(Some(first[0].0.id), 10).await.unwrap(), expected[1..]);

    // of several who move the place on, one does
    let sets = join_all((1..5).map(|to| store.set_files_told(one.id, None, to))).await;
    assert_eq!(sets.into_iter().filter(|set| *set.as_ref().unwrap()).count(), 1);
    let place = async |id| {
        let (_, place) = listed().await.into_iter().find(|(webhook, _)| webhook.id == id).unwrap();
        place
    };
    let set = place(one.id).await;
    assert!(!store.set_files_told(one.id, None, 9).await.unwrap());
    assert!(store.set_files_told(one.id, set, 9).await.unwrap());
    assert_eq!((place(one.id).await, place(two.id).await), (Some(9), None));
    // a change of the webhook does not touch it
    let changed = Webhook { description: "other".to_owned(), ..one.clone() };
    store.update_webhook(&changed).await.unwrap();
    assert_eq!(place(one.id).await, Some(9));
    assert_eq!(subject.get(one.id).await, Webhook { revision: 2, ..changed });
    for _ in 0..2 {
        store.forget_files_told(one.id).await.unwrap();
        assert_eq!(place(one.id).await, None);
    }
    assert!(!store.set_files_told(subject.ids.next(), None, 1).await.unwrap());
}

/// Makes a test of each check, for the adapter that `$make` opens: an async function that returns a [`WebhooksSubject`].
#[macro_export]
macro_rules! webhook_store_suite {
    ($make:expr) => {
        $crate::suite!(
            $make,
            webhook_store,
            [
                a_webhook_is_kept_and_changed_by_revision,
                those_listen_that_are_on_and_concerned,
                a_webhook_is_switched_off_once,
                failures_are_counted_until_one_attempt_works,
                a_delivery_is_kept_with_its_attempts,
                a_delivery_keeps_its_last_attempts,
                deliveries_are_listed_newest_first_and_go_with_their_webhook,
                old_deliveries_are_forgotten_in_steps,
                what_was_told_stays_told,
                each_webhook_of_files_has_its_place,
                secrets_are_sealed_anew,
            ]
        );
    };
}
