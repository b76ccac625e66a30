use std::time::Duration;

use common::jobs::{ENDED_COUNTED_EVERY, Job, JobFilter, JobOrder, JobPage, JobState, NewJob};
use common::{JobId, UserId};
use serde_json::json;

use super::{JobsSubject, failure};

/// Jobs of three users and nobody, of three types, in all states that can be reached.
async fn filled(subject: &JobsSubject) -> (Vec<UserId>, Vec<Job>) {
    let users: Vec<UserId> = (0..3).map(|_| subject.ids.next()).collect();
    let mut ids = Vec::new();
    for n in 0..48 {
        let mut job = subject.job(["a", "b", "c"][n % 3]);
        job.user = users.get(n % 4).copied();
        if n % 7 == 0 {
            job.run_at = Some(subject.now() + Duration::from_secs(1));
        }
        subject.insert(std::slice::from_ref(&job)).await;
        ids.push(job.id);
    }
    for n in 0..24 {
        let claimed = subject.claim_one(["a", "b", "c"][n % 3]).await;
        match n % 4 {
            0 => subject.store.complete(claimed.holder, None, subject.now()).await.unwrap(),
            1 => drop(subject.store.fail(claimed.holder, &failure(false), subject.now()).await.unwrap()),
            2 => drop(subject.store.fail(claimed.holder, &failure(true), subject.now()).await.unwrap()),
            _ => {}
        }
    }
    let mut jobs = Vec::new();
    for id in ids {
        jobs.push(subject.get(id).await);
    }
    (users, jobs)
}

/// All that a filter lets through, page by page, and how many the store says that there are.
async fn listed(subject: &JobsSubject, filter: &JobFilter, order: JobOrder) -> (Vec<Job>, Option<u64>) {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = subject.admin.list(filter, order, after, 5).await.unwrap();
        after = page.items.last().map(|job| job.number);
        let full = page.items.len() == 5;
        listed.extend(page.items);
        assert!(listed.len() <= 1000, "pages come forward: {filter:?}");
        if !page.more {
            return (listed, subject.admin.total(filter).await.unwrap());
        }
        assert!(full);
    }
}

pub async fn jobs_are_listed_in_pages_of_both_orders(subject: &JobsSubject) {
    let (users, mut jobs) = filled(subject).await;
    jobs.sort_unstable_by_key(|job| job.number);
    let some_users = users.iter().copied().map(Some).chain([None, Some(subject.ids.next())]);
    for user in some_users {
        for state in JobState::ALL.into_iter().map(Some).chain([None]) {
            for kind in [None, Some("a"), Some("c"), Some("unknown")] {
                let filter = JobFilter { user, state, kind: kind.map(str::to_owned), ..JobFilter::default() };
                let mut expected: Vec<_> = jobs
                    .iter()
                    .filter(|job| {
                        user.is_none_or(|user| job.spec.user == Some(user))
                            && state.is_none_or(|state| job.state == state)
                            && kind.is_none_or(|kind| job.spec.kind == kind)
                    })
                    .cloned()
                    .collect();
                let total = Some(expected.len() as u64);
                assert_eq!(listed(subject, &filter, JobOrder::Ascending).await, (expected.clone(), total));
                expected.reverse();
                assert_eq!(listed(subject, &filter, JobOrder::Descending).await, (expected, total));
            }
        }
    }
}

