//! Programs report several results at once, and claim with them.

use std::sync::Arc;

use common::PortError;
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::{Parts, Registry, WorkerService};

use super::Api;
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn results_bring_the_next_jobs() {
    let world = World::new();
    let api = Api::start(&world);
    api.done("/jobs", &json!(vec![json!({ "type": "t" }); 5])).await;
    let claim = json!({ "types": ["t"], "workerId": "w", "max": 2, "leaseMs": 60_000 });
    let results = |claims: &Value| {
        let each = claims["items"].as_array().unwrap().iter();
        let each = each.map(|claim| json!({ "id": claim["job"]["id"], "lease": claim["lease"] }));
        each.collect::<Vec<Value>>()
    };
    let mut claimed = api.done("/jobs/claim", &claim).await;
    let mut lots = Vec::new();
    while !results(&claimed).is_empty() {
        let body = json!({ "results": results(&claimed), "claim": claim });
        lots.push(results(&claimed).len());
        let mut answer = api.done("/jobs/results", &body).await;
        assert!(answer["items"].as_array().unwrap().iter().all(|item| item["outcome"] == "complete"));
        claimed = answer["claimed"].take();
        assert_eq!(claimed["againAt"], Value::Null);
    }
    assert_eq!(lots, [2, 2, 1]);
    let counts = &api.get("/jobs/stats?type=t").await["counts"];
    assert_eq!((&counts["complete"], &counts["active"]), (&json!(5), &json!(0)));
    // results that are not taken bring jobs all the same: the places are free
    api.done("/jobs", &json!(vec![json!({ "type": "t" }); 2])).await;
    let held = api.done("/jobs/claim", &json!({ "types": ["t"], "workerId": "w" })).await;
    let mut stale = results(&held);
    api.done("/jobs/results", &json!({ "results": stale })).await;
    let (status, answer) = api.post("/jobs/results", &json!({ "results": stale, "claim": claim })).await;
    assert_eq!((status, &answer["items"][0]["outcome"]), (207, &json!("lost")));
    assert_eq!(results(&answer["claimed"]).len(), 1);
    // without a claim nothing is claimed, and of what the store refuses nothing is either
    stale = results(&answer["claimed"]);
    api.done("/jobs", &json!({ "type": "t" })).await;
    *world.store.failing_completions.lock().unwrap() = vec![PortError::full("store", "no room")];
    let body = json!({ "results": stale, "claim": claim });
    assert_eq!(api.post("/jobs/results", &body).await.0, 507);
    let counts = &api.get("/jobs/stats?type=t").await["counts"];
    assert_eq!((&counts["active"], &counts["inactive"]), (&json!(1), &json!(1)), "it was given back");
    let answer = api.done("/jobs/results", &json!({ "results": stale })).await;
    assert_eq!(answer["claimed"], Value::Null);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_results_are_reported_at_once_each_for_itself() {
    let world = World::new();
    let api = Api::start(&world);
    let jobs: Vec<Value> = (0..4).map(|number| json!({ "type": "t", "attempts": number % 2 + 1 })).collect();
    api.done("/jobs", &json!(jobs)).await;
    let body = json!({ "types": ["t"], "workerId": "w", "max": 4 });
    let claimed = api.done("/jobs/claim", &body).await;
    let claims: Vec<(&str, &str)> = claimed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| (claim["job"]["id"].as_str().unwrap(), claim["lease"].as_str().unwrap()))
        .collect();
    let report = |index: usize, rest: Value| {
        let mut report = rest;
        (report["id"], report["lease"]) = (json!(claims[index].0), json!(claims[index].1));
        report
    };
    let results = json!({ "results": [
        report(0, json!({ "result": 1 })),
        report(1, json!({ "error": "again" })),
        report(2, json!({ "error": "once" })),
        report(3, json!({ "error": "never", "retryable": false })),
        { "id": claims[0].0, "lease": claims[1].1 },
    ] });
    // an answer with an error inside is no 200
    let each = |answer: &Value| {
        let items = answer["items"].as_array().unwrap().iter();
        items.map(|item| json!([item["outcome"], item["status"], item["code"]])).collect::<Vec<_>>()
    };
    let forbidden = json!(["forbidden", 403, "forbidden"]);
    let (status, taken) = api.post("/jobs/results", &results).await;
    let failed = json!(["failed", 200, null]);
    let expected = [json!(["complete", 204, null]), json!(["delayed", 200, null]), failed.clone(), failed];
    assert_eq!((status, each(&taken)), (207, [&expected[..], std::slice::from_ref(&forbidden)].concat()));
    assert!(taken["items"][1]["retryAt"].is_string());
    let (status, again) = api.post("/jobs/results", &results).await;
    let lost = json!(["lost", 409, "lease_lost"]);
    assert_eq!((status, each(&again)), (207, [vec![lost; 4], vec![forbidden]].concat()));
    // the store has its own reasons
    api.done("/jobs", &json!(vec![json!({ "type": "u" }); 3])).await;
    let claimed = api.done("/jobs/claim", &json!({ "types": ["u"], "workerId": "w", "max": 3 })).await;
    let reports: Vec<Value> = claimed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| json!({ "id": claim["job"]["id"], "lease": claim["lease"], "result": 1 }))
        .collect();
    let errors = || vec![PortError::broken("store", "it is damaged"), PortError::full("store", "no room")];
    *world.store.failing_completions.lock().unwrap() = errors();
    let (status, taken) = api.post("/jobs/results", &json!({ "results": reports })).await;
    let mut outcomes = each(&taken);
    outcomes.sort_by_key(|outcome| outcome[1].as_u64());
    let not_taken = [json!(["unavailable", 500, "internal"]), json!(["unavailable", 507, "disk_full"])];
    let expected = [vec![json!(["complete", 204, null])], not_taken.to_vec()].concat();
    assert_eq!((status, outcomes), (207, expected), "as the call for each alone");
    // of nothing taken the problem is that of the call
    *world.store.failing_completions.lock().unwrap() = errors();
    let alone = json!({ "results": [reports[0]] });
    assert_eq!(api.post("/jobs/results", &alone).await.0, 507);
    world.store.failing_completions.lock().unwrap().clear();
    // and one without any is
    let good = api.make(json!({ "type": "alone" })).await;
    let claim = api.claim("alone").await;
    let result = json!({ "results": [{ "id": good, "lease": claim.lease, "result": 1 }] });
    let (status, taken) = api.post("/jobs/results", &result).await;
    assert_eq!((status, each(&taken)), (200, vec![json!(["complete", 204, null])]));
    let claiming = |claim: Value| json!({ "results": [report(0, json!({ "result": 1 }))], "claim": claim });
    for (body, pointer) in [
        (claiming(json!({ "types": ["t"], "workerId": "w", "waitMs": 1 })), "/claim/waitMs"),
        (claiming(json!({ "types": [], "workerId": "w" })), "/claim/types"),
        (claiming(json!({ "types": ["t"], "workerId": "w", "leaseMs": 1 })), "/claim/leaseMs"),
        (json!({ "results": [] }), "/results"),
        (json!({ "results": [{ "id": "x", "lease": "" }] }), "/results/0/id"),
        (json!({ "results": [report(0, json!({ "result": 1, "error": "x" }))] }), "/results/0/error"),
        (json!({ "results": [report(0, json!({ "error": "" }))] }), "/results/0/error"),
        (json!({ "results": vec![report(0, json!({})); 1001] }), "/results"),
    ] {
        let fault = api.fault(Method::POST, "/jobs/results", &body).await;
        assert_eq!(fault, (400, "invalid_request".to_owned(), pointer.to_owned()));
    }
    api.stop().await;
}

