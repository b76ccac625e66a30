//! Streams of events.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::Clock as _;
use common::jobs::JobStore as _;
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::Registry;

use super::client::{fault_of, words};
use super::{Api, Events};
use crate::http::{bob, eve};
use crate::restless::Restless;
use crate::support::{World, until, until_true};

const OWN: &str = "/users/me/jobs/events";

/// The ids of what a stream tells, up to the end of this job.
async fn ids_until_end(events: &mut Events, job: &str) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let heard = events.next().await.expect("it goes on");
        ids.push(heard.id.unwrap());
        if heard.event == "complete" && heard.data["jobId"] == job {
            return ids;
        }
    }
}

async fn work(api: &Api, job: Value) -> String {
    let id = api.make(job).await;
    let claim = api.claim("t").await;
    assert_eq!(claim.report(api, "complete", json!({})).await.0, 204);
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_without_loss_or_repetition() {
    let world = World::new();
    let api = Api::start(&world);
    let mut whole = api.follow("ann", "/jobs/events", None).await;
    let mut first = api.follow("ann", "/jobs/events", None).await;
    let mut seen = Vec::new();
    let one = work(&api, json!({ "type": "t" })).await;
    // cut in the middle of a job
    seen.push(first.next().await.unwrap().id.unwrap());
    drop(first);
    for _ in 0..120 {
        work(&api, json!({ "type": "t" })).await;
    }
    let last = seen.last().unwrap().clone();
    let mut second = api.follow("ann", "/jobs/events", Some(&last)).await;
    let end = work(&api, json!({ "type": "t" })).await;
    seen.extend(ids_until_end(&mut second, &end).await);
    let all = ids_until_end(&mut whole, &end).await;
    assert_eq!(all.len(), 3 * 122);
    assert_eq!(seen, all, "{one}");
    // the field goes before the parameter
    let mut third = api.follow("ann", &format!("/jobs/events?after={}", all[0]), Some(&all[363])).await;
    assert_eq!(third.next().await.unwrap().id.as_deref(), Some(&*all[364]));
    let mut fourth = api.follow("ann", &format!("/jobs/events?after={}", all[0]), None).await;
    assert_eq!(fourth.next().await.unwrap().id.as_deref(), Some(&*all[1]));
    drop((whole, second, third, fourth));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_of_one_job_one_type_or_one_person() {
    let world = World::new();
    let api = Api::start(&world);
    let mut of_type = api.follow("ann", "/jobs/events?type=b", None).await;
    let mut of_bob = api.follow("bob", "/users/me/jobs/events", None).await;
    let mut of_eve = api.follow("eve", "/users/me/jobs/events?type=a", None).await;
    api.make(json!({ "type": "a", "userId": bob(), "data": 1 })).await;
    let of_b = api.make(json!({ "type": "b", "userId": eve() })).await;
    let of_a = api.make(json!({ "type": "a", "userId": eve() })).await;
    let theirs = api.make(json!({ "type": "a", "userId": bob() })).await;
    let next = of_type.next().await.unwrap();
    assert_eq!((&*next.event, &next.data["jobId"]), ("enqueue", &json!(of_b)));
    assert_eq!(
        next.data,
        json!({ "seq": next.data["seq"], "at": world.clock.now(), "jobId": of_b, "type": "b", "userId": eve(), "event": "enqueue", "data": null })
    );
    assert_eq!(of_eve.next().await.unwrap().data["jobId"], json!(of_a));
    assert_eq!(of_bob.next().await.unwrap().data["userId"], json!(bob()));
    assert_eq!(of_bob.next().await.unwrap().data["jobId"], json!(theirs));
    // the change of a priority, a cancellation
    let mut one = api.follow("ann", &format!("/jobs/events?job={theirs}"), None).await;
    assert_eq!(one.next().await.unwrap().event, "state");
    api.call(Method::PATCH, &format!("/jobs/{of_a}"), &json!({ "priority": 3 })).await;
    api.call(Method::PATCH, &format!("/jobs/{theirs}"), &json!({ "priority": 4 })).await;
    let priority = one.next().await.unwrap();
    assert_eq!((&*priority.event, &priority.data["data"]), ("priority", &json!({ "priority": 4 })));
    api.post(&format!("/jobs/{theirs}/cancel"), &json!({})).await;
    assert_eq!(one.next().await.unwrap().event, "cancel");
    drop((of_type, of_bob, of_eve, one));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_forgotten_begins_with_a_reset() {
    let mut world = World::new();
    world.settings.retention.events = Duration::from_secs(60);
    let api = Api::start(&world);
    let id = work(&api, json!({ "type": "t" })).await;
    world.clock.advance(Duration::from_secs(120));
    let mut heard = Vec::new();
    crate::support::until("events to be forgotten", || async {
        let mut stream = api.follow("ann", &format!("/jobs/events?job={id}&after=0"), None).await;
        // at first the events themselves come
        let first =
            [stream.next().await.unwrap(), stream.next().await.unwrap(), stream.next().await.unwrap()];
        (first[1].event == "reset").then(|| words(&first).into_iter().map(str::to_owned).collect::<Vec<_>>())
    })
    .await
    .into_iter()
    .for_each(|word| heard.push(word));
    assert_eq!(heard, ["state", "reset", "state"]);
    // a place that is none of this store
    let mut stream = api.follow("ann", "/jobs/events", Some("999999")).await;
    let reset = stream.next().await.unwrap();
    assert_eq!(reset.event, "reset");
    let next = api.make(json!({ "type": "t" })).await;
    assert_eq!(stream.next().await.unwrap().data["jobId"], json!(next));
    let mut again = api.follow("ann", "/jobs/events", reset.id.as_deref()).await;
    assert_eq!(again.next().await.unwrap().data["jobId"], json!(next));
    drop((stream, again));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_at_the_end_of_the_numbers_is_none_of_this_store() {
    let world = World::new();
    let api = Api::start(&world);
    for place in [i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
        let mut stream = api.follow("ann", "/jobs/events", Some(&place.to_string())).await;
        assert_eq!(stream.next().await.unwrap().event, "reset", "{place}");
        // it is the beginning of what is kept that follows
        let next = api.make(json!({ "type": "t" })).await;
        while stream.next().await.unwrap().data["jobId"] != json!(next) {}
        let mut by_query = api.follow("ann", &format!("/jobs/events?after={place}"), None).await;
        assert_eq!(by_query.next().await.unwrap().event, "reset", "{place}");
    }
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_says_that_it_is_alive_and_where_it_is() {
    let mut world = World::new();
    world.settings.listeners.heartbeat = Duration::from_millis(20);
    let api = Api::start(&world);
    let mut stream = api.follow("ann", "/jobs/events?type=silent", None).await;
    assert_eq!(stream.block().await.unwrap(), "retry: 2000");
    api.make(json!({ "type": "loud" })).await;
    let place = loop {
        let block = stream.block().await.unwrap();
        let (comment, id) = block.split_once("\nid: ").unwrap();
        assert_eq!(comment, ":");
        if id != "0" {
            break id.to_owned();
        }
    };
    assert_eq!(place, "1", "it is past the event that is none of its own");
    drop(stream);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_credential_and_at_shut_down() {
    let mut world = World::new();
    world.settings.listeners.recheck = Duration::from_millis(20);
    let api = Api::start(&world);
    let mut of_bob = api.follow("bob", "/users/me/jobs/events", None).await;
    let mut of_ann = api.follow("ann", "/jobs/events", None).await;
    api.tokens.revoked.lock().unwrap().push("bob".to_owned());
    assert_eq!(of_bob.next().await, None);
    let id = api.make(json!({ "type": "t" })).await;
    assert_eq!(of_ann.next().await.unwrap().data["jobId"], json!(id));
    api.begin_to_stop();
    assert_eq!(of_ann.next().await, None);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_streams_are_refused() {
    let world = World::new();
    let api = Api::start(&world);
    for path in ["/jobs/events?job=x", "/jobs/events?after=-1", "/jobs/events?nope=1"] {
        let (status, body) = api.get_as("ann", path).await;
        assert_eq!(fault_of(status, &body).1, "invalid_request", "{path}");
    }
    let request = api.request(Method::GET, "/jobs/events", "ann").header("last-event-id", "seven");
    assert_eq!(api.send(request).await.0, 400);
    assert_eq!(api.get_as("nobody", OWN).await.0, 401);
    api.stop().await;
}

/// A world in which a stream is told nothing that could show that its client has left.
fn silent() -> World {
    let mut world = World::new();
    world.settings.listeners.heartbeat = Duration::from_secs(3600);
    world.settings.listeners.recheck = Duration::from_secs(3600);
    world
}

/// Pages that were opened and left had kept their person out, with 429, until something was written to each.
#[tokio::test(flavor = "multi_thread")]
async fn streams_that_were_left_do_not_keep_their_person_out() {
    let mut world = silent();
    world.settings.listeners.streams_of_one = 3;
    // nor does it depend on being noticed that they were left
    world.settings.listeners.look_for_client = Duration::from_secs(3600);
    let api = Api::start(&world);
    for _ in 0..20 {
        drop(api.follow("bob", OWN, None).await);
    }
    let mut last = api.follow("bob", OWN, None).await;
    world.store.insert(&[world.job_of("t", bob())], world.clock.now()).await.unwrap();
    assert_eq!(last.next().await.unwrap().event, "enqueue");
    drop(last);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_left_gives_its_place_back() {
    let mut world = silent();
    world.settings.listeners.streams = 2;
    world.settings.listeners.look_for_client = Duration::from_millis(20);
    let api = Api::start(&world);
    let both = [api.follow("bob", OWN, None).await, api.follow("eve", OWN, None).await];
    let (status, body) = api.get_as("ann", "/jobs/events").await;
    assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    drop(both);
    crate::support::until("a place", || async {
        let answer = api.request(Method::GET, "/jobs/events", "ann").send().await.unwrap();
        (answer.status().as_u16() == 200).then_some(())
    })
    .await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_stream_too_many_the_oldest_of_the_person_ends() {
    let mut world = silent();
    world.settings.listeners.streams_of_one = 2;
    let api = Api::start(&world);
    let mut of_bob = Vec::new();
    let mut of_eve = api.follow("eve", OWN, None).await;
    for _ in 0..3 {
        of_bob.push(api.follow("bob", OWN, None).await);
    }
    let mut oldest = of_bob.remove(0);
    assert_eq!(oldest.block().await.as_deref(), Some("retry: 2000"));
    assert_eq!(oldest.block().await.as_deref(), Some("retry: 30000"), "it is not to come back at once");
    assert_eq!(oldest.block().await, None);
    let (hers, his) = (world.job_of("t", eve()), world.job_of("t", bob()));
    world.store.insert(&[hers, his.clone()], world.clock.now()).await.unwrap();
    assert_eq!(of_eve.next().await.unwrap().event, "enqueue");
    for stream in &mut of_bob {
        assert_eq!(stream.next().await.unwrap().data["jobId"], json!(his.id));
    }
    drop((of_bob, of_eve));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_data_are_left_out_of_streams() {
    let world = World::new();
    let api = Api::start(&world);
    let mut stream = api.follow("ann", "/jobs/events", None).await;
    api.make(json!({ "type": "t" })).await;
    let claim = api.claim("t").await;
    let result = json!("x".repeat(100_000));
    assert_eq!(claim.report(&api, "complete", json!({ "result": result })).await.0, 204);
    let done = stream.until("complete").await.pop().unwrap();
    assert_eq!(done.data["data"], json!({ "omitted": true }));
    assert_eq!(api.job(&claim.id).await["result"], result);
    drop(stream);
    api.stop().await;
}

/// The last thing that happens, so that nothing else leads to it.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_store_failed_is_told_without_anything_after_it() {
    let world = World::new();
    let events = Restless::over(&world);
    let api = Api::of(&world, events.service(&world, Registry::default()));
    let mut stream = api.follow("ann", "/jobs/events", None).await;
    let before = api.make(json!({ "type": "t" })).await;
    assert_eq!(stream.next().await.unwrap().data["jobId"], json!(before));
    events.fails.store(true, Ordering::SeqCst);
    until_true("the reader to fail", || events.failed.load(Ordering::SeqCst) > 3).await;
    let job = api.make(json!({ "type": "t" })).await;
    let failed = events.failed.load(Ordering::SeqCst);
    until_true("the reader to fail after it", || events.failed.load(Ordering::SeqCst) > failed + 3).await;
    events.fails.store(false, Ordering::SeqCst);
    assert_eq!(stream.next().await.unwrap().data["jobId"], json!(job));
    drop(stream);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_go_on_while_events_without_a_place_keep_coming() {
    let world = World::new();
    let events = Restless::over(&world);
    events.never_done.store(true, Ordering::SeqCst);
    let api = Api::of(&world, events.service(&world, Registry::default()));
    let mut stream = api.follow("ann", "/jobs/events", None).await;
    let job = api.make(json!({ "type": "t", "userId": bob(), "attempts": 1 })).await;
    assert_eq!(stream.next().await.unwrap().data["jobId"], json!(job));
    // and so does what is told to users
    let claim = api.claim("t").await;
    assert_eq!(claim.report(&api, "fail", json!({ "error": "no" })).await.0, 200);
    until("the notification", || async {
        let news = api.get_as("bob", "/notifications").await.1;
        (news["items"][0]["data"]["jobId"] == *job).then_some(())
    })
    .await;
    drop(stream);
    api.stop().await;
}
