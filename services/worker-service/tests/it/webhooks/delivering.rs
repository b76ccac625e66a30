use common::webhooks::WebhookStore as _;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_is_told_and_signed() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, secret) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let job = scene.job("good", bob()).await;
    let sent = receiver.until_received(1).await.remove(0);
    let delivery = scene.ended("bob", &webhook).await;
    assert_eq!((&delivery["state"], &delivery["event"]), (&json!("delivered"), &json!("job.complete")));
    assert_eq!((&delivery["nextAttemptAt"], &delivery["attempts"][0]["status"]), (&Value::Null, &json!(200)));
    assert_eq!(delivery["attempts"][0]["error"], Value::Null);
    let id = delivery["id"].as_str().unwrap();
    assert_eq!(sent.field("webhook-id"), format!("msg_{id}"));
    assert_eq!(sent.field("webhook-timestamp"), scene.world.clock.now().seconds().to_string());
    assert_eq!(sent.field("webhook-event"), "job.complete");
    assert_eq!(sent.field("content-type"), "application/json");
    assert_eq!(sent.good_signatures(&secret), 1);
    assert_eq!(sent.good_signatures("whsec_AAAA"), 0);
    let body = sent.body();
    assert_eq!((&body["type"], &body["data"]["jobType"]), (&json!("job.complete"), &json!("good")));
    assert_eq!((&body["data"]["jobId"], &body["data"]["result"]), (&json!(job.id), &json!({ "pages": 2 })));
    let failed = scene.job("bad", bob()).await;
    let sent = receiver.until_received(2).await.remove(1);
    let body = sent.body();
    assert_eq!((&body["type"], &body["data"]["error"]), (&json!("job.failed"), &json!("on purpose")));
    assert_eq!(body["data"]["jobId"], json!(failed.id));
    // its deliveries are told to nobody, and do not stay among the jobs of its owner
    scene.ended("bob", &webhook).await;
    until("the jobs of deliveries to go", || async {
        let mine = scene.get("bob", "/users/me/jobs").await;
        (mine["total"] == 2).then_some(())
    })
    .await;
    assert_eq!(receiver.received().len(), 2);
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_webhook_is_told_of_what_concerns_it() {
    let scene = Scene::start().await;
    let (own, all, only_failed) = (Receiver::start(), Receiver::start(), Receiver::start());
    scene.webhook("bob", &own.url, Value::Null).await;
    scene.webhook("ann", &all.url, json!({ "allJobs": true })).await;
    scene.webhook("eve", &only_failed.url, json!({ "events": ["job.failed"] })).await;
    let mut jobs = Vec::new();
    for (kind, user) in [("good", bob()), ("good", eve()), ("bad", eve())] {
        jobs.push(json!(scene.job(kind, user).await.id));
    }
    let told = |receiver: &[receiver::Received]| {
        let mut told: Vec<String> =
            receiver.iter().map(|sent| sent.body()["data"]["jobId"].to_string()).collect();
        told.sort();
        told
    };
    let expected = |jobs: &[&Value]| {
        let mut expected: Vec<String> = jobs.iter().map(ToString::to_string).collect();
        expected.sort();
        expected
    };
    assert_eq!(told(&all.until_received(3).await), expected(&[&jobs[0], &jobs[1], &jobs[2]]));
    assert_eq!(told(&own.until_received(1).await), expected(&[&jobs[0]]));
    assert_eq!(told(&only_failed.until_received(1).await), expected(&[&jobs[2]]));
    scene.stop().await;
    for receiver in [own, all, only_failed] {
        receiver.stop().await;
    }
}

