//! The dead-letter list.

use common::Clock as _;
use common::jobs::{JobState, JobStore as _, NewJob};
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::HandlerError;

use super::Api;
use crate::support::{Does, World, registry, until, until_true};

#[tokio::test(flavor = "multi_thread")]
async fn failed_jobs_are_listed_and_tried_again_by_type_or_all() {
    let world = World::new();
    let failing =
        Does::new("bad", 4, |_| Box::pin(async { Err(HandlerError::Permanent("on purpose".to_owned())) }));
    let api = Api::with(&world, registry(&[&failing]));
    let jobs: Vec<NewJob> = (0..3).map(|_| world.new_job("bad")).collect();
    world.store.insert(&jobs, world.clock.now()).await.unwrap();
    let other = api.make(json!({ "type": "other", "uniqueKey": "k" })).await;
    assert_eq!(api.claim("other").await.report(&api, "fail", json!({ "error": "no" })).await.0, 200);
    until("all to fail", || async { (api.get("/jobs/dead").await["total"] == 4).then_some(()) }).await;
    let page = api.get("/jobs/dead?type=bad&limit=2").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["total"]), (2, &json!(3)));
    let next = format!("/jobs/dead?type=bad&limit=2&cursor={}", page["nextCursor"].as_str().unwrap());
    let page = api.get(&next).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["nextCursor"]), (1, &Value::Null));
    assert_eq!(page["items"][0]["error"], "on purpose");
    assert_eq!(page["items"][0]["failures"][0]["number"], 1);
    // a live job has the key of the one that failed
    let live = api.make(json!({ "type": "other", "uniqueKey": "k" })).await;
    let retried = api.done("/jobs/dead/retry", &json!({ "type": "bad" })).await;
    assert_eq!(retried, json!({ "retried": 3, "left": 0, "nextCursor": null }));
    until_true("their second runs", || failing.runs() == 6).await;
    for job in &jobs {
        world.until_state(job.id, JobState::Failed).await;
    }
    let all = api.done("/jobs/dead/retry", &json!({})).await;
    assert_eq!(all, json!({ "retried": 3, "left": 1, "nextCursor": null }));
    assert_eq!(api.job(&other).await["state"], "failed");
    assert_eq!(api.job(&live).await["state"], "inactive");
    until_true("their third runs", || failing.runs() == 9).await;
    for (body, code) in
        [(json!({ "cursor": "x" }), "invalid_cursor"), (json!({ "nope": 1 }), "invalid_request")]
    {
        assert_eq!(api.fault(Method::POST, "/jobs/dead/retry", &body).await.1, code);
    }
    assert_eq!(api.get_as("ann", "/jobs/dead?state=failed").await.0, 400);
    api.stop().await;
}
