//! Lists, single jobs, logs, numbers, and who may see them.

use std::time::Duration;

use common::Clock as _;
use common::jobs::{JobStore as _, NewJob};
use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use super::client::fault_of;
use crate::http::{bob, eve};
use crate::support::{World, until};

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_may_manage_jobs() {
    let world = World::new();
    let api = Api::start(&world);
    let some = "5f1e8896c7ba06511e683b25";
    for (method, path) in [
        (Method::GET, "/jobs".to_owned()),
        (Method::GET, "/jobs?nonsense=1".to_owned()),
        (Method::GET, format!("/jobs/{some}")),
        (Method::GET, format!("/jobs/{some}/log")),
        (Method::GET, "/jobs/stats".to_owned()),
        (Method::GET, "/jobs/types".to_owned()),
        (Method::GET, "/jobs/dead".to_owned()),
        (Method::GET, "/jobs/events".to_owned()),
        (Method::GET, "/jobs/schedules".to_owned()),
        (Method::GET, "/jobs/schedules/preview?cron=x".to_owned()),
        (Method::GET, format!("/jobs/schedules/{some}")),
        (Method::POST, "/jobs".to_owned()),
        (Method::POST, "/jobs/pause".to_owned()),
        (Method::POST, "/jobs/resume".to_owned()),
        (Method::POST, "/jobs/dead/retry".to_owned()),
        (Method::POST, "/jobs/claim".to_owned()),
        (Method::POST, "/jobs/results".to_owned()),
        (Method::POST, "/jobs/schedules".to_owned()),
        (Method::POST, format!("/jobs/schedules/{some}/run")),
        (Method::POST, format!("/jobs/{some}/retry")),
        (Method::POST, format!("/jobs/{some}/cancel")),
        (Method::POST, format!("/jobs/{some}/progress")),
        (Method::POST, format!("/jobs/{some}/log")),
        (Method::POST, format!("/jobs/{some}/heartbeat")),
        (Method::POST, format!("/jobs/{some}/complete")),
        (Method::POST, format!("/jobs/{some}/fail")),
        (Method::PATCH, format!("/jobs/{some}")),
        (Method::PATCH, format!("/jobs/schedules/{some}")),
        (Method::PUT, "/jobs/types/t/limit".to_owned()),
        (Method::DELETE, "/jobs/types/t/limit".to_owned()),
        (Method::DELETE, format!("/jobs/{some}")),
        (Method::DELETE, format!("/jobs/schedules/{some}")),
    ] {
        for (token, status, code) in [("nobody", 401, "unauthorized"), ("bob", 403, "forbidden")] {
            let (got, body) = api.send(api.request(method.clone(), &path, token)).await;
            assert_eq!((got, &body["code"]), (status, &json!(code)), "{method} {path} {token}");
        }
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_listed_in_both_orders_by_state_type_person_text_and_time() {
    let world = World::new();
    let api = Api::start(&world);
    let begun = world.clock.now();
    let mut made = Vec::new();
    for (number, title) in ["the holiday", "a wedding", "Émile’s holidays"].into_iter().enumerate() {
        let user = if number == 0 { eve() } else { bob() };
        made.push(api.make(json!({ "type": "film", "data": { "title": title }, "userId": user })).await);
        world.clock.advance(Duration::from_secs(60));
    }
    let delayed = api.make(json!({ "type": "other", "delayMs": 60_000 })).await;
    let [one, two, three] = [&*made[0], &*made[1], &*made[2]];
    let list = async |query: &str| api.get(&format!("/jobs{query}")).await;
    assert_eq!(ids(&list("").await), [&*delayed, three, two, one]);
    let page = list("?order=asc&type=film").await;
    assert_eq!((ids(&page), &page["total"]), (vec![one, two, three], &json!(3)));
    assert_eq!(ids(&list("?state=delayed").await), [&*delayed]);
    assert_eq!(ids(&list(&format!("?userId={}", bob())).await), [three, two]);
    let minute = begun + Duration::from_secs(60);
    let page = list(&format!("?from={minute}&type=film")).await;
    assert_eq!((ids(&page), &page["total"]), (vec![three, two], &Value::Null));
    assert_eq!(ids(&list(&format!("?to={minute}")).await), [one]);
    until("the index of texts", || async { (ids(&list("?q=emile%20holi").await) == [three]).then_some(()) })
        .await;
    assert_eq!(ids(&list("?q=holiday").await), [three, one]);
    // page by page, there and back
    for (order, expected) in [("asc", vec![one, two, three]), ("desc", vec![three, two, one])] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        for _ in 0..3 {
            let page = list(&format!("?type=film&limit=1&order={order}{cursor}")).await;
            seen.extend(ids(&page).into_iter().map(str::to_owned));
            cursor = page["nextCursor"].as_str().map(|next| format!("&cursor={next}")).unwrap_or_default();
        }
        assert_eq!((seen, &*cursor), (expected.into_iter().map(str::to_owned).collect(), ""));
    }
    let page = list("?type=film&limit=1").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    for (query, code) in [
        (format!("?type=film&order=asc&cursor={cursor}"), "invalid_cursor"),
        (format!("?cursor={cursor}"), "invalid_cursor"),
        ("?limit=0".to_owned(), "invalid_request"),
        ("?state=lost".to_owned(), "invalid_request"),
        ("?order=up".to_owned(), "invalid_request"),
        ("?from=yesterday".to_owned(), "invalid_request"),
        (format!("?from={minute}&to={minute}"), "invalid_request"),
        ("?nope=1".to_owned(), "invalid_request"),
    ] {
        let (status, body) = api.get_as("ann", &format!("/jobs{query}")).await;
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{query}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_its_data_log_and_numbers() {
    let world = World::new();
    let api = Api::start(&world);
    let id = api
        .make(json!({
            "type": "film", "data": { "blob": "shown, as it is nobody's but the program's" }, "priority": "high", "attempts": 2,
            "backoff": { "kind": "fixed", "delayMs": 5000 }, "ttlMs": 9000, "uniqueKey": "k", "userId": bob(),
        }))
        .await;
    world.clock.advance(Duration::from_secs(10));
    let waiting = api.get("/jobs/stats").await;
    assert_eq!(waiting["counts"]["inactive"], 1);
    assert!(waiting["oldestWaitingAt"].is_string());
    let claim = api.claim("film").await;
    assert_eq!(claim.report(&api, "log", json!({ "line": "first\nline" })).await.0, 204);
    assert_eq!(
        claim.report(&api, "progress", json!({ "progress": 40, "data": { "frame": 7 } })).await.0,
        204
    );
    let job = api.job(&id).await;
    assert_eq!(job["progressData"], json!({ "frame": 7 }));
    assert_eq!(
        (&job["state"], &job["progress"], &job["workerId"]),
        (&json!("active"), &json!(40), &json!("w"))
    );
    assert_eq!(job["data"]["blob"], "shown, as it is nobody's but the program's");
    assert_eq!(
        (&job["priority"], &job["uniqueKey"], &job["ttlMs"]),
        (&json!(-10), &json!("k"), &json!(9000))
    );
    assert!(job["requestId"].is_string());
    let log = api.get(&format!("/jobs/{id}/log")).await;
    assert_eq!(log["items"], json!([{ "at": world.clock.now(), "line": "first\nline" }]));
    world.clock.advance(Duration::from_millis(700));
    assert_eq!(claim.report(&api, "complete", json!({ "result": [1, 2] })).await.0, 204);
    let job = api.job(&id).await;
    assert_eq!(
        (&job["result"], &job["durationMs"], &job["progress"]),
        (&json!([1, 2]), &json!(700), &json!(100))
    );
    let stats = api.get("/jobs/stats?type=film").await;
    assert_eq!((&stats["counts"]["complete"], &stats["workTimeMs"]), (&json!(1), &json!(700)));
    let history = stats["history"].as_array().unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((&history[0]["completed"], &history[0]["waitedMs"]), (&json!(1), &json!(10_000)));
    assert_eq!(api.get("/jobs/stats?type=unknown").await["counts"]["complete"], 0);
    let later = world.clock.now() + Duration::from_secs(120);
    assert_eq!(api.get(&format!("/jobs/stats?since={later}")).await["history"], json!([]));
    for path in ["/jobs/stats?since=x", "/jobs/stats?x=1"] {
        let (status, body) = api.get_as("ann", path).await;
        assert_eq!(fault_of(status, &body).1, "invalid_request", "{path}");
    }
    for path in ["/jobs/5f1e8896c7ba06511e683b25", "/jobs/x", "/jobs/5f1e8896c7ba06511e683b25/log"] {
        let (status, body) = api.get_as("ann", path).await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{path}");
    }
    // nothing of this changed anything
    let hidden = NewJob { data: json!({ "blob": "x" }), ..world.new_job("thumbnails") };
    world.store.insert(std::slice::from_ref(&hidden), world.clock.now()).await.unwrap();
    assert_eq!(api.job(&hidden.id.to_string()).await["data"], json!({}));
    api.stop().await;
}
