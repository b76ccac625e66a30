//! `POST /jobs`

use std::time::Duration;

use common::Clock as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use crate::support::World;

const ID: &str = "5f1e8896c7ba06511e683b25";

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_made_once_however_often_the_request_is_repeated() {
    let world = World::new();
    let api = Api::start(&world);
    let job = json!({ "id": ID, "type": "t", "data": [1], "delayMs": 5000 });
    let request = api.request(Method::POST, "/jobs", "ann").json(&job);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(answer.headers()["location"], format!("jobs/{ID}"));
    assert_eq!(api.post("/jobs", &job).await, (200, json!({ "id": ID, "outcome": "known", "holder": null })));
    let shown = api.job(ID).await;
    let due = world.clock.now() + Duration::from_secs(5);
    assert_eq!(
        (&shown["state"], &shown["promoteAt"], &shown["delayMs"]),
        (&json!("delayed"), &json!(due), &json!(5000))
    );
    assert_eq!(shown["attempts"], json!({ "made": 0, "remaining": 1, "max": 1 }));
    let at = json!({ "type": "t", "promoteAt": due });
    assert_eq!(api.job(&api.make(at).await).await["promoteAt"], json!(due));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_jobs_are_made_at_once_each_with_its_outcome() {
    let world = World::new();
    let api = Api::start(&world);
    api.make(json!({ "id": ID, "type": "t", "uniqueKey": "k" })).await;
    let (status, made) = api
        .post(
            "/jobs",
            &json!([{ "type": "t", "priority": -3 }, { "id": ID, "type": "t" }, { "type": "t", "uniqueKey": "k" }]),
        )
        .await;
    // one of them was not made, so it is no 201
    let each: Vec<_> = made["items"].as_array().unwrap().iter().collect();
    let each: Vec<_> =
        each.iter().map(|made| json!([made["outcome"], made["status"], made["code"]])).collect();
    let expected =
        [json!(["inserted", 201, null]), json!(["known", 200, null]), json!(["taken", 409, "key_taken"])];
    assert_eq!((status, each), (207, expected.to_vec()));
    assert_eq!(made["items"][2]["holder"], ID);
    let most: Vec<Value> = (0..1000).map(|number| json!({ "type": "many", "data": number })).collect();
    assert_eq!(api.post("/jobs", &json!(most)).await.0, 201);
    assert_eq!(api.get("/jobs?type=many").await["total"], 1000);
    // one that cannot be made is refused whole
    let (status, body) = api.post("/jobs", &json!({ "type": "t", "uniqueKey": "k" })).await;
    assert_eq!((status, &body["code"], &body["holder"]), (409, &json!("key_taken"), &json!(ID)));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_job_is_is_said_with_its_place_and_nothing_is_made() {
    let world = World::new();
    let api = Api::start(&world);
    let large = "x".repeat(256 * 1024);
    for (body, pointer) in [
        (json!({}), "/type"),
        (json!({ "type": "" }), "/type"),
        (json!({ "type": "a\nb" }), "/type"),
        (json!({ "type": 5 }), "/type"),
        (json!({ "type": "t", "id": "x" }), "/id"),
        (json!({ "type": "t", "priority": "urgent" }), "/priority"),
        (json!({ "type": "t", "attempts": 0 }), "/attempts"),
        (json!({ "type": "t", "attempts": 1001 }), "/attempts"),
        (json!({ "type": "t", "ttlMs": 0 }), "/ttlMs"),
        (json!({ "type": "t", "delayMs": -1 }), "/delayMs"),
        (json!({ "type": "t", "delayMs": u64::MAX }), "/delayMs"),
        (json!({ "type": "t", "delayMs": 1, "promoteAt": "2030-01-01T00:00:00Z" }), "/delayMs"),
        (json!({ "type": "t", "promoteAt": "soon" }), "/promoteAt"),
        (json!({ "type": "t", "uniqueKey": "" }), "/uniqueKey"),
        // whoever took one of these would keep upkeep, a schedule or a ping from being done
        (json!({ "type": "t", "uniqueKey": "expire-trash" }), "/uniqueKey"),
        (json!({ "type": "t", "uniqueKey": "schedule:010101010101010101010101" }), "/uniqueKey"),
        (json!({ "type": "t", "uniqueKey": "webhook-ping:010101010101010101010101" }), "/uniqueKey"),
        (json!({ "type": "t", "data": large }), "/data"),
        (json!({ "type": "t", "nope": 1 }), "/nope"),
        (json!([]), ""),
        (json!("t"), ""),
        (json!([{ "type": "t" }, { "type": "t", "attempts": 0 }]), "/1/attempts"),
        (json!([{ "type": "t" }, { "kind": "t" }]), "/1/kind"),
        (json!(vec![json!({ "type": "t" }); 1001]), ""),
    ] {
        let fault = api.fault(Method::POST, "/jobs", &body).await;
        assert_eq!(
            fault,
            (400, "invalid_request".to_owned(), pointer.to_owned()),
            "{:.80}",
            body.to_string()
        );
    }
    let huge = vec![json!({ "type": "t", "data": "x".repeat(200 * 1024) }); 6];
    assert_eq!(api.fault(Method::POST, "/jobs", &json!(huge)).await.1, "too_large");
    let request =
        api.request(Method::POST, "/jobs", "ann").header("content-type", "application/json").body("{");
    assert_eq!(api.send(request).await.1["code"], "invalid_json");
    assert_eq!(api.get("/jobs?type=t").await["total"], 0);
    api.stop().await;
}