/// Whoever reports a result has done the work, and the line is not theirs.
#[tokio::test(flavor = "multi_thread")]
async fn results_are_taken_where_the_line_cannot_be_read() {
    let world = World::new();
    // the store itself: what watches it ends attempts one by one
    let parts = Parts { store: Arc::clone(&world.store.db) as _, ..world.parts(Registry::default()) };
    let api = Api::of(&world, WorkerService::new(parts));
    let id = api.make(json!({ "type": "t" })).await;
    let held = api.claim("t").await;
    api.make(json!({ "type": "t" })).await;
    let database = rusqlite::Connection::open(world.folder.path().join("jobs.db")).unwrap();
    assert_eq!(database.execute("UPDATE jobs SET data = 'damaged' WHERE state = 0", []).unwrap(), 1);
    let claim = json!({ "types": ["t"], "workerId": "w" });
    let result = json!({ "id": id, "lease": held.lease, "result": "done" });
    let answer = api.done("/jobs/results", &json!({ "results": [result], "claim": claim })).await;
    assert_eq!(answer["items"][0]["outcome"], "complete", "{answer}");
    assert_eq!(answer["claimed"], json!({ "items": [], "againAt": null }));
    assert_eq!(api.job(&id).await["result"], "done");
    // the claim by itself, which a program makes that has nothing to do, says why
    let (status, problem) = api.post("/jobs/claim", &claim).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")));
    api.stop().await;
}

/// A repetition would have brought leases of up to a day ago, of jobs that somebody else works by now.
#[tokio::test(flavor = "multi_thread")]
async fn results_with_an_idempotency_key_bring_no_claim() {
    let world = World::new();
    let api = Api::start(&world);
    api.done("/jobs", &json!(vec![json!({ "type": "t" }); 2])).await;
    let held = api.claim("t").await;
    let keyed = async |body: &Value| {
        let request = api.request(Method::POST, "/jobs/results", "ann").header("Idempotency-Key", "\"k\"");
        api.send(request.json(body)).await
    };
    let results = json!([{ "id": held.id, "lease": held.lease }]);
    let claim = json!({ "types": ["t"], "workerId": "w" });
    let (status, problem) = keyed(&json!({ "results": results, "claim": claim })).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_idempotency_key")));
    let counts = &api.get("/jobs/stats?type=t").await["counts"];
    assert_eq!((&counts["active"], &counts["inactive"]), (&json!(1), &json!(1)), "nothing was done");
    let (status, answer) = keyed(&json!({ "results": results })).await;
    assert_eq!((status, &answer["items"][0]["outcome"]), (200, &json!("complete")));
    api.stop().await;
}
