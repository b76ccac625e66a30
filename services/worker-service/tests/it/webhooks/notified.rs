use common::NotificationId;
use common::jobs::{JobState, types};
use common::notifications::{NewNotification, Notify};
use common::routes::Service;
use http_kit::service_token::ServiceTokens;

use super::*;

async fn until_unread(scene: &Scene, token: &str, unread: u64) -> Value {
    until("the notifications", || async {
        Some(scene.get(token, "/notifications").await).filter(|page| page["unread"] == unread)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_told_of_their_jobs_that_failed() {
    let scene = Scene::start().await;
    let mut stream = scene.api.follow("bob", "/users/me/jobs/events", None).await;
    let failed = NewJob { data: json!({ "fileId": "f".repeat(24) }), ..scene.world.job_of("bad", bob()) };
    scene.world.submit(std::slice::from_ref(&failed)).await;
    scene.job("good", bob()).await;
    scene.job("bad", eve()).await;
    let page = until_unread(&scene, "bob", 1).await;
    let news = &page["items"][0];
    assert_eq!((&news["kind"], &news["readAt"]), (&json!("job.failed"), &Value::Null));
    assert_eq!(news["text"], "A job of type bad failed: on purpose");
    assert_eq!(
        news["data"],
        json!({ "jobId": failed.id, "type": "bad", "error": "on purpose", "fileId": "f".repeat(24) })
    );
    let heard = stream.until("notifications").await.pop().unwrap();
    assert_eq!((heard.data, heard.id), (json!({ "unread": 1 }), None));
    // how many are unread may be said twice
    let mut said = async |unread: u64| {
        while stream.until("notifications").await.pop().unwrap().data != json!({ "unread": unread }) {}
    };
    until_unread(&scene, "eve", 1).await;
    let read = json!({ "ids": [news["id"]] });
    assert_eq!(
        scene.send("eve", Method::POST, "/notifications/read", &read).await,
        (200, json!({ "unread": 1 }))
    );
    assert_eq!(scene.get("bob", "/notifications").await["unread"], 1);
    assert_eq!(
        scene.send("bob", Method::POST, "/notifications/read", &read).await,
        (200, json!({ "unread": 0 }))
    );
    said(0).await;
    assert_eq!(scene.get("bob", "/notifications?unread=true").await["items"], json!([]));
    assert!(!scene.get("bob", "/notifications").await["items"][0]["readAt"].is_null());
    scene.stop().await;
}

/// What a user cannot see and upkeep makes good is nothing to be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_not_told_of_jobs_behind_the_scenes() {
    let scene = Scene::start().await;
    for kind in [types::PURGE, types::MEDIA_FACTS, types::WELCOME_MAIL, types::THUMBNAILS] {
        let job = scene.job(kind, bob()).await;
        scene.world.until_state(job.id, JobState::Failed).await;
    }
    let page = until_unread(&scene, "bob", 1).await;
    assert_eq!(page["items"][0]["text"], "The thumbnails of a file could not be made: on purpose");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_services_tell_users_once() {
    let scene = Scene::start().await;
    let news = |byte: u8, user| NewNotification {
        id: NotificationId::from_bytes([byte; 12]),
        user,
        kind: "share.received".to_owned(),
        text: "“Ann” shared a folder with you".to_owned(),
        data: json!({ "node": byte }),
    };
    let path = "/internal/notifications";
    let tokens = ServiceTokens::new(crate::http::SECRET, None).unwrap();
    let tell = |items: Vec<NewNotification>| {
        let token = tokens.mint(Service::Auth, Service::Worker, scene.world.clock.now());
        let request = scene.api.internal(path).bearer_auth(token).json(&Notify { items });
        scene.api.send(request)
    };
    let (status, answer) = tell(vec![news(1, bob()), news(2, eve())]).await;
    assert_eq!((status, answer["ids"].as_array().unwrap().len()), (200, 2));
    let (status, answer) = tell(vec![news(1, bob()), news(3, bob())]).await;
    assert_eq!((status, answer), (200, json!({ "ids": ["03".repeat(12)] })));
    let page = scene.get("bob", "/notifications?limit=1").await;
    assert_eq!((&page["unread"], page["items"].as_array().unwrap().len()), (&json!(2), 1));
    let next = format!("/notifications?limit=1&cursor={}", page["nextCursor"].as_str().unwrap());
    assert_eq!(scene.get("bob", &next).await["nextCursor"], Value::Null);
    // the cursor is of one list of one person
    assert_eq!(scene.send("eve", Method::GET, &next, &Value::Null).await.0, 400);
    assert_eq!(scene.send("bob", Method::GET, &format!("{next}&unread=true"), &Value::Null).await.0, 400);
    let wrong = NewNotification { kind: "Not A Kind".to_owned(), ..news(4, bob()) };
    assert_eq!(tell(vec![wrong]).await.0, 400);
    assert_eq!(tell(vec![news(5, bob()); 101]).await.0, 400);
    let (status, _) = scene.api.send(scene.api.internal(path).json(&Notify { items: Vec::new() })).await;
    assert_eq!(status, 401);
    let up_to = page["items"][0]["createdAt"].clone();
    for (body, expected) in [
        (json!({}), 400),
        (json!({ "ids": [], "all": true }), 400),
        (json!({ "upTo": up_to }), 400),
        (json!({ "ids": ["x"] }), 400),
        (json!({ "all": true, "upTo": up_to }), 200),
    ] {
        assert_eq!(scene.send("bob", Method::POST, "/notifications/read", &body).await.0, expected, "{body}");
    }
    assert_eq!(scene.get("bob", "/notifications").await["unread"], 0);
    assert_eq!(scene.get("eve", "/notifications").await["unread"], 1);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_news_and_deliveries_are_forgotten() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    scene.job("bad", bob()).await;
    scene.ended("bob", &webhook).await;
    until_unread(&scene, "bob", 1).await;
    let day = std::time::Duration::from_secs(24 * 3600);
    scene.world.clock.advance(31 * day);
    let deliveries = format!("/webhooks/{webhook}/deliveries");
    until("the delivery to go", || async {
        (scene.get("bob", &deliveries).await["items"] == json!([])).then_some(())
    })
    .await;
    assert_eq!(scene.get("bob", "/notifications").await["unread"], 1);
    scene.world.clock.advance(60 * day);
    until_unread(&scene, "bob", 0).await;
    scene.stop().await;
    receiver.stop().await;
}
