//! Programs work jobs over HTTP.

use std::time::Duration;

use common::jobs::{JobStore as _, types};
use common::{BlobKey, Clock as _, FileId};
use http_kit::ticket::TicketKey;
use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use super::client::words;
use crate::http::{ann, bob};
use crate::support::{TICKET_KEY, World, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_works_jobs_to_their_end() {
    let world = World::new();
    let api = Api::start(&world);
    let mut events = api.follow("ann", "/jobs/events?type=film", None).await;
    let id = api
        .make(json!({ "type": "film", "attempts": 2, "backoff": { "kind": "fixed", "delayMs": 5000 } }))
        .await;
    let claim = api.claim("film").await;
    let until = world.clock.now() + Duration::from_secs(1);
    assert_eq!(claim.claim["leaseUntil"], json!(until));
    assert_eq!((&claim.claim["job"]["state"], &claim.claim["contentUrl"]), (&json!("active"), &Value::Null));
    assert_eq!(claim.report(&api, "progress", json!({ "progress": 10 })).await, (204, Value::Null));
    let (status, renewed) = claim.report(&api, "heartbeat", json!({ "leaseMs": 9000 })).await;
    assert_eq!((status, &renewed["leaseUntil"]), (200, &json!(world.clock.now() + Duration::from_secs(9))));
    let (status, failed) = claim.report(&api, "fail", json!({ "error": "at line 3:\n  oops" })).await;
    assert_eq!(status, 200);
    assert!(failed["retryAt"].is_string());
    assert_eq!(api.job(&id).await["error"], "at line 3:\n  oops");
    world.clock.advance(Duration::from_secs(5));
    world.until_state(common::JobId::parse(&id).unwrap(), common::jobs::JobState::Inactive).await;
    let again = api.claim("film").await;
    assert_eq!(again.claim["job"]["attempts"], json!({ "made": 2, "remaining": 0, "max": 2 }));
    assert_ne!(again.lease, claim.lease);
    assert_eq!(
        again.report(&api, "complete", json!({ "result": { "frames": 9 } })).await,
        (204, Value::Null)
    );
    assert_eq!(api.job(&id).await["result"], json!({ "frames": 9 }));
    let heard = events.until("complete").await;
    assert_eq!(
        words(&heard),
        ["enqueue", "start", "progress", "failed-attempt", "promotion", "start", "complete"]
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_goes_on_elsewhere_when_its_program_dies_and_the_late_result_is_refused() {
    let world = World::new();
    let api = Api::start(&world);
    let id = api.make(json!({ "type": "film", "attempts": 3 })).await;
    let dead = api.claim("film").await;
    // longer than its lease
    world.clock.advance(Duration::from_secs(2));
    let second = until("the job to be free", || async {
        let body = json!({ "types": ["film"], "workerId": "other", "waitMs": 1000 });
        let claimed = api.done("/jobs/claim", &body).await;
        claimed["items"].as_array().unwrap().first().cloned()
    })
    .await;
    for (what, body) in [
        ("complete", json!({ "result": "late" })),
        ("fail", json!({ "error": "late" })),
        ("progress", json!({ "progress": 50 })),
        ("log", json!({ "line": "late" })),
        ("heartbeat", json!({})),
        ("return", json!({})),
    ] {
        let (status, answer) = dead.report(&api, what, body).await;
        assert_eq!((status, &answer["code"]), (409, &json!("lease_lost")), "{what}");
    }
    let job = api.job(&id).await;
    assert_eq!(
        (&job["state"], &job["workerId"], &job["failures"][0]["error"]),
        (&json!("active"), &json!("other"), &json!("lease lost"))
    );
    let done = json!({ "lease": second["lease"], "result": "in time" });
    assert_eq!(api.post(&format!("/jobs/{id}/complete"), &done).await.0, 204);
    assert_eq!(api.job(&id).await["result"], "in time");
    api.stop().await;
}

/// All that the store had counted by the claim, it counts once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_from_before_a_backup_was_restored_is_lost() {
    let world = World::new();
    let api = Api::start(&world);
    let id = api.make(json!({ "type": "film", "attempts": 3 })).await;
    let backup = world.folder.path().join("backup.db");
    store_sqlite::copy_database(&world.folder.path().join("jobs.db"), &backup).unwrap();
    let before = api.claim("film").await;
    api.stop().await;
    let world = world.restored(&backup);
    let api = Api::start(&world);
    let after = api.claim("film").await;
    assert_eq!((&before.id, &after.id), (&id, &id));
    assert_eq!(before.claim["job"]["attempts"], after.claim["job"]["attempts"]);
    for (what, body) in [
        ("complete", json!({ "result": "of before" })),
        ("fail", json!({ "error": "of before" })),
        ("progress", json!({ "progress": 50 })),
        ("log", json!({ "line": "of before" })),
        ("heartbeat", json!({})),
        ("return", json!({})),
    ] {
        let (status, answer) = before.report(&api, what, body).await;
        assert_eq!((status, &answer["code"]), (409, &json!("lease_lost")), "{what}");
    }
    assert_eq!(after.report(&api, "complete", json!({ "result": "of now" })).await.0, 204);
    assert_eq!(api.job(&id).await["result"], "of now");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_forged_or_of_another_job_or_account_is_forbidden() {
    let world = World::new();
    let api = Api::start(&world);
    api.done("/jobs", &json!([{ "type": "t" }, { "type": "t" }])).await;
    let (one, two) = (api.claim("t").await, api.claim("t").await);
    let mut altered = one.lease.clone().into_bytes();
    altered[3] ^= 1;
    let altered = String::from_utf8(altered).unwrap();
    let id = &one.id;
    for (token, lease) in
        [("ann", &*two.lease), ("ann", ""), ("ann", "x"), ("ann", &*altered), ("amy", &*one.lease)]
    {
        for (what, rest) in [
            ("complete", json!({})),
            ("fail", json!({ "error": "x" })),
            ("progress", json!({ "progress": 1 })),
            ("log", json!({ "line": "x" })),
            ("heartbeat", json!({})),
            ("return", json!({})),
        ] {
            let mut body = rest;
            body["lease"] = json!(lease);
            let request = api.request(Method::POST, &format!("/jobs/{id}/{what}"), token).json(&body);
            let (status, answer) = api.send(request).await;
            assert_eq!((status, &answer["code"]), (403, &json!("forbidden")), "{what} {token} {lease}");
        }
    }
    assert_eq!(api.job(id).await["state"], "active");
    assert_eq!(one.report(&api, "complete", json!({})).await.0, 204);
    let (status, answer) = one.report(&api, "complete", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("lease_lost")));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_claims_and_reports_are_refused() {
    let world = World::new();
    let api = Api::start(&world);
    let claim = |change: Value| {
        let mut body = json!({ "types": ["t"], "workerId": "w" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    for (body, pointer) in [
        (json!({ "types": ["t"] }), "/workerId"),
        (claim(json!({ "types": [] })), "/types"),
        (claim(json!({ "types": vec!["t"; 51] })), "/types"),
        (claim(json!({ "types": ["t", ""] })), "/types/1"),
        (claim(json!({ "types": [types::THUMBNAILS] })), "/types/0"),
        (claim(json!({ "workerId": "" })), "/workerId"),
        (claim(json!({ "max": 0 })), "/max"),
        (claim(json!({ "max": 101 })), "/max"),
        (claim(json!({ "leaseMs": 999 })), "/leaseMs"),
        (claim(json!({ "leaseMs": 3_600_001 })), "/leaseMs"),
        (claim(json!({ "waitMs": 60_001 })), "/waitMs"),
        (claim(json!({ "nope": 1 })), "/nope"),
    ] {
        let fault = api.fault(Method::POST, "/jobs/claim", &body).await;
        assert_eq!(fault, (400, "invalid_request".to_owned(), pointer.to_owned()), "{body}");
    }
    api.make(json!({ "type": "t" })).await;
    let claim = api.claim("t").await;
    let large = json!("x".repeat(256 * 1024));
    for (what, body, pointer) in [
        ("progress", json!({ "progress": 101 }), "/progress"),
        ("progress", json!({ "progress": -1 }), "/progress"),
        ("progress", json!({ "progress": 1, "data": large }), "/data"),
        ("complete", json!({ "result": large }), "/result"),
        ("fail", json!({ "error": "" }), "/error"),
        ("fail", json!({ "error": "x".repeat(16 * 1024 + 1) }), "/error"),
        ("fail", json!({}), "/error"),
        ("log", json!({}), "/line"),
        ("heartbeat", json!({ "leaseMs": 1 }), "/leaseMs"),
    ] {
        let (status, answer) = claim.report(&api, what, body).await;
        let fault = super::client::fault_of(status, &answer);
        assert_eq!(fault, (400, "invalid_request".to_owned(), pointer.to_owned()), "{what}");
    }
    assert_eq!(api.job(&claim.id).await["state"], "active");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_job_brings_the_address_of_its_content() {
    let world = World::new();
    let api = Api::start(&world);
    let (file, blob) = (FileId::from_bytes([5; 12]), BlobKey::from_bytes([6; 16]));
    let key = TicketKey::new(&TICKET_KEY);
    for (data, user, blob) in [
        (json!({ "fileId": file }), Value::Null, None),
        (json!({ "fileId": file, "blob": blob }), json!(bob()), Some(blob)),
    ] {
        api.make(json!({ "type": "t", "data": data, "userId": user })).await;
        let claim = api.claim("t").await;
        let address = claim.claim["contentUrl"].as_str().unwrap();
        let (path, ticket) = address.split_once("?ticket=").unwrap();
        assert_eq!(path, format!("/api/v1/files/{file}/content"));
        let ticket = key.verify(file, ticket, world.clock.now()).unwrap();
        // it opens what its worker's account may read, whosever the job is
        assert_eq!((ticket.blob, ticket.user), (blob, Some(ann())));
        assert_eq!(ticket.expires_at, world.clock.now() + Duration::from_secs(3600));
    }
    for data in [json!({ "fileId": "x" }), json!({ "fileId": 5 }), json!("x"), Value::Null] {
        api.make(json!({ "type": "t", "data": data })).await;
        assert_eq!(api.claim("t").await.claim["contentUrl"], Value::Null, "{data}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c143_a_program_that_reports_may_work_longer_than_its_lease() {
    let world = World::new();
    let api = Api::start(&world);
    let id = api.make(json!({ "type": "t", "attempts": 2 })).await;
    let claim = api.claim("t").await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_millis(900));
        assert_eq!(claim.report(&api, "heartbeat", json!({ "leaseMs": 1000 })).await.0, 200);
    }
    assert_eq!(world.store.reap(9, world.clock.now()).await.unwrap(), Vec::<String>::new());
    assert_eq!(claim.report(&api, "complete", json!({})).await.0, 204);
    assert_eq!(api.job(&id).await["failures"], json!([]));
    api.stop().await;
}

/// Whole stacks had stood on the owner's page.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_a_job_is_told_its_error_and_administrators_the_stack() {
    const STACK: &str = "Traceback (most recent call last):\n  File \"/srv/app/convert.py\", line 3, in run\n    raise Jam()\napp.errors.Jam: no paper";
    let world = World::new();
    let api = Api::start(&world);
    let mut events = api.follow("bob", "/users/me/jobs/events", None).await;
    let mut all_events = api.follow("ann", "/jobs/events", None).await;
    let id = api.make(json!({ "type": "t", "attempts": 2, "userId": bob() })).await;
    let failed = json!({ "error": STACK });
    assert_eq!(api.claim("t").await.report(&api, "fail", failed.clone()).await.0, 200);
    until("the second attempt", || async { (api.job(&id).await["state"] == "inactive").then_some(()) }).await;
    let second = api.claim("t").await;
    assert_eq!(second.claim["job"]["error"], STACK, "who works it sees the stack");
    assert_eq!(second.report(&api, "fail", failed).await.0, 200);

    let short = json!("Jam: no paper");
    let one = api.get_as("bob", &format!("/users/me/jobs/{id}")).await.1;
    let listed = api.get_as("bob", "/users/me/jobs").await.1["items"][0].take();
    let state =
        api.follow("bob", &format!("/users/me/jobs/events?job={id}"), None).await.until("state").await;
    for seen in [&one, &listed, &state[0].data["job"]] {
        assert_eq!((&seen["error"], &seen["failures"][0]["error"]), (&short, &short));
    }
    for heard in events.until("failed").await {
        let error = &heard.data["data"]["error"];
        assert!(error.is_null() || *error == short, "{heard:?}");
        assert!(!heard.data.to_string().contains("/srv"), "{heard:?}");
    }
    let told = until("the notification", || async {
        api.get_as("bob", "/notifications").await.1["items"].get(0).cloned()
    })
    .await;
    assert_eq!(
        (&told["data"]["error"], &told["text"]),
        (&short, &json!("A job of type t failed: Jam: no paper"))
    );
    // administrators see all of it
    let seen = api.job(&id).await;
    assert_eq!((&seen["error"], &seen["failures"][0]["error"]), (&json!(STACK), &json!(STACK)));
    let last = all_events.until("failed").await.pop().unwrap();
    assert_eq!(last.data["data"]["error"], STACK);
    api.stop().await;
}

/// It had become one of 30 seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_renews_a_lease_by_the_length_of_its_claim() {
    let world = World::new();
    let api = Api::start(&world);
    api.make(json!({ "type": "t" })).await;
    let body = json!({ "types": ["t"], "workerId": "w", "leaseMs": 600_000 });
    let claim = api.done("/jobs/claim", &body).await["items"][0].take();
    let path = format!("/jobs/{}/heartbeat", claim["job"]["id"].as_str().unwrap());
    let beat = async |more: Value| {
        let mut body = json!({ "lease": claim["lease"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        api.done(&path, &body).await["leaseUntil"].take()
    };
    world.clock.advance(Duration::from_secs(10));
    let after = |seconds| json!(world.clock.now() + Duration::from_secs(seconds));
    assert_eq!(beat(json!({})).await, after(600));
    assert_eq!(beat(json!({ "leaseMs": 700_000 })).await, after(700));
    assert_eq!(beat(json!({ "leaseMs": 5000 })).await, after(5));
    api.stop().await;
}