pub async fn a_page_of_large_jobs_ends_early(subject: &JobsSubject) {
    let user: UserId = subject.ids.next();
    let data = json!({"text": "x".repeat(250 * 1024)});
    let jobs: Vec<_> =
        (0..20).map(|_| NewJob { data: data.clone(), ..subject.job_of("large", user) }).collect();
    subject.insert(&jobs).await;
    let claimed = subject.claim_one("large").await;
    // counts as well
    subject.store.complete(claimed.holder, Some(&data), subject.now()).await.unwrap();
    let bytes = |job: &Job| {
        let length = |value: &serde_json::Value| value.to_string().len();
        length(&job.spec.data) + job.result.as_ref().map_or(0, length)
    };
    for filter in [JobFilter::default(), JobFilter { user: Some(user), ..JobFilter::default() }] {
        let (mut found, mut pages, mut after) = (Vec::new(), Vec::new(), None);
        loop {
            let page = subject.admin.list(&filter, JobOrder::Ascending, after, 1000).await.unwrap();
            assert!(page.items.iter().map(bytes).sum::<usize>() <= JobPage::MOST_BYTES);
            after = page.items.last().map(|job| job.number);
            pages.push(page.items.len());
            found.extend(page.items.iter().map(|job| job.spec.id));
            assert!(pages.len() <= 20, "pages come forward");
            if !page.more {
                break;
            }
        }
        assert_eq!(pages, [15, 5]);
        assert_eq!(found, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    }
}

pub async fn jobs_are_found_by_their_words(subject: &JobsSubject) {
    let user: UserId = subject.ids.next();
    let data = [
        json!({"title": "Émile’s holiday", "path": "/photos/2024/beach.jpg"}),
        json!({"title": "emilia", "frames": [120, 250]}),
        json!({"note": "holiday in ÖSTERREICH"}),
        json!("nothing"),
    ];
    let jobs: Vec<_> = data
        .into_iter()
        .enumerate()
        .map(|(n, data)| NewJob {
            data,
            ..subject.job_of(if n == 2 { "video conversion" } else { "mail" }, user)
        })
        .collect();
    subject.insert(&jobs).await;
    let mut indexed = 0;
    loop {
        match subject.admin.index_text(3).await.unwrap() {
            0 => break,
            some => indexed += some,
        }
    }
    assert_eq!(indexed, 4);
    let found = async |text: &str, filter: JobFilter| {
        let filter = JobFilter { text: Some(text.to_owned()), ..filter };
        let (found, total) = listed(subject, &filter, JobOrder::Ascending).await;
        assert_eq!(total, None);
        let place = |job: &Job| jobs.iter().position(|other| other.id == job.spec.id).unwrap();
        found.iter().map(place).collect::<Vec<_>>()
    };
    let any = JobFilter::default;
    for (text, expected) in [
        ("emile", vec![0]),
        ("EMIL", vec![0, 1]),
        ("holiday", vec![0, 2]),
        ("österreich", vec![2]),
        ("conversion holi", vec![2]),
        ("holi conversion", vec![]),
        ("250", vec![1]),
        ("beach.jpg", vec![0]),
        ("mail", vec![0, 1, 3]),
        ("no\" OR title:*", vec![]),
        (" -*", vec![]),
        ("unknown", vec![]),
    ] {
        assert_eq!(found(text, any()).await, expected, "{text}");
    }
    let claimed = subject.claim_one("video conversion").await;
    subject.complete(&claimed).await;
    let state = |state| JobFilter { state: Some(state), ..any() };
    assert_eq!(found("holiday", state(JobState::Complete)).await, [2]);
    assert_eq!(found("holiday", state(JobState::Inactive)).await, [0]);
    assert_eq!(found("holiday", JobFilter { user: Some(subject.ids.next()), ..any() }).await, [0; 0]);
    assert_eq!(
        found("holiday", JobFilter { kind: Some("mail".to_owned()), user: Some(user), ..any() }).await,
        [0]
    );
    subject.admin.remove(jobs[0].id, subject.now()).await.unwrap();
    assert_eq!(found("holiday", any()).await, [2]);
}

pub async fn jobs_are_listed_by_the_time_of_their_arrival(subject: &JobsSubject) {
    let start = subject.now();
    let mut jobs = Vec::new();
    for n in 0..12_u32 {
        let job = subject.inserted(["a", "b"][n as usize % 2]).await;
        jobs.push(job.id);
        if n % 3 == 2 {
            subject.clock.advance(Duration::from_secs(10));
        }
    }
    subject.admin.remove(jobs[4], subject.now()).await.unwrap();
    let at = |seconds: u64| Some(start + Duration::from_secs(seconds));
    for (from, until, kind, expected) in [
        (at(0), None, None, vec![0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]),
        (at(10), at(20), None, vec![3, 5]),
        (at(9), at(11), None, vec![3, 5]),
        (None, at(10), None, vec![0, 1, 2]),
        (at(11), None, Some("b"), vec![7, 9, 11]),
        (at(31), None, None, vec![]),
        (at(20), at(20), None, vec![]),
        (at(30), at(10), None, vec![]),
    ] {
        let filter = JobFilter { from, until, kind: kind.map(str::to_owned), ..JobFilter::default() };
        let mut expected: Vec<JobId> = expected.into_iter().map(|n| jobs[n]).collect();
        for order in [JobOrder::Ascending, JobOrder::Descending] {
            let (found, total) = listed(subject, &filter, order).await;
            assert_eq!(total, None);
            assert_eq!(found.iter().map(|job| job.spec.id).collect::<Vec<_>>(), expected, "{filter:?}");
            expected.reverse();
        }
    }
}

/// Jobs that have ended may be counted now and then.
pub async fn depths_are_exact_for_live_jobs(subject: &JobsSubject) {
    filled(subject).await;
    let mut depths = subject.admin.depths(subject.now()).await.unwrap();
    assert_eq!(depths, subject.admin.counts(None).await.unwrap(), "the first time");
    for (passed, is_counted) in [(Duration::from_secs(1), false), (ENDED_COUNTED_EVERY, true)] {
        let new = [subject.inserted("d").await, subject.inserted("d").await];
        let done = subject.claim_one("d").await;
        subject.complete(&done).await;
        subject.clock.advance(passed);
        let counts = subject.admin.counts(None).await.unwrap();
        let found = subject.admin.depths(subject.now()).await.unwrap();
        for state in JobState::ALL {
            let is_old = !is_counted && !state.is_live() && found[&state] == depths[&state];
            assert!(found[&state] == counts[&state] || is_old, "{state:?} {found:?} {counts:?} {new:?}");
        }
        depths = found;
    }
}

pub async fn counts_are_by_state_and_user(subject: &JobsSubject) {
    let counts = subject.admin.counts(None).await.unwrap();
    assert!(JobState::ALL.iter().all(|state| counts[state] == 0), "every state is named");
    let (users, jobs) = filled(subject).await;
    for user in users.into_iter().map(Some).chain([None, Some(subject.ids.next())]) {
        let counts = subject.admin.counts(user).await.unwrap();
        for state in JobState::ALL {
            let expected = jobs
                .iter()
                .filter(|job| job.state == state && user.is_none_or(|user| job.spec.user == Some(user)))
                .count();
            assert_eq!(counts[&state], expected as u64, "{user:?} {state:?}");
        }
    }
}