/// A process that died after it had told, and before it said so, is followed by one that tells again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_again_after_a_crash_is_sent_once() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    scene.job("bad", bob()).await;
    scene.ended("bob", &webhook).await;
    let told = until("everything to be told", || async {
        let told = scene.world.store.db.events_told().await.unwrap();
        (told > 0).then_some(told)
    })
    .await;
    let Scene { world, users, api } = scene;
    api.stop().await;
    world.store.db.set_events_told(0, true).await.unwrap();
    let api = Api::with(&world, handlers());
    let scene = Scene { world, users, api };
    until("it to be told again", || async {
        (scene.world.store.db.events_told().await.unwrap() >= told).then_some(())
    })
    .await;
    scene.world.clock.advance(std::time::Duration::from_secs(1));
    scene.job("good", bob()).await;
    let sent = receiver.until_received(2).await;
    scene
        .delivery("bob", &webhook, |newest| {
            newest["event"] == "job.complete" && newest["state"] == "delivered"
        })
        .await;
    let words: Vec<_> = sent.iter().map(|sent| sent.field("webhook-event").to_owned()).collect();
    assert_eq!(words, ["job.failed", "job.complete"]);
    assert_eq!(scene.get("bob", "/notifications").await["unread"], 1);
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_secret_signs_for_a_day() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, old) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let path = format!("/webhooks/{webhook}/secret");
    let (status, replaced) = scene.send("bob", Method::POST, &path, &Value::Null).await;
    assert_eq!(status, 200, "{replaced}");
    let new = replaced["secret"].as_str().unwrap();
    assert_ne!(new, old);
    let shown = scene.get("bob", &format!("/webhooks/{webhook}")).await;
    assert_eq!(shown["previousSecretUntil"], replaced["previousSecretUntil"]);
    scene.job("good", bob()).await;
    let sent = receiver.until_received(1).await.remove(0);
    assert_eq!((sent.good_signatures(&old), sent.good_signatures(new)), (1, 1));
    scene.world.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    scene.job("good", bob()).await;
    let sent = receiver.until_received(2).await.remove(1);
    assert_eq!((sent.good_signatures(&old), sent.good_signatures(new)), (0, 1));
    let shown = scene.get("bob", &format!("/webhooks/{webhook}")).await;
    assert_eq!(shown["previousSecretUntil"], Value::Null);
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_sent_to_a_webhook_that_is_off_and_one_at_a_time() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, secret) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let (test, own) = (format!("/webhooks/{webhook}/test"), format!("/webhooks/{webhook}"));
    assert_eq!(scene.send("bob", Method::PATCH, &own, &json!({ "active": false })).await.0, 200);
    let pause = json!({ "type": "webhook.deliver" });
    assert_eq!(scene.api.post("/jobs/pause", &pause).await.0, 204);
    let (status, made) = scene.send("bob", Method::POST, &test, &Value::Null).await;
    assert_eq!(status, 202, "{made}");
    let (status, second) = scene.send("bob", Method::POST, &test, &Value::Null).await;
    assert_eq!((status, &second["code"]), (409, &json!("key_taken")));
    assert_eq!(scene.api.post("/jobs/resume", &pause).await.0, 204);
    let sent = receiver.until_received(1).await.remove(0);
    assert_eq!(sent.field("webhook-id"), format!("msg_{}", made["deliveryId"].as_str().unwrap()));
    assert_eq!((sent.good_signatures(&secret), &sent.body()["type"]), (1, &json!("ping")));
    // a test that fails is not tried again, and says nothing about the webhook
    receiver.answer(&[500]);
    until("a second test", || async {
        (scene.send("bob", Method::POST, &test, &Value::Null).await.0 == 202).then_some(())
    })
    .await;
    receiver.until_received(2).await;
    scene.delivery("bob", &webhook, |newest| newest["state"] == "failed").await;
    assert_eq!(scene.get("bob", &own).await["failures"], 0);
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_again_as_a_new_one_with_the_same_body() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, secret) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let (other, _) = scene.webhook("bob", "https://example.org/", json!({ "events": ["job.failed"] })).await;
    scene.job("good", bob()).await;
    let first = receiver.until_received(1).await.remove(0);
    let delivered = scene.ended("bob", &webhook).await;
    let again = |webhook: &str, id: &str| format!("/webhooks/{webhook}/deliveries/{id}/again");
    let path = again(&webhook, delivered["id"].as_str().unwrap());
    // of two at once one is sent
    let pause = json!({ "type": "webhook.deliver" });
    assert_eq!(scene.api.post("/jobs/pause", &pause).await.0, 204);
    let (status, made) = scene.send("bob", Method::POST, &path, &Value::Null).await;
    assert_eq!(status, 202, "{made}");
    let (status, second) = scene.send("bob", Method::POST, &path, &Value::Null).await;
    assert_eq!((status, &second["code"]), (409, &json!("key_taken")));
    let pending = again(&webhook, made["deliveryId"].as_str().unwrap());
    let (status, early) = scene.send("bob", Method::POST, &pending, &Value::Null).await;
    assert_eq!((status, &early["code"]), (409, &json!("conflict")));
    assert_eq!(scene.api.post("/jobs/resume", &pause).await.0, 204);
    let sent = receiver.until_received(2).await.remove(1);
    assert_eq!(sent.field("webhook-id"), format!("msg_{}", made["deliveryId"].as_str().unwrap()));
    assert_eq!((sent.good_signatures(&secret), sent.body()), (1, first.body()));
    // it belongs to its webhook and its owner, and an off one is told nothing
    for (token, path) in [("bob", again(&other, delivered["id"].as_str().unwrap())), ("eve", path.clone())] {
        assert_eq!(scene.send(token, Method::POST, &path, &Value::Null).await.0, 404, "{token}");
    }
    let own = format!("/webhooks/{webhook}");
    assert_eq!(scene.send("bob", Method::PATCH, &own, &json!({ "active": false })).await.0, 200);
    let (status, off) = scene.send("bob", Method::POST, &path, &Value::Null).await;
    assert_eq!((status, &off["code"]), (409, &json!("conflict")), "{off}");
    assert_eq!(receiver.received().len(), 2);
    scene.stop().await;
    receiver.stop().await;
}
