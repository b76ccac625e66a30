//! Schedules, and jobs at their times.

use std::time::Duration;

use common::jobs::JobFilter;
use common::jobs::{JobAdmin as _, JobOrder};
use common::{Clock as _, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::Registry;

use super::Api;
use crate::http::ann;
use crate::support::{Does, World, registry, until, until_true};

/// A world in which it is one minute to four.
fn before_four() -> World {
    let world = World::new();
    let now = world.clock.now();
    let day = 86_400_000;
    let morning = now.millis().div_euclid(day) * day + day + 4 * 3_600_000 - 60_000;
    world.clock.advance(Timestamp::from_millis(morning).since(now));
    world
}

async fn jobs_of(world: &World, kind: &str) -> usize {
    let filter = JobFilter { kind: Some(kind.to_owned()), ..JobFilter::default() };
    world.store.db.list(&filter, JobOrder::Descending, None, 1000).await.unwrap().items.len()
}

fn body(cron: &str, change: Value) -> Value {
    let mut body = json!({ "name": "nightly", "cron": cron, "type": "report" });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_can_be_tried_before_there_is_a_schedule_of_it() {
    let world = before_four();
    let api = Api::start(&world);
    let four = world.clock.now() + Duration::from_secs(60);
    let times: Vec<_> = (0..5).map(|day| json!(four + Duration::from_secs(day * 86_400))).collect();
    let seen = api.get("/jobs/schedules/preview?cron=0%204%20*%20*%20*").await;
    assert_eq!(seen["next"], json!(times));
    assert!(!seen["description"].as_str().unwrap().is_empty());
    for (query, pointer) in [
        ("cron=0%2025%20*%20*%20*", "/cron"),
        ("cron=*/100%20*%20*%20*%20*", "/cron"),
        ("cron=0%200%2030%202%20*", "/cron"),
        ("cron=0%204%20*%20*%20*&timeZone=Nowhere", "/timeZone"),
    ] {
        let path = format!("/jobs/schedules/preview?{query}");
        let (status, problem) = api.get_as("ann", &path).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!(pointer)), "{query}");
    }
    assert_eq!(api.get("/jobs/schedules").await["items"], json!([]));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_makes_its_job_at_its_time_whoever_runs() {
    let world = before_four();
    let handler = Does::nothing("report");
    // three processes over one store
    let others = [world.run(Registry::default()), world.run(registry(&[&handler]))];
    let api = Api::start(&world);
    let made = api
        .done(
            "/jobs/schedules",
            &body("0 4 * * *", json!({ "data": { "of": "day" }, "priority": "low", "attempts": 3 })),
        )
        .await;
    let four = world.clock.now() + Duration::from_secs(60);
    assert_eq!(
        (&made["nextAt"], &made["lastAt"], &made["revision"]),
        (&json!(four), &Value::Null, &json!(1))
    );
    let times: Vec<_> = (0..5).map(|day| json!(four + Duration::from_secs(day * 86_400))).collect();
    assert_eq!(made["next"], json!(times));
    assert_eq!(
        (&made["timeZone"], &made["catchUp"], &made["paused"]),
        (&json!("UTC"), &json!("skip"), &json!(false))
    );
    assert!(made["description"].as_str().unwrap().contains("04:00"), "{}", made["description"]);
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(jobs_of(&world, "report").await, 0);
    for day in 1..=3 {
        world.clock.advance(Duration::from_secs(if day == 1 { 1 } else { 86_400 }));
        until_true("the run", || handler.runs() == day).await;
    }
    let list = api.get("/jobs/schedules").await;
    let shown = &list["items"][0];
    assert_eq!((&shown["lastAt"], &shown["nextAt"]), (&times[2], &times[3]));
    assert_eq!(api.get(&format!("/jobs/schedules/{}", made["id"].as_str().unwrap())).await, *shown);
    let jobs = api.get("/jobs?type=report").await;
    assert_eq!(jobs["total"], 3);
    let job = &jobs["items"][0];
    assert_eq!(
        (&job["data"], &job["priority"], &job["userId"]),
        (&json!({ "of": "day" }), &json!(10), &json!(ann()))
    );
    for other in others {
        other.stop().await;
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_passed_while_nothing_ran_are_left_out_or_made_up_for() {
    let world = before_four();
    let api = Api::start(&world);
    for (kind, catch_up) in [("skip", "skip"), ("once", "once"), ("all", "all")] {
        api.done("/jobs/schedules", &body("0 4 * * *", json!({ "type": kind, "catchUp": catch_up }))).await;
    }
    api.stop().await;
    let world = world.restarted();
    world.clock.advance(Duration::from_secs(3 * 86_400 + 7200));
    let api = Api::start(&world);
    until("all to have fired", || async {
        let list = api.get("/jobs/schedules").await;
        let items = list["items"].as_array().unwrap();
        let now = json!(world.clock.now());
        items.iter().all(|item| item["nextAt"].as_str() > now.as_str()).then_some(())
    })
    .await;
    assert_eq!(
        (jobs_of(&world, "skip").await, jobs_of(&world, "once").await, jobs_of(&world, "all").await),
        (0, 1, 4)
    );
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_changed_paused_run_and_removed() {
    let world = before_four();
    let api = Api::start(&world);
    let made = api.done("/jobs/schedules", &body("0 4 * * *", json!({ "noOverlap": true }))).await;
    let path = format!("/jobs/schedules/{}", made["id"].as_str().unwrap());
    let patch = async |body: Value| {
        let (status, answer) = api.call(Method::PATCH, &path, &body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let paused = patch(json!({ "paused": true })).await;
    assert_eq!(
        (&paused["nextAt"], &paused["next"], &paused["revision"]),
        (&Value::Null, &json!([]), &json!(2))
    );
    world.clock.advance(Duration::from_secs(3600));
    let changed =
        patch(json!({ "paused": false, "cron": "30 4 * * *", "timeZone": "Europe/Berlin", "name": "n" }))
            .await;
    assert_eq!((&changed["name"], &changed["cron"]), (&json!("n"), &json!("30 4 * * *")));
    let next = Timestamp::parse(changed["nextAt"].as_str().unwrap()).unwrap();
    assert!(next > world.clock.now(), "the pause is not made up for");
    // what is not about times leaves them alone
    assert_eq!(patch(json!({ "priority": 3, "ttlMs": 5000 })).await["nextAt"], changed["nextAt"]);
    // now, and not twice at once
    let run = async || api.post(&format!("{path}/run"), &json!({})).await;
    let (status, job) = run().await;
    assert_eq!(status, 201);
    assert_eq!(api.job(job["id"].as_str().unwrap()).await["ttlMs"], 5000);
    let (status, refused) = run().await;
    assert_eq!((status, &refused["code"], &refused["holder"]), (409, &json!("key_taken"), &job["id"]));
    world.clock.advance(next.since(world.clock.now()));
    until("it to fire", || async { (api.get(&path).await["nextAt"] != changed["nextAt"]).then_some(()) })
        .await;
    assert_eq!(jobs_of(&world, "report").await, 1, "none while one is live");
    assert_eq!(api.get(&path).await["lastAt"], Value::Null, "no time got a job");
    assert_eq!(api.call(Method::DELETE, &path, &json!({})).await, (204, Value::Null));
    for (method, path) in [
        (Method::DELETE, path.clone()),
        (Method::PATCH, path.clone()),
        (Method::POST, format!("{path}/run")),
        (Method::PATCH, "/jobs/schedules/x".to_owned()),
    ] {
        assert_eq!(api.fault(method.clone(), &path, &json!({})).await.1, "not_found", "{method} {path}");
    }
    assert_eq!(api.get_as("ann", &path).await.0, 404);
    assert_eq!(jobs_of(&world, "report").await, 1, "its job stays");
    api.stop().await;
}

/// Its expression is refused since, its zone is gone, or its times never come again.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_of_before_can_be_paused_and_renamed() {
    use common::ScheduleId;
    use common::jobs::{CatchUp, NewJob, Priority, Schedule, ScheduleSpec, ScheduleStore as _};

    let world = before_four();
    let api = Api::start(&world);
    let far = world.clock.now() + Duration::from_secs(86_400);
    for (cron, time_zone, goes_on) in [
        ("*/100 * * * *", "UTC", true),
        ("5-2 4 * * *", "UTC", false),
        ("0 4 * * *", "Mars/Olympus", false),
        ("0 0 30 2 *", "UTC", false),
    ] {
        let id: ScheduleId = world.ids.next();
        let stored = Schedule {
            id,
            spec: ScheduleSpec {
                name: "old".to_owned(),
                cron: cron.to_owned(),
                time_zone: time_zone.to_owned(),
                catch_up: CatchUp::Skip,
                kind: "report".to_owned(),
                data: json!({}),
                priority: Priority::NORMAL,
                max_attempts: 1,
                backoff: common::jobs::Backoff::None,
                ttl_ms: NewJob::USUAL_TTL_MS,
                no_overlap: false,
            },
            paused: false,
            next_at: Some(far),
            last_at: None,
            user: None,
            created_at: world.clock.now(),
            revision: 1,
        };
        world.store.db.create_schedule(&stored).await.unwrap();
        let path = format!("/jobs/schedules/{id}");
        let patch = async |body: Value| api.call(Method::PATCH, &path, &body).await;
        // forms send what they show
        let (status, renamed) = patch(json!({ "name": "new", "cron": cron, "timeZone": time_zone })).await;
        assert_eq!((status, &renamed["name"]), (200, &json!("new")), "{cron} {time_zone}: {renamed}");
        assert_eq!(renamed["nextAt"], json!(far));
        let (status, paused) = patch(json!({ "paused": true })).await;
        assert_eq!((status, &paused["nextAt"]), (200, &Value::Null), "{cron} {time_zone}: {paused}");
        assert_eq!(patch(json!({ "priority": 3 })).await.0, 200, "{cron} {time_zone}");
        let (status, resumed) = patch(json!({ "paused": false })).await;
        assert_eq!(status, if goes_on { 200 } else { 400 }, "{cron} {time_zone}: {resumed}");
        // what is written anew is held to the rules
        assert_eq!(patch(json!({ "cron": "*/99 * * * *" })).await.0, 400);
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_schedule_is_is_said_with_its_place() {
    let world = before_four();
    let api = Api::start(&world);
    let made = api.done("/jobs/schedules", &body("0 4 * * *", json!({}))).await;
    let path = format!("/jobs/schedules/{}", made["id"].as_str().unwrap());
    for (change, pointer) in [
        (json!({ "cron": "4" }), "/cron"),
        (json!({ "cron": "0 25 * * *" }), "/cron"),
        (json!({ "cron": "*/100 * * * *" }), "/cron"),
        (json!({ "cron": "5-2 * * * *" }), "/cron"),
        (json!({ "cron": "0 0 30 2 *" }), "/cron"),
        (json!({ "cron": "0 0 0 1 1 * 2030" }), "/cron"),
        (json!({ "timeZone": "Mars/Olympus" }), "/timeZone"),
        (json!({ "timeZone": "" }), "/timeZone"),
        (json!({ "catchUp": "later" }), "/catchUp"),
        (json!({ "name": "" }), "/name"),
        (json!({ "type": "" }), "/type"),
        (json!({ "attempts": 0 }), "/attempts"),
        (json!({ "ttlMs": 0 }), "/ttlMs"),
        (json!({ "priority": "x" }), "/priority"),
        (json!({ "nope": 1 }), "/nope"),
    ] {
        let expected = (400, "invalid_request".to_owned(), pointer.to_owned());
        assert_eq!(
            api.fault(Method::POST, "/jobs/schedules", &body("0 4 * * *", change.clone())).await,
            expected,
            "{change}"
        );
        assert_eq!(api.fault(Method::PATCH, &path, &change).await, expected, "{change}");
    }
    let fault = api.fault(Method::POST, "/jobs/schedules", &json!({ "name": "n", "type": "t" })).await;
    assert_eq!(fault.2, "/cron");
    let said = api.post("/jobs/schedules", &body("0 25 * * *", json!({}))).await.1;
    assert!(!said["detail"].as_str().unwrap().is_empty());
    assert_eq!(api.get("/jobs/schedules").await["items"].as_array().unwrap().len(), 1);
    api.stop().await;
}
