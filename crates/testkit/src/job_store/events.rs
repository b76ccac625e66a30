use std::time::Duration;

use common::jobs::{
    JobChange, JobEvent, JobEventFilter, JobEventKind as Kind, JobEventPage, JobState, NewJob, Priority,
};
use common::{JobId, UserId};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{JobsSubject, LEASE, failure};

const SECOND: Duration = Duration::from_secs(1);

/// All events after `after`, once all of them have their places.
async fn told(subject: &JobsSubject, after: u64) -> Vec<JobEvent> {
    while subject.events.order_events(100, subject.now()).await.unwrap() > 0 {}
    let (mut events, mut last) = (Vec::new(), after);
    loop {
        let page = subject.events.events_after(last, &JobEventFilter::default(), 7).await.unwrap();
        assert!(!page.gap);
        if page.events.is_empty() {
            assert_eq!(subject.events.last_event().await.unwrap(), last);
            return events;
        }
        assert!(page.events.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        assert!(page.last > last && page.events[0].seq > last);
        last = page.last;
        events.extend(page.events);
    }
}

fn shown(events: &[JobEvent]) -> Vec<(JobId, Kind, Option<Value>)> {
    events.iter().map(|event| (event.job, event.event, event.data.clone())).collect()
}

pub async fn every_change_is_told(subject: &JobsSubject) {
    let (store, user): (_, UserId) = (&subject.store, subject.ids.next());
    let one = NewJob { max_attempts: 2, ..subject.job_of("a", user) };
    let two = NewJob { run_at: Some(subject.now() + SECOND), remove_on_complete: true, ..subject.job("b") };
    subject.insert(&[one.clone(), two.clone()]).await;
    store.insert(std::slice::from_ref(&one), subject.now()).await.unwrap();
    let mut expected = vec![(one.id, Kind::Enqueue, None), (two.id, Kind::Enqueue, None)];

    let first = subject.claim_one("a").await;
    store.progress(first.holder, 30, Some(&json!("page 3")), subject.now()).await.unwrap();
    store.heartbeat(first.holder, LEASE, subject.now()).await.unwrap();
    store.fail(first.holder, &failure(true), subject.now()).await.unwrap();
    expected.extend([
        (one.id, Kind::Start, None),
        (one.id, Kind::Progress, Some(json!({"progress": 30, "data": "page 3"}))),
        (one.id, Kind::FailedAttempt, Some(json!({"error": "it broke", "attempt": 1}))),
    ]);
    subject.clock.advance(SECOND);
    store.promote_due(10, subject.now()).await.unwrap();
    let fleeting = subject.claim_one("b").await;
    store.give_back(fleeting.holder, subject.now()).await.unwrap();
    let fleeting = subject.claim_one("b").await;
    store.complete(fleeting.holder, Some(&json!([1])), subject.now()).await.unwrap();
    expected.extend([
        (two.id, Kind::Promotion, None),
        (two.id, Kind::Start, None),
        (two.id, Kind::Return, None),
        (two.id, Kind::Start, None),
        (two.id, Kind::Complete, Some(json!({"result": [1]}))),
        (two.id, Kind::Remove, None),
    ]);
    subject.change(one.id, JobChange::Promote).await.unwrap();
    subject.change(one.id, JobChange::Priority(Priority(-3))).await.unwrap();
    subject.claim_one("a").await;
    subject.clock.advance(LEASE);
    store.reap(10, subject.now()).await.unwrap();
    subject.change(one.id, JobChange::Retry).await.unwrap();
    subject.change(one.id, JobChange::Cancel).await.unwrap();
    subject.admin.remove(one.id, subject.now()).await.unwrap();
    expected.extend([
        (one.id, Kind::Promotion, None),
        (one.id, Kind::Priority, Some(json!({"priority": -3}))),
        (one.id, Kind::Start, None),
        (one.id, Kind::Failed, Some(json!({"error": "lease lost", "attempt": 2}))),
        (one.id, Kind::Enqueue, None),
        (one.id, Kind::Cancel, None),
        (one.id, Kind::Remove, None),
    ]);
    let events = told(subject, 0).await;
    assert_eq!(shown(&events), expected);
    let last = events.last().unwrap();
    assert_eq!((last.at, &last.kind[..], last.user), (subject.now(), "a", Some(user)));

    let done = subject.inserted("c").await;
    let claimed = subject.claim_one("c").await;
    subject.complete(&claimed).await;
    subject.clock.advance(SECOND);
    assert_eq!(subject.removed(JobState::Complete, subject.now(), 10).await, 1);
    let more = told(subject, last.seq).await;
    let kinds: Vec<_> = more.iter().map(|event| (event.job, event.event)).collect();
    assert_eq!(kinds, [Kind::Enqueue, Kind::Start, Kind::Complete, Kind::Remove].map(|kind| (done.id, kind)));
}

pub async fn events_come_in_pages_and_by_filter(subject: &JobsSubject) {
    let users: [UserId; 2] = [subject.ids.next(), subject.ids.next()];
    let jobs: Vec<_> = (0..12).map(|n| subject.job_of(["a", "b", "c"][n % 3], users[n % 2])).collect();
    subject.insert(&jobs).await;
    let (done, given_up) = (subject.claim_one("a").await, subject.claim_one("b").await);
    subject.complete(&done).await;
    subject.store.fail(given_up.holder, &super::failure(false), subject.now()).await.unwrap();
    let all = told(subject, 0).await;
    assert_eq!(all.len(), 16);
    for filter in [
        JobEventFilter { user: Some(users[1]), ..JobEventFilter::default() },
        JobEventFilter { job: Some(jobs[5].id), ..JobEventFilter::default() },
        JobEventFilter { kind: Some("c".to_owned()), ..JobEventFilter::default() },
        JobEventFilter { user: Some(users[0]), kind: Some("b".to_owned()), ..JobEventFilter::default() },
        JobEventFilter { only_ends: true, ..JobEventFilter::default() },
        JobEventFilter { user: Some(subject.ids.next()), ..JobEventFilter::default() },
    ] {
        let expected: Vec<_> = all.iter().filter(|event| filter.passes(event)).cloned().collect();
        let (mut found, mut last) = (Vec::new(), 0);
        loop {
            let page = subject.events.events_after(last, &filter, 2).await.unwrap();
            assert!(page.events.len() <= 2 && !page.gap);
            if page.events.is_empty() {
                break;
            }
            last = page.last;
            found.extend(page.events);
        }
        assert_eq!(found, expected, "{filter:?}");
        // whoever goes on from there is not shown the same again
        let newest = subject.events.last_event().await.unwrap();
        let rest = subject.events.events_after(newest, &filter, 10).await.unwrap();
        assert_eq!(rest, JobEventPage { events: Vec::new(), last: newest, gap: false });
    }
}

pub async fn forgotten_events_leave_a_gap(subject: &JobsSubject) {
    let empty = subject.events.events_after(0, &JobEventFilter::default(), 10).await.unwrap();
    assert_eq!(empty, JobEventPage::default());
    for _ in 0..6 {
        subject.inserted("a").await;
        subject.clock.advance(SECOND);
    }
    let all = told(subject, 0).await;
    let before = all[3].at;
    assert_eq!(subject.events.forget_events(before, 2).await.unwrap(), 2);
    assert_eq!(subject.events.forget_events(before, 10).await.unwrap(), 1);
    assert_eq!(subject.events.forget_events(before, 10).await.unwrap(), 0);
    let after = async |seq| subject.events.events_after(seq, &JobEventFilter::default(), 10).await.unwrap();
    let page = after(all[0].seq).await;
    assert_eq!((page.gap, &page.events[..]), (true, &all[3..]));
    let page = after(all[2].seq).await;
    assert_eq!((page.gap, &page.events[..]), (false, &all[3..]), "nothing is missing from there");
    assert_eq!(subject.events.forget_events(subject.now(), 10).await.unwrap(), 3);
    assert_eq!(subject.events.last_event().await.unwrap(), all[5].seq, "places are never given twice");
    assert!(after(all[4].seq).await.gap);
    assert!(!after(all[5].seq).await.gap);
    let beyond = after(all[5].seq + 100).await;
    assert_eq!((beyond.gap, beyond.last), (true, all[5].seq), "of another store");
    subject.inserted("a").await;
    assert_eq!(told(subject, all[5].seq).await.len(), 1);
}

pub async fn a_refused_change_is_not_told(subject: &JobsSubject) {
    let job = NewJob { unique_key: Some("k".to_owned()), ..subject.job("a") };
    subject.insert(std::slice::from_ref(&job)).await;
    let claimed = subject.claim_one("a").await;
    let before = told(subject, 0).await;
    subject.clock.advance(LEASE);
    let (store, now) = (&subject.store, subject.now());
    store.complete(claimed.holder, None, now).await.unwrap_err();
    store.progress(claimed.holder, 1, None, now).await.unwrap_err();
    store.fail(claimed.holder, &failure(true), now).await.unwrap_err();
    subject.change(job.id, JobChange::Promote).await.unwrap_err();
    subject.change(job.id, JobChange::Retry).await.unwrap_err();
    subject.admin.remove(job.id, now).await.unwrap_err();
    store.insert(&[NewJob { id: subject.ids.next(), ..job.clone() }, job], now).await.unwrap();
    assert!(subject.claim(&["a", "b"], 10).await.is_empty());
    assert_eq!(told(subject, 0).await, before);
}

pub async fn events_that_happen_at_the_same_time_have_one_order(subject: &JobsSubject) {
    let mut last = 0;
    for _ in 0..3 {
        let jobs: Vec<_> = (0..20).map(|_| subject.job("a")).collect();
        let inserts = jobs.chunks(2).map(|jobs| subject.store.insert(jobs, subject.now()));
        let orders = (0..6).map(|_| subject.events.order_events(5, subject.now()));
        let (inserted, ordered) = futures_util::join!(join_all(inserts), join_all(orders));
        assert!(inserted.iter().all(Result::is_ok) && ordered.iter().all(Result::is_ok), "{ordered:?}");
        let claimed = join_all((0..5).map(|_| subject.claim(&["a"], 4))).await.concat();
        join_all(claimed.iter().map(|claimed| subject.complete(claimed))).await;
        let orders = join_all((0..6).map(|_| subject.events.order_events(7, subject.now()))).await;
        assert!(orders.iter().all(Result::is_ok), "{orders:?}");
        let events = told(subject, last).await;
        last = events.last().unwrap().seq;
        assert_eq!(events.len(), 60);
        for job in &jobs {
            let of_job: Vec<_> =
                events.iter().filter(|event| event.job == job.id).map(|event| event.event).collect();
            assert_eq!(of_job, [Kind::Enqueue, Kind::Start, Kind::Complete]);
        }
    }
}
