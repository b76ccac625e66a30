use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_tried_again_with_the_same_id() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, secret) = scene.webhook("bob", &receiver.url, Value::Null).await;
    receiver.answer(&[500, 302]);
    scene.job("good", bob()).await;
    for attempt in 1..=2 {
        let waiting = scene
            .delivery("bob", &webhook, |newest| {
                newest["attempts"].as_array().unwrap().len() == attempt && !newest["nextAttemptAt"].is_null()
            })
            .await;
        assert_eq!(waiting["state"], "pending");
        let shown = scene.get("bob", &format!("/webhooks/{webhook}")).await;
        assert_eq!((&shown["failures"], shown["failingSince"].is_null()), (&json!(attempt), false));
        scene.world.clock.advance(30 * SECOND);
    }
    let sent = receiver.until_received(3).await;
    let delivery = scene.ended("bob", &webhook).await;
    let statuses: Vec<_> =
        delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(
        (&delivery["state"], statuses),
        (&json!("delivered"), vec![json!(500), json!(302), json!(200)])
    );
    assert_eq!(delivery["attempts"][1]["error"], "the receiver answered 302; redirects are not followed");
    // each attempt is signed at its own time
    let ids: Vec<_> = sent.iter().map(|sent| sent.field("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(sent[0].field("webhook-timestamp"), sent[1].field("webhook-timestamp"));
    assert!(sent.iter().all(|sent| sent.good_signatures(&secret) == 1));
    until("the failures to be forgotten", || async {
        let shown = scene.get("bob", &format!("/webhooks/{webhook}")).await;
        (shown["failures"] == 0 && shown["failingSince"].is_null()).then_some(())
    })
    .await;
    scene.stop().await;
    receiver.stop().await;
}

/// Each of these times is beyond what the backoff says (10 s, 20 s and so on), but for the last, which is beyond the longest pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_says_when_it_wants_to_be_asked_again() {
    let scene = Scene::with(|world| world.settings.webhooks.longest_pause = 1000 * SECOND).await;
    let receiver = Receiver::start();
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let date = |seconds: i64| httpdate(scene.world.clock.now().seconds() + seconds);
    let asked = [
        (429, "300".to_owned(), 300..=300),
        // only these two statuses have a say
        (500, "300".to_owned(), 0..=20),
        (503, date(1000), 0..=1000),
        (503, "soon".to_owned(), 0..=80),
        (429, "86400".to_owned(), 1000..=1000),
    ];
    for (status, field, _) in &asked {
        receiver.put_off(*status, field);
    }
    scene.job("good", bob()).await;
    for ((status, field, seconds), attempt) in asked.into_iter().zip(1..) {
        let waiting = scene
            .delivery("bob", &webhook, |newest| {
                newest["attempts"].as_array().unwrap().len() == attempt && !newest["nextAttemptAt"].is_null()
            })
            .await;
        let next = common::Timestamp::parse(waiting["nextAttemptAt"].as_str().unwrap()).unwrap();
        let wait = next.since(scene.world.clock.now()).as_secs();
        assert!(seconds.contains(&wait), "{status} {field}: {wait} s");
        if attempt == 3 {
            assert!(wait > 500, "the date counts: {wait} s");
        }
        scene.world.clock.set(next);
    }
    receiver.until_received(6).await;
    assert_eq!(scene.ended("bob", &webhook).await["state"], "delivered");
    scene.stop().await;
    receiver.stop().await;
}

