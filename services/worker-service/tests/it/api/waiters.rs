//! Who waits for a job, jobs with keys, and jobs that are removed when they are complete.

use std::time::Duration;

use common::JobId;
use common::jobs::JobState;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::words;
use super::{Api, Events};
use crate::http::bob;
use crate::support::{World, until};

async fn wait_for(api: &Api, id: &str) -> Events {
    api.follow("ann", &format!("/jobs/events?job={id}"), None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn c149_who_waits_for_a_job_that_is_removed_gets_an_answer() {
    let world = World::new();
    let api = Api::start(&world);
    // removed on completion
    let id = api.make(json!({ "type": "t", "removeOnComplete": true })).await;
    let mut waiter = wait_for(&api, &id).await;
    let state = waiter.next().await.unwrap();
    assert_eq!(
        (&*state.event, &state.data["state"], &state.data["job"]["id"]),
        ("state", &json!("inactive"), &json!(id))
    );
    let claim = api.claim("t").await;
    assert_eq!(claim.report(&api, "complete", json!({ "result": 5 })).await.0, 204);
    let heard = waiter.until("remove").await;
    assert_eq!(words(&heard), ["start", "complete", "remove"]);
    assert_eq!(heard[1].data["data"], json!({ "result": 5 }));
    // who comes when it is gone is told at once, as of one that never was
    for id in [&*id, "5f1e8896c7ba06511e683b25"] {
        let state = wait_for(&api, id).await.next().await.unwrap();
        assert_eq!(state.data, json!({ "jobId": id, "state": "unknown", "job": null }));
    }
    // deleted while it is worked
    let id = api.make(json!({ "type": "t" })).await;
    let mut waiter = wait_for(&api, &id).await;
    api.claim("t").await;
    assert_eq!(api.call(Method::DELETE, &format!("/jobs/{id}?force=true"), &json!({})).await.0, 204);
    assert_eq!(words(&waiter.until("remove").await), ["state", "start", "cancel", "remove"]);
    // finished before
    let id = api.make(json!({ "type": "t", "userId": bob() })).await;
    assert_eq!(api.claim("t").await.report(&api, "complete", json!({ "result": 6 })).await.0, 204);
    let state = wait_for(&api, &id).await.next().await.unwrap();
    assert_eq!((&state.data["state"], &state.data["job"]["result"]), (&json!("complete"), &json!(6)));
    // one's own, and somebody else's
    for (token, known) in [("bob", "complete"), ("eve", "unknown")] {
        let mut stream = api.follow(token, &format!("/users/me/jobs/events?job={id}"), None).await;
        assert_eq!(stream.next().await.unwrap().data["state"], json!(known), "{token}");
    }
    drop(waiter);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c151_a_unique_key_is_free_again_when_its_job_failed_stalled_or_was_removed() {
    let world = World::new();
    let api = Api::start(&world);
    let job = || json!({ "type": "t", "uniqueKey": "k" });
    let is_taken = async || api.post("/jobs", &job()).await.0 == 409;
    // failed
    api.make(job()).await;
    assert!(is_taken().await);
    let claim = api.claim("t").await;
    assert!(is_taken().await);
    assert_eq!(claim.report(&api, "fail", json!({ "error": "no" })).await.0, 200);
    // stalled: its program says nothing, and it was its only attempt
    let stalled = api.make(job()).await;
    api.claim("t").await;
    world.clock.advance(Duration::from_secs(2));
    world.until_state(JobId::parse(&stalled).unwrap(), JobState::Failed).await;
    // called off, removed, complete
    let id = api.make(job()).await;
    assert_eq!(api.post(&format!("/jobs/{id}/cancel"), &json!({})).await.0, 200);
    let id = api.make(job()).await;
    assert_eq!(api.call(Method::DELETE, &format!("/jobs/{id}"), &json!({})).await.0, 204);
    api.make(job()).await;
    assert_eq!(api.claim("t").await.report(&api, "complete", json!({})).await.0, 204);
    api.make(job()).await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c152_a_job_that_is_removed_on_completion_and_stalls_once_is_treated_the_same() {
    let world = World::new();
    let api = Api::start(&world);
    let id =
        api.make(json!({ "type": "t", "removeOnComplete": true, "attempts": 2, "uniqueKey": "k" })).await;
    let stalled = api.claim("t").await;
    world.clock.advance(Duration::from_secs(2));
    world.until_state(JobId::parse(&id).unwrap(), JobState::Inactive).await;
    let second = api.claim("t").await;
    assert_eq!(second.id, id);
    assert_eq!(stalled.report(&api, "complete", json!({})).await.1["code"], "lease_lost");
    assert_eq!(second.report(&api, "complete", json!({})).await.0, 204);
    assert_eq!(api.get_as("ann", &format!("/jobs/{id}")).await.0, 404);
    // its id stays known, its key is free
    let (status, answer) = api.post("/jobs", &json!({ "id": id, "type": "t" })).await;
    assert_eq!((status, &answer["outcome"]), (200, &json!("known")));
    api.make(json!({ "type": "t", "uniqueKey": "k" })).await;
    // one that fails for good stays, removal or not
    let id = api.make(json!({ "type": "u", "removeOnComplete": true })).await;
    assert_eq!(
        api.claim("u").await.report(&api, "fail", json!({ "error": "no" })).await.1,
        json!({ "retryAt": null })
    );
    assert_eq!(api.job(&id).await["state"], "failed");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c148_a_job_that_kills_its_worker_each_time_is_given_up_and_others_go_on() {
    let world = World::new();
    let api = Api::start(&world);
    let deadly = api.make(json!({ "type": "t", "attempts": 3, "priority": "critical" })).await;
    let others: Vec<Value> = (0..3).map(|_| json!({ "type": "t" })).collect();
    api.done("/jobs", &json!(others)).await;
    for _ in 0..3 {
        // whoever takes it is never heard of again
        assert_eq!(api.claim("t").await.id, deadly);
        assert_eq!(api.claim("t").await.report(&api, "complete", json!({})).await.0, 204);
        world.clock.advance(Duration::from_secs(2));
        until("the reaper", || async { (api.job(&deadly).await["state"] != "active").then_some(()) }).await;
    }
    let dead = api.get("/jobs/dead").await;
    assert_eq!((&dead["total"], &dead["items"][0]["id"]), (&json!(1), &json!(deadly)));
    let errors: Vec<_> = dead["items"][0]["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["error"].clone())
        .collect();
    assert_eq!(errors, ["lease lost"; 3]);
    assert_eq!(api.get("/jobs?type=t&state=complete").await["total"], 3);
    api.stop().await;
}
