//! Claims that wait, and programs that leave while they do.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Api;
use crate::support::{World, until};

const PATIENCE: Duration = Duration::from_secs(30);

/// A world in which nobody looks around: only doorbells wake.
fn quiet() -> World {
    let mut world = World::new();
    world.settings.look_around = Duration::from_secs(3600);
    world
}

fn waiting(kinds: &[&str]) -> Value {
    json!({ "types": kinds, "workerId": "w", "waitMs": 60_000 })
}

/// Begins to wait; returns when the service has looked once and found nothing.
async fn begin(api: &Api, world: &World, kinds: &[&str]) -> tokio::task::JoinHandle<(u16, Value)> {
    use std::sync::atomic::Ordering;
    let seen = world.store.empty_claims.load(Ordering::SeqCst);
    let request = api.request(Method::POST, "/jobs/claim", "ann").json(&waiting(kinds));
    #[expect(clippy::disallowed_methods, reason = "a client beside the others of the test")]
    let task = tokio::spawn(async move {
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    });
    crate::support::until_true("a claim that waits", || {
        world.store.empty_claims.load(Ordering::SeqCst) > seen
    })
    .await;
    task
}

async fn woken(task: tokio::task::JoinHandle<(u16, Value)>) -> String {
    let (status, answer) = timeout(PATIENCE, task).await.expect("it is woken").unwrap();
    assert_eq!(status, 200, "{answer}");
    answer["items"][0]["job"]["id"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_is_woken_by_whatever_makes_a_job_ready() {
    let world = quiet();
    let api = Api::start(&world);
    let task = begin(&api, &world, &["a", "t"]).await;
    api.make(json!({ "type": "other" })).await;
    let id = api.make(json!({ "type": "t", "attempts": 2 })).await;
    assert_eq!(woken(task).await, id);
    // tried again
    assert_eq!(api.post(&format!("/jobs/{id}/cancel"), &json!({})).await.0, 200);
    let task = begin(&api, &world, &["t"]).await;
    api.done(&format!("/jobs/{id}/retry"), &json!({})).await;
    assert_eq!(woken(task).await, id);
    // promoted
    let delayed = api.make(json!({ "type": "later", "delayMs": 600_000 })).await;
    let task = begin(&api, &world, &["later"]).await;
    assert_eq!(
        api.call(Method::PATCH, &format!("/jobs/{delayed}"), &json!({ "state": "inactive" })).await.0,
        200
    );
    assert_eq!(woken(task).await, delayed);
    // resumed, one type and all
    for pause in [json!({ "type": "p" }), json!({})] {
        api.done("/jobs/pause", &pause).await;
        let paused = api.make(json!({ "type": "p" })).await;
        let task = begin(&api, &world, &["p"]).await;
        api.done("/jobs/resume", &pause).await;
        assert_eq!(woken(task).await, paused);
    }
    // a limit that is lifted
    let limit = "/jobs/types/l/limit";
    assert_eq!(api.call(Method::PUT, limit, &json!({ "max": 1, "perMs": 600_000 })).await.0, 204);
    api.done("/jobs", &json!([{ "type": "l" }, { "type": "l" }])).await;
    api.claim("l").await;
    let task = begin(&api, &world, &["l"]).await;
    assert_eq!(api.call(Method::DELETE, limit, &json!({})).await.0, 204);
    assert_ne!(woken(task).await, "none");
    // all that failed
    let failed = api.make(json!({ "type": "f" })).await;
    api.claim("f").await.report(&api, "fail", json!({ "error": "x" })).await;
    let task = begin(&api, &world, &["f"]).await;
    api.done("/jobs/dead/retry", &json!({})).await;
    assert_eq!(woken(task).await, failed);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_waits_ends_at_shut_down_and_when_too_many_do() {
    let mut world = quiet();
    world.settings.listeners.waiting_claims = 1;
    let api = Api::start(&world);
    let task = begin(&api, &world, &["t"]).await;
    let (status, body) = api.post("/jobs/claim", &waiting(&["t"])).await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    // who does not wait takes no place
    assert_eq!(api.post("/jobs/claim", &json!({ "types": ["t"], "workerId": "w" })).await.0, 200);
    api.begin_to_stop();
    assert_eq!(woken(task).await, "none");
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_claims_of_one_account_leave_places_to_others() {
    let mut world = quiet();
    world.settings.listeners.waiting_claims = 3;
    world.settings.listeners.waiting_claims_of_one = 2;
    let api = Api::start(&world);
    let tasks = [begin(&api, &world, &["t"]).await, begin(&api, &world, &["t"]).await];
    let refused =
        api.request(Method::POST, "/jobs/claim", "ann").json(&waiting(&["t"])).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "rate_limited");
    // who does not wait takes no place
    assert_eq!(api.post("/jobs/claim", &json!({ "types": ["t"], "workerId": "w" })).await.0, 200);
    // another account has one
    let body = waiting_briefly();
    assert_eq!(api.send(api.request(Method::POST, "/jobs/claim", "amy").json(&body)).await.0, 200);
    api.begin_to_stop();
    for task in tasks {
        assert_eq!(woken(task).await, "none");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_left_while_it_waited_gets_no_job() {
    let mut world = quiet();
    world.settings.listeners.waiting_claims = 1;
    let api = Api::start(&world);
    let address = api.base.strip_prefix("http://").unwrap().to_owned();
    let body = waiting(&["t"]).to_string();
    let mut leaving = TcpStream::connect(&address).unwrap();
    leaving
        .write_all(
            format!(
                "POST /api/v1/jobs/claim HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ann\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
        .unwrap();
    let is_waiting = async || api.post("/jobs/claim", &waiting_briefly()).await.0 == 503;
    until("it to wait", || async { is_waiting().await.then_some(()) }).await;
    leaving.shutdown(Shutdown::Write).unwrap();
    let id = api.make(json!({ "type": "t" })).await;
    until("its place to be free", || async { (!is_waiting().await).then_some(()) }).await;
    // the job is somebody else's
    let claimed = api.claim("t").await;
    assert_eq!((&claimed.id, &claimed.claim["job"]["attempts"]["made"]), (&id, &json!(1)));
    let mut answer = String::new();
    leaving.set_read_timeout(Some(PATIENCE)).unwrap();
    leaving.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains(&id), "{answer}");
    api.stop().await;
}

/// Waits only long enough to need a place.
fn waiting_briefly() -> Value {
    json!({ "types": ["none-of-these"], "workerId": "w", "waitMs": 1 })
}