/// A time as HTTP writes it.
fn httpdate(seconds: i64) -> String {
    let at = std::time::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap());
    httpdate::fmt_http_date(at)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_switches_its_webhook_off() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, json!({ "description": "Reports" })).await;
    let own = format!("/webhooks/{webhook}");
    receiver.answer(&[410]);
    scene.job("good", bob()).await;
    let off = until("the webhook to be off", || async {
        Some(scene.get("bob", &own).await).filter(|shown| shown["active"] == false)
    })
    .await;
    assert_eq!(off["off"]["reason"], "gone");
    assert_eq!(scene.ended("bob", &webhook).await["state"], "failed");
    let told = scene.get("bob", "/notifications").await;
    assert_eq!((&told["unread"], &told["items"][0]["kind"]), (&json!(1), &json!("webhook.switched-off")));
    assert_eq!(told["items"][0]["data"], json!({ "webhookId": webhook, "reason": "gone" }));
    let text = told["items"][0]["text"].as_str().unwrap();
    assert_eq!(text, "Reports was switched off: its receiver answered that it is gone (410).");
    // it is told nothing more until it is switched on again
    let silent = scene.job("good", bob()).await;
    scene.world.until_state(silent.id, common::jobs::JobState::Complete).await;
    // its end stands before that of a job of which somebody is told
    let failed = scene.job("bad", bob()).await;
    until("the events to be passed", || async {
        let told = scene.get("bob", "/notifications").await;
        let mut items = told["items"].as_array().unwrap().iter();
        items.any(|news| news["data"]["jobId"] == json!(failed.id)).then_some(())
    })
    .await;
    let (status, on) = scene.send("bob", Method::PATCH, &own, &json!({ "active": true })).await;
    assert_eq!(
        (status, &on["active"], &on["off"], &on["failures"]),
        (200, &json!(true), &Value::Null, &json!(0))
    );
    let heard = scene.job("good", bob()).await;
    let sent = receiver.until_received(2).await;
    assert_eq!(sent[1].body()["data"]["jobId"], json!(heard.id));
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_has_failed_for_long_is_switched_off() {
    let scene = Scene::with(|world| {
        world.settings.webhooks.off_after = 300 * SECOND;
        world.settings.webhooks.first_pause = 60 * SECOND;
        world.settings.webhooks.longest_pause = 60 * SECOND;
    })
    .await;
    let receiver = Receiver::start();
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    receiver.answer(&[500; 20]);
    scene.job("good", bob()).await;
    let own = format!("/webhooks/{webhook}");
    let mut attempts = 0;
    loop {
        attempts = until("the next attempt", || async {
            let newest =
                scene.get("bob", &format!("/webhooks/{webhook}/deliveries")).await["items"][0].clone();
            let made = newest["attempts"].as_array().map_or(0, Vec::len);
            let rests = newest["state"] == "cancelled" || !newest["nextAttemptAt"].is_null();
            (made > attempts && rests || newest["state"] == "cancelled").then_some(made)
        })
        .await;
        let shown = scene.get("bob", &own).await;
        if shown["active"] == false {
            assert_eq!((&shown["off"]["reason"], &shown["failures"]), (&json!("failing"), &json!(attempts)));
            break;
        }
        assert!(attempts < 10, "{shown}");
        scene.world.clock.advance(60 * SECOND);
    }
    assert!(attempts >= 5, "{attempts}");
    // what waits for its next attempt is called off
    scene.world.clock.advance(60 * SECOND);
    let last = scene.ended("bob", &webhook).await;
    assert_eq!(last["state"], "cancelled");
    assert_eq!(receiver.received().len(), attempts);
    let told = scene.get("bob", "/notifications").await;
    assert_eq!((&told["unread"], &told["items"][0]["data"]["reason"]), (&json!(1), &json!("failing")));
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_is_no_administrator_is_told_of_all_no_more() {
    // she was one when she made it
    let scene = Scene::of(&[(ann(), "user@example.org")], |_| {}).await;
    let receiver = Receiver::start();
    let (webhook, _) = scene.webhook("ann", &receiver.url, json!({ "allJobs": true })).await;
    scene.job("good", eve()).await;
    assert_eq!(scene.ended("ann", &webhook).await["state"], "cancelled");
    let shown = scene.get("ann", &format!("/webhooks/{webhook}")).await;
    assert_eq!(shown["off"]["reason"], "not-administrator");
    assert_eq!(scene.get("ann", "/notifications").await["items"][0]["data"]["reason"], "not-administrator");
    assert!(receiver.received().is_empty());
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_told_nothing() {
    let scene = Scene::of(&[(bob(), "disabled@example.org")], |_| {}).await;
    let receiver = Receiver::start();
    for token in ["bob", "eve"] {
        let (webhook, _) = scene.webhook(token, &receiver.url, Value::Null).await;
        scene.job("good", if token == "bob" { bob() } else { eve() }).await;
        assert_eq!(scene.ended(token, &webhook).await["state"], "cancelled", "{token}");
    }
    assert!(receiver.received().is_empty());
    scene.stop().await;
    receiver.stop().await;
}

/// It had stayed `pending` for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_job_is_called_off_is_cancelled() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    receiver.answer(&[500]);
    scene.job("good", bob()).await;
    let waiting = scene.delivery("bob", &webhook, |newest| !newest["nextAttemptAt"].is_null()).await;
    // the job has the delivery's id
    let path = format!("/jobs/{}/cancel", waiting["id"].as_str().unwrap());
    assert_eq!(scene.send("ann", Method::POST, &path, &Value::Null).await.0, 200);
    assert_eq!(scene.ended("bob", &webhook).await["state"], "cancelled");
    scene.stop().await;
    receiver.stop().await;
}
