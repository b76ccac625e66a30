use common::UserId;
use common::jobs::{Job, JobFilter, JobState};

use super::{JobsSubject, failure};

/// Jobs of three users and nobody, of three types, in all states that can be reached.
async fn filled(subject: &JobsSubject) -> (Vec<UserId>, Vec<Job>) {
    let users: Vec<UserId> = (0..3).map(|_| subject.ids.next()).collect();
    let mut ids = Vec::new();
    for n in 0..48 {
        let mut job = subject.job(["a", "b", "c"][n % 3]);
        job.user = users.get(n % 4).copied();
        if n % 7 == 0 {
            job.run_at = Some(subject.now() + std::time::Duration::from_secs(1));
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

pub async fn jobs_are_listed_newest_first_in_pages(subject: &JobsSubject) {
    let (users, jobs) = filled(subject).await;
    let some_users = users.iter().copied().map(Some).chain([None, Some(subject.ids.next())]);
    for user in some_users {
        for state in JobState::ALL.into_iter().map(Some).chain([None]) {
            for kind in [None, Some("a"), Some("c"), Some("unknown")] {
                let filter = JobFilter { user, state, kind: kind.map(str::to_owned) };
                let mut expected: Vec<_> = jobs
                    .iter()
                    .filter(|job| {
                        user.is_none_or(|user| job.spec.user == Some(user))
                            && state.is_none_or(|state| job.state == state)
                            && kind.is_none_or(|kind| job.spec.kind == kind)
                    })
                    .cloned()
                    .collect();
                expected.sort_unstable_by_key(|job| std::cmp::Reverse(job.number));
                let (mut listed, mut after) = (Vec::new(), None);
                loop {
                    let page = subject.store.list(&filter, after, 5).await.unwrap();
                    assert_eq!(page.total, expected.len() as u64, "{filter:?}");
                    after = page.items.last().map(|job| job.number);
                    let full = page.items.len() == 5;
                    listed.extend(page.items);
                    assert!(listed.len() <= expected.len(), "pages come forward: {filter:?}");
                    if !page.more {
                        break;
                    }
                    assert!(full);
                }
                assert_eq!(listed, expected, "{filter:?}");
            }
        }
    }
}

pub async fn counts_are_by_state_and_user(subject: &JobsSubject) {
    let counts = subject.store.counts(None).await.unwrap();
    assert!(JobState::ALL.iter().all(|state| counts[state] == 0), "every state is named");
    let (users, jobs) = filled(subject).await;
    for user in users.into_iter().map(Some).chain([None, Some(subject.ids.next())]) {
        let counts = subject.store.counts(user).await.unwrap();
        for state in JobState::ALL {
            let expected = jobs
                .iter()
                .filter(|job| job.state == state && user.is_none_or(|user| job.spec.user == Some(user)))
                .count();
            assert_eq!(counts[&state], expected as u64, "{user:?} {state:?}");
        }
    }
}
