use std::time::Duration;

use common::jobs::{
    Backoff, CatchUp, ChangeScheduleError, JobState, NewJob, Priority, Schedule, ScheduleSpec,
};
use common::{ScheduleId, Timestamp};
use futures_util::future::join_all;
use serde_json::json;

use super::JobsSubject;

const SECOND: Duration = Duration::from_secs(1);

fn schedule(subject: &JobsSubject, next_at: Option<Timestamp>) -> Schedule {
    Schedule {
        id: subject.ids.next(),
        spec: ScheduleSpec {
            name: "nightly “report”".to_owned(),
            cron: "0 3 * * *".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            catch_up: CatchUp::Once,
            kind: "report".to_owned(),
            data: json!({"of": ["files", null]}),
            priority: Priority::LOW,
            max_attempts: 3,
            backoff: Backoff::Fixed { delay_ms: 100 },
            ttl_ms: 60_000,
            no_overlap: false,
        },
        paused: false,
        next_at,
        last_at: None,
        user: Some(subject.ids.next()),
        created_at: subject.now(),
        revision: 1,
    }
}

/// All schedules, page by page.
async fn listed(subject: &JobsSubject, limit: u32) -> Vec<Schedule> {
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = subject.schedules.list_schedules(after, limit).await.unwrap();
        after = page.items.last().map(Schedule::place);
        listed.extend(page.items);
        assert!(listed.len() <= 1000, "pages come forward");
        if !page.more {
            return listed;
        }
    }
}

async fn find(subject: &JobsSubject, id: ScheduleId) -> Option<Schedule> {
    subject.schedules.find_schedule(id).await.unwrap()
}

pub async fn a_schedule_is_kept_and_changed_by_revision(subject: &JobsSubject) {
    let schedules = &subject.schedules;
    let one = schedule(subject, None);
    subject.clock.advance(SECOND);
    let two = Schedule { user: None, ..schedule(subject, Some(subject.now())) };
    for new in [&one, &two, &one] {
        schedules.create_schedule(new).await.unwrap();
    }
    assert_eq!(listed(subject, 10).await, [one.clone(), two.clone()]);
    assert_eq!(listed(subject, 1).await, [one.clone(), two.clone()]);
    assert_eq!(schedules.count_schedules().await.unwrap(), 2);
    assert_eq!(find(subject, two.id).await, Some(two.clone()));
    assert_eq!(find(subject, subject.ids.next()).await, None);
    let paused = Schedule { paused: true, next_at: None, last_at: Some(subject.now()), ..two.clone() };
    schedules.update_schedule(&paused).await.unwrap();
    assert_eq!(find(subject, two.id).await, Some(Schedule { revision: 2, ..paused.clone() }));
    let late = schedules.update_schedule(&two).await;
    assert!(matches!(late, Err(ChangeScheduleError::Changed)), "{late:?}");
    assert!(schedules.delete_schedule(two.id).await.unwrap());
    assert!(!schedules.delete_schedule(two.id).await.unwrap());
    let gone = schedules.update_schedule(&paused).await;
    assert!(matches!(gone, Err(ChangeScheduleError::NotFound)), "{gone:?}");
    assert_eq!(listed(subject, 10).await, [one]);
}

/// A thousand of them could have a quarter of a gigabyte.
pub async fn a_page_of_schedules_ends_where_it_would_be_huge(subject: &JobsSubject) {
    let long = json!("x".repeat(NewJob::MAX_DATA_BYTES - 2));
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut new = schedule(subject, None);
        new.spec.data = long.clone();
        subject.schedules.create_schedule(&new).await.unwrap();
        all.push(new.id);
    }
    // of the same moment: by their ids
    all.sort_unstable();
    let page = subject.schedules.list_schedules(None, 1000).await.unwrap();
    assert_eq!((page.items.len(), page.more), (15, true));
    let ids: Vec<_> = listed(subject, 1000).await.iter().map(|schedule| schedule.id).collect();
    assert_eq!(ids, all);
}

