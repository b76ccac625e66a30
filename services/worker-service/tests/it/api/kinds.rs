//! Pauses and limits of types.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use crate::support::{Does, World, registry, until_true};

async fn types(api: &Api) -> Value {
    api.get("/jobs/types").await
}

async fn claimed(api: &Api, kind: &str) -> usize {
    let body = json!({ "types": [kind], "workerId": "w", "max": 100 });
    api.done("/jobs/claim", &body).await["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_wait_and_go_on() {
    let world = World::new();
    let api = Api::start(&world);
    for kind in ["a", "b"] {
        api.make(json!({ "type": kind })).await;
    }
    api.done("/jobs/pause", &json!({ "type": "a" })).await;
    let found = types(&api).await;
    let of = |kind: &str| {
        found["items"].as_array().unwrap().iter().find(|row| row["type"] == kind).unwrap().clone()
    };
    assert_eq!(
        (&of("a")["paused"], &of("b")["paused"], &found["paused"]),
        (&json!(true), &json!(false), &json!(false))
    );
    assert_eq!((&of("a")["counts"]["inactive"], &of("a")["builtIn"]), (&json!(1), &json!(false)));
    assert_eq!((claimed(&api, "a").await, claimed(&api, "b").await), (0, 1));
    assert_eq!(api.get("/jobs/stats?type=a").await["paused"], true);
    api.done("/jobs/pause", &json!({})).await;
    api.done("/jobs/pause", &json!({})).await;
    api.done("/jobs/resume", &json!({ "type": "a" })).await;
    assert_eq!((&types(&api).await["paused"], claimed(&api, "a").await), (&json!(true), 0));
    api.done("/jobs/resume", &json!({})).await;
    assert_eq!(claimed(&api, "a").await, 1);
    for body in [json!({ "type": "" }), json!({ "nope": 1 }), json!({ "type": 5 })] {
        assert_eq!(api.fault(Method::POST, "/jobs/pause", &body).await.1, "invalid_request", "{body}");
        assert_eq!(api.fault(Method::POST, "/jobs/resume", &body).await.1, "invalid_request", "{body}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_type_begins_no_more_than_it_may() {
    let world = World::new();
    let api = Api::start(&world);
    let jobs: Vec<Value> = (0..5).map(|_| json!({ "type": "mail/out going" })).collect();
    api.done("/jobs", &json!(jobs)).await;
    let path = "/jobs/types/mail%2Fout%20going/limit";
    assert_eq!(api.call(Method::PUT, path, &json!({ "max": 2, "perMs": 60_000 })).await, (204, Value::Null));
    assert_eq!(types(&api).await["items"][0]["limit"], json!({ "max": 2, "perMs": 60_000 }));
    assert_eq!(claimed(&api, "mail/out going").await, 2);
    let body = json!({ "types": ["mail/out going"], "workerId": "w" });
    let held = api.done("/jobs/claim", &body).await;
    assert_eq!(held["items"], json!([]));
    assert!(held["againAt"].is_string(), "{held}");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(claimed(&api, "mail/out going").await, 2);
    assert_eq!(api.call(Method::DELETE, path, &json!({})).await, (204, Value::Null));
    assert_eq!(claimed(&api, "mail/out going").await, 1);
    assert_eq!(types(&api).await["items"][0]["limit"], Value::Null);
    for (body, pointer) in [
        (json!({ "max": 0, "perMs": 1 }), "/max"),
        (json!({ "max": 1, "perMs": 0 }), "/perMs"),
        (json!({ "max": 1, "perMs": u64::MAX }), "/perMs"),
        (json!({ "max": 1 }), "/perMs"),
    ] {
        let fault = api.fault(Method::PUT, path, &body).await;
        assert_eq!(fault, (400, "invalid_request".to_owned(), pointer.to_owned()), "{body}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workers_of_this_process_keep_to_a_limit_and_come_back_when_it_lets_them() {
    let world = World::new();
    let handler = Does::nothing("t");
    let api = Api::with(&world, registry(&[&handler]));
    assert_eq!(
        api.call(Method::PUT, "/jobs/types/t/limit", &json!({ "max": 1, "perMs": 60_000 })).await.0,
        204
    );
    api.done("/jobs", &json!([{ "type": "t" }, { "type": "t" }])).await;
    until_true("the first", || handler.runs() == 1).await;
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(api.get("/jobs/stats?type=t").await["counts"]["inactive"], 1);
    world.clock.advance(Duration::from_secs(1));
    until_true("the second", || handler.runs() == 2).await;
    api.stop().await;
}
