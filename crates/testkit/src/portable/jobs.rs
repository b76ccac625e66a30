use std::time::Duration;

use common::jobs::{Attempt, Backoff, ClaimRequest, Job, JobState, JobStore, NewJob};
use common::notifications::{NewNotification, Notification};
use common::portable::{PortableJob, PortableJobs};
use serde_json::json;

use super::{at, id};

fn job(number: u8) -> PortableJob {
    let is_rich = number == 1;
    let spec = NewJob {
        user: is_rich.then(|| id(1)),
        max_attempts: 5,
        backoff: Backoff::Fixed { delay_ms: 10 },
        run_at: (number == 2).then_some(at(1000)),
        request_id: is_rich.then(|| "request".to_owned()),
        unique_key: (number > 2).then(|| "a key".to_owned()),
        remove_on_complete: number == 3,
        ..NewJob::new(id(number), "report", json!({"number": number}), at(1))
    };
    let failure = |number: u32| Attempt { number, at: at(3), error: "it broke".to_owned() };
    let log = if is_rich { vec![(at(2), "one".to_owned()), (at(3), "twö".to_owned())] } else { Vec::new() };
    let kept = PortableJob::new(spec, at(5));
    let job = if is_rich {
        Job {
            progress: 40,
            progress_data: Some(json!({"page": 7})),
            error: Some("it broke".to_owned()),
            attempts_made: 2,
            failures: vec![failure(1), failure(2)],
            inserted_at: at(2),
            updated_at: at(4),
            ..kept.job
        }
    } else {
        kept.job
    };
    PortableJob { job, log }
}

/// All jobs that are yet to be done, without their numbers.
async fn all_jobs(store: &impl PortableJobs) -> Vec<PortableJob> {
    let mut jobs = all!(|after| store.page_jobs(after, 2), |kept| kept.job.number);
    jobs.iter_mut().for_each(|kept| kept.job.number = 0);
    jobs
}

/// The contract of [`PortableJobs`], over an empty store.
pub async fn jobs(store: &(impl PortableJobs + JobStore)) {
    let kept: Vec<PortableJob> = (1..=4).map(job).collect();
    store.keep_jobs(&kept[..1]).await.unwrap();
    store.keep_jobs(&kept).await.unwrap();
    store.keep_jobs(&kept).await.unwrap();
    store.keep_jobs(&[]).await.unwrap();
    assert_eq!(all_jobs(store).await, kept[..3], "in their order, but for one whose key another has");
    let claim = ClaimRequest {
        types: vec!["report".to_owned()],
        worker: "somebody".to_owned(),
        max: 1,
        lease: Duration::from_secs(60),
    };
    let claims = store.claim(&claim, at(6)).await.unwrap();
    let claimed = &claims.jobs[0].job;
    assert_eq!((claimed.spec.id, claimed.state, claimed.attempts_made), (id(1), JobState::Active, 3));
    let log = store.list_log(id(1)).await.unwrap();
    assert_eq!(log, kept[0].log);
    store.log(claims.jobs[0].holder, "three", at(7)).await.unwrap();
    let resting = all_jobs(store).await;
    assert_eq!(
        (resting[0].job.state, resting[0].job.attempts_made),
        (JobState::Inactive, 2),
        "who works it goes away"
    );
    assert_eq!(resting[0].log.len(), 3);
    assert_eq!(store.promote_due(10, at(1001)).await.unwrap(), ["report"]);

    let notification = |number: u8| Notification {
        news: NewNotification {
            id: id(number),
            user: id(1),
            kind: "job.failed".to_owned(),
            text: "It failed".to_owned(),
            data: json!({"jobId": number}),
        },
        created_at: at(number.into()),
        read_at: (number == 2).then_some(at(9)),
    };
    there_and_back!(
        store,
        (1..=3).map(notification).collect::<Vec<_>>(),
        keep_notifications,
        |after| store.page_notifications(after, 2),
        |kept| kept.news.id
    );
}