pub async fn due_schedules_come_the_longest_due_first(subject: &JobsSubject) {
    let start = subject.now();
    assert_eq!(subject.schedules.next_schedule().await.unwrap(), None);
    let mut ids = Vec::new();
    for seconds in [3, 1, 2] {
        let new = schedule(subject, Some(start + seconds * SECOND));
        subject.schedules.create_schedule(&new).await.unwrap();
        ids.push(new.id);
    }
    subject.schedules.create_schedule(&schedule(subject, None)).await.unwrap();
    assert_eq!(subject.schedules.next_schedule().await.unwrap(), Some(start + SECOND));
    let due = async |limit, now| {
        let due = subject.schedules.due_schedules(limit, now).await.unwrap();
        due.into_iter().map(|schedule| schedule.id).collect::<Vec<_>>()
    };
    assert!(due(10, start).await.is_empty());
    assert_eq!(due(10, start + 2 * SECOND).await, [ids[1], ids[2]]);
    assert_eq!(due(1, start + 3 * SECOND).await, [ids[1]]);
    assert_eq!(due(10, start + 3 * SECOND).await, [ids[1], ids[2], ids[0]]);
}

pub async fn a_schedule_fires_once_however_many_fire(subject: &JobsSubject) {
    let due = subject.now();
    let new = schedule(subject, Some(due));
    subject.schedules.create_schedule(&new).await.unwrap();
    let next = Some(due + 60 * SECOND);
    let now = subject.now();
    let job = new.spec.job(new.id, new.user, due, now);
    let jobs = [(due, job.clone())];
    let fires = (0..8).map(|_| subject.schedules.fire_schedule(&new, &jobs, next, now));
    let fired = join_all(fires).await;
    assert_eq!(fired.iter().filter(|fired| fired.is_ok()).count(), 1, "{fired:?}");
    let changed = fired.iter().filter(|fired| matches!(fired, Err(ChangeScheduleError::Changed))).count();
    assert_eq!(changed, 7, "{fired:?}");
    let after = find(subject, new.id).await.unwrap();
    assert_eq!(after, Schedule { next_at: next, last_at: Some(due), revision: 2, ..new.clone() });
    assert_eq!(subject.get(job.id).await.spec, job);
    assert_eq!(subject.admin.counts(None).await.unwrap()[&JobState::Inactive], 1);
    assert_eq!(subject.claim_one("report").await.job.spec.id, job.id);
    subject.schedules.delete_schedule(new.id).await.unwrap();
    let gone = subject.schedules.fire_schedule(&after, &[], None, now).await;
    assert!(matches!(gone, Err(ChangeScheduleError::NotFound)), "{gone:?}");
}

pub async fn a_schedule_whose_job_still_lives_makes_no_other(subject: &JobsSubject) {
    let mut now = subject.now();
    let mut current = schedule(subject, Some(now));
    current.spec.no_overlap = true;
    subject.schedules.create_schedule(&current).await.unwrap();
    for round in 0..3_u64 {
        let job = current.spec.job(current.id, current.user, now, now);
        let next = Some(now + SECOND);
        subject.schedules.fire_schedule(&current, &[(now, job)], next, now).await.unwrap();
        let last = if round == 1 { current.last_at } else { Some(now) };
        current = find(subject, current.id).await.unwrap();
        assert_eq!(current.last_at, last, "the last time that got a job");
        assert_eq!((current.next_at, current.revision), (next, round + 2));
        let expected = if round < 2 { 1 } else { 2 };
        let counts = subject.admin.counts(None).await.unwrap();
        assert_eq!(counts.values().sum::<u64>(), expected, "round {round}");
        if round == 1 {
            let claimed = subject.claim_one("report").await;
            subject.complete(&claimed).await;
        }
        subject.clock.advance(SECOND);
        now = subject.now();
    }
}

/// It named times that were left out.
pub async fn a_schedule_says_the_last_time_that_got_a_job(subject: &JobsSubject) {
    let start = subject.now();
    let mut current = schedule(subject, Some(start));
    subject.schedules.create_schedule(&current).await.unwrap();
    let mut last = None;
    for (due, has_job) in [(start, false), (start + SECOND, true), (start + 2 * SECOND, false)] {
        subject.clock.set(due);
        let job = current.spec.job(current.id, current.user, due, due);
        let jobs: Vec<_> = has_job.then_some((due, job)).into_iter().collect();
        subject.schedules.fire_schedule(&current, &jobs, Some(due + SECOND), due).await.unwrap();
        last = if has_job { Some(due) } else { last };
        current = find(subject, current.id).await.unwrap();
        assert_eq!((current.last_at, current.next_at), (last, Some(due + SECOND)));
    }
}
