//! One job is changed: `PATCH`, `retry`, `cancel`, `DELETE`.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::Api;
use crate::support::{Does, World, registry, until, until_true};

const UNKNOWN: &str = "5f1e8896c7ba06511e683b25";

async fn dead(api: &Api, kind: &str) -> String {
    let id = api.make(json!({ "type": kind })).await;
    let claim = api.claim(kind).await;
    assert_eq!(claim.report(api, "fail", json!({ "error": "no" })).await, (200, json!({ "retryAt": null })));
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_another_place_is_promoted_called_off_and_tried_again() {
    let world = World::new();
    let api = Api::start(&world);
    let (first, second) = (api.make(json!({ "type": "t" })).await, api.make(json!({ "type": "t" })).await);
    let patch = async |id: &str, body: Value| api.call(Method::PATCH, &format!("/jobs/{id}"), &body).await;
    let (status, job) = patch(&second, json!({ "priority": "critical" })).await;
    assert_eq!((status, &job["priority"]), (200, &json!(-15)));
    assert_eq!(api.claim("t").await.id, second);
    let delayed = api.make(json!({ "type": "later", "delayMs": 60_000 })).await;
    for _ in 0..2 {
        // safe to repeat
        let (status, job) = patch(&delayed, json!({ "state": "inactive", "priority": 7 })).await;
        assert_eq!((status, &job["state"], &job["priority"]), (200, &json!("inactive"), &json!(7)));
    }
    for _ in 0..2 {
        let (status, job) = patch(&first, json!({ "state": "cancelled" })).await;
        assert_eq!((status, &job["state"]), (200, &json!("cancelled")));
    }
    let (status, job) = api.post(&format!("/jobs/{first}/retry"), &json!({})).await;
    assert_eq!((status, &job["state"]), (200, &json!("inactive")));
    assert_eq!(api.post(&format!("/jobs/{first}/cancel"), &json!({})).await.1["state"], "cancelled");
    let failed = dead(&api, "bad").await;
    assert_eq!(patch(&failed, json!({ "state": "inactive" })).await.1["attempts"]["made"], 0);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_make_no_sense_are_conflicts() {
    let world = World::new();
    let api = Api::start(&world);
    let waiting = api.make(json!({ "type": "waiting" })).await;
    api.make(json!({ "type": "active" })).await;
    let active = api.claim("active").await.id;
    let failed = dead(&api, "bad").await;
    let path = |id: &str, rest: &str| format!("/jobs/{id}{rest}");
    let nothing = json!({});
    for (method, path, body, state) in [
        (Method::POST, path(&waiting, "/retry"), &nothing, "inactive"),
        (Method::POST, path(&active, "/retry"), &nothing, "active"),
        (Method::POST, path(&failed, "/cancel"), &nothing, "failed"),
        (Method::PATCH, path(&failed, ""), &json!({ "priority": 1 }), "failed"),
        (Method::PATCH, path(&failed, ""), &json!({ "state": "cancelled" }), "failed"),
        (Method::PATCH, path(&active, ""), &json!({ "state": "inactive" }), "active"),
        (Method::DELETE, path(&active, ""), &nothing, "active"),
    ] {
        let (status, body) = api.call(method.clone(), &path, body).await;
        assert_eq!(
            (status, &body["code"], &body["state"]),
            (409, &json!("job_state"), &json!(state)),
            "{method} {path}"
        );
    }
    for (method, path, body) in [
        (Method::POST, path(UNKNOWN, "/retry"), &nothing),
        (Method::POST, path(UNKNOWN, "/cancel"), &nothing),
        (Method::PATCH, path(UNKNOWN, ""), &json!({ "state": "inactive" })),
        (Method::PATCH, path("x", ""), &json!({ "priority": 1 })),
        (Method::DELETE, path(UNKNOWN, ""), &nothing),
        (Method::DELETE, path(UNKNOWN, "?force=true"), &nothing),
    ] {
        assert_eq!(api.fault(method.clone(), &path, body).await.1, "not_found", "{method} {path}");
    }
    for (body, pointer) in [
        (json!({}), ""),
        (json!({ "state": "complete" }), "/state"),
        (json!({ "priority": 1.5 }), "/priority"),
        (json!({ "state": "cancelled", "priority": 1 }), "/priority"),
        (json!({ "data": 1 }), "/data"),
    ] {
        let fault = api.fault(Method::PATCH, &path(&waiting, ""), &body).await;
        assert_eq!(fault, (400, "invalid_request".to_owned(), pointer.to_owned()), "{body}");
    }
    assert_eq!(api.call(Method::DELETE, &path(&waiting, "?forced=1"), &nothing).await.0, 400);
    // a key that somebody else has by now
    let first = api.make(json!({ "type": "keyed", "uniqueKey": "k" })).await;
    api.post(&path(&first, "/cancel"), &nothing).await;
    let second = api.make(json!({ "type": "keyed", "uniqueKey": "k" })).await;
    let (status, body) = api.post(&path(&first, "/retry"), &nothing).await;
    assert_eq!((status, &body["code"], &body["holder"]), (409, &json!("key_taken"), &json!(second)));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_removed_and_one_that_is_worked_only_by_force() {
    let world = World::new();
    let api = Api::start(&world);
    let waiting = api.make(json!({ "type": "t" })).await;
    let path = format!("/jobs/{waiting}");
    assert_eq!(api.call(Method::DELETE, &path, &json!({})).await, (204, Value::Null));
    assert_eq!(api.get_as("ann", &path).await.0, 404);
    assert_eq!(api.call(Method::DELETE, &path, &json!({})).await.0, 404);
    api.make(json!({ "type": "t" })).await;
    let claim = api.claim("t").await;
    assert_eq!(api.call(Method::DELETE, &format!("/jobs/{}?force=true", claim.id), &json!({})).await.0, 204);
    let (status, body) = claim.report(&api, "complete", json!({})).await;
    assert_eq!((status, &body["code"]), (409, &json!("lease_lost")));
    api.stop().await;
}

/// Ends with the handler's run, however that ends.
struct Noted(Arc<Notify>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_stopped_when_its_job_is_called_off() {
    let world = World::new();
    let dropped = Arc::new(Notify::new());
    let its_dropped = Arc::clone(&dropped);
    let handler = Does::new("t", 1, move |_| {
        let noted = Noted(Arc::clone(&its_dropped));
        Box::pin(async move {
            let _noted = noted;
            std::future::pending().await
        })
    });
    let api = Api::with(&world, registry(&[&handler]));
    let id = api.make(json!({ "type": "t", "attempts": 3 })).await;
    until_true("the run", || handler.runs() == 1).await;
    assert_eq!(api.post(&format!("/jobs/{id}/cancel"), &json!({})).await.0, 200);
    tokio::time::timeout(Duration::from_secs(30), dropped.notified()).await.expect("the run ends");
    assert_eq!(api.job(&id).await["state"], "cancelled");
    // its place is free again
    api.make(json!({ "type": "t" })).await;
    until("the next run", || async { (handler.runs() == 2).then_some(()) }).await;
    api.stop_hard().await;
}
