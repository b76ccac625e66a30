//! Programs that give their jobs back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use super::client::words;
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_given_back_costs_no_attempt_and_keeps_its_place() {
    let world = World::new();
    let api = Api::start(&world);
    let first = api.make(json!({ "type": "t" })).await;
    api.make(json!({ "type": "t" })).await;
    let mut events = api.follow("ann", &format!("/jobs/events?job={first}"), None).await;
    let claim = api.claim("t").await;
    assert_eq!(claim.id, first);
    claim.report(&api, "progress", json!({ "progress": 30, "data": { "page": 2 } })).await;
    claim.report(&api, "log", json!({ "line": "as far as page 2" })).await;
    assert_eq!(claim.report(&api, "return", json!({})).await, (204, Value::Null));
    let job = api.job(&first).await;
    assert_eq!(job["attempts"], json!({ "made": 0, "remaining": 1, "max": 1 }));
    assert_eq!(
        (&job["state"], &job["failures"], &job["error"]),
        (&json!("inactive"), &json!([]), &Value::Null)
    );
    let log = api.get(&format!("/jobs/{first}/log")).await;
    assert_eq!(log["items"][0]["line"], "as far as page 2");
    // nothing is taken from its old holder, and it is the next one again: its only attempt is still there
    for (what, body) in [("return", json!({})), ("complete", json!({})), ("heartbeat", json!({}))] {
        let (status, answer) = claim.report(&api, what, body).await;
        assert_eq!((status, &answer["code"]), (409, &json!("lease_lost")), "{what}");
    }
    let again = api.claim("t").await;
    assert_eq!((&again.id, &again.claim["job"]["attempts"]["made"]), (&first, &json!(1)));
    let (status, answer) = claim.report(&api, "return", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("lease_lost")));
    assert_eq!(again.report(&api, "complete", json!({})).await.0, 204);
    let heard = events.until("complete").await;
    assert_eq!(words(&heard), ["state", "start", "progress", "return", "start", "complete"]);
    drop(events);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_given_back_wakes_whoever_waits() {
    let mut world = World::new();
    // nobody looks by themselves
    world.settings.look_around = Duration::from_secs(3600);
    let api = Api::start(&world);
    let id = api.make(json!({ "type": "t" })).await;
    let claim = api.claim("t").await;
    let body = json!({ "types": ["t"], "workerId": "heir", "waitMs": 60_000 });
    let waiting = api.request(Method::POST, "/jobs/claim", "ann").json(&body).send();
    let give_back = async {
        // whether it waits already, or comes later: it gets the job
        assert_eq!(claim.report(&api, "return", json!({})).await.0, 204);
    };
    let (answer, ()) = tokio::join!(waiting, give_back);
    let answer: Value = answer.unwrap().json().await.unwrap();
    assert_eq!(answer["items"][0]["job"]["id"], json!(id));
    assert_eq!(answer["items"][0]["job"]["workerId"], "heir");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_says_nothing_but_the_lease() {
    let world = World::new();
    let api = Api::start(&world);
    let id = api.make(json!({ "type": "t" })).await;
    let claim = api.claim("t").await;
    let path = format!("/jobs/{id}/return");
    for body in [json!({}), json!({ "lease": 7 }), json!({ "lease": claim.lease, "error": "x" })] {
        assert_eq!(api.fault(Method::POST, &path, &body).await.1, "invalid_request", "{body}");
    }
    let unknown = "/jobs/5f1e8896c7ba06511e683b25/return";
    assert_eq!(api.fault(Method::POST, unknown, &json!({ "lease": claim.lease })).await.0, 403);
    let request = api.request(Method::POST, &path, "bob").json(&json!({ "lease": claim.lease }));
    assert_eq!(api.send(request).await.0, 403);
    assert_eq!(api.job(&id).await["state"], "active");
    api.stop().await;
}
