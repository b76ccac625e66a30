//! What stores of jobs do later than the changes themselves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::Clock as _;
use common::jobs::{JobAdmin as _, JobEventFilter, JobEvents as _, JobFilter, JobOrder, JobState, NewJob};
use serde_json::json;

use crate::restless::Restless;
use crate::support::{Does, Running, World, registry, until};

#[tokio::test]
async fn jobs_are_found_by_their_words_and_events_are_kept_for_a_day() {
    let world = World::new();
    let handler = Does::new("t", 1, |_| Box::pin(async { Ok(None) }));
    let running = world.run(registry(&[&handler]));
    let job = NewJob { data: json!({"title": "Émile’s holiday"}), ..world.new_job("t") };
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Complete).await;
    let db = &world.store.db;
    let filter = JobFilter { text: Some("emile holi".to_owned()), ..JobFilter::default() };
    until("the job to be found", || async {
        let page = db.list(&filter, JobOrder::Descending, None, 9).await.unwrap();
        page.items.first().map(|found| assert_eq!(found.spec.id, job.id))
    })
    .await;
    let of_job = JobEventFilter { job: Some(job.id), ..JobEventFilter::default() };
    let page = db.events_after(0, &of_job, 100).await.unwrap();
    assert_eq!((page.events.len(), page.gap), (3, false), "it came, began, and was done");
    world.clock.advance(Duration::from_secs(86_400 + 1));
    assert!(page.events.iter().all(|event| event.at + Duration::from_secs(86_400) < world.clock.now()));
    until("the events to be forgotten", || async {
        let page = db.events_after(0, &of_job, 100).await.unwrap();
        (page.gap && page.events.is_empty()).then_some(())
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn events_are_forgotten_while_others_without_a_place_keep_coming() {
    let world = World::new();
    let events = Restless::over(&world);
    events.never_done.store(true, Ordering::SeqCst);
    let running = Running::start(events.service(&world, registry(&[])));
    let job = world.new_job("t");
    world.submit(std::slice::from_ref(&job)).await;
    world.until_state(job.id, JobState::Inactive).await;
    world.clock.advance(Duration::from_secs(86_400 + 1));
    let of_job = JobEventFilter { job: Some(job.id), ..JobEventFilter::default() };
    until("the events to be forgotten", || async {
        let page = world.store.db.events_after(0, &of_job, 100).await.unwrap();
        (page.gap && page.events.is_empty()).then_some(())
    })
    .await;
    running.stop().await;
}
