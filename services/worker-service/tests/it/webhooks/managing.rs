use super::*;

const HOOK: &str = "https://hooks.example.org/files?key=secret#part";

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_changed_and_removed() {
    let scene = Scene::start().await;
    let body = json!({ "url": HOOK, "events": ["job.failed", "job.complete", "job.failed"], "description": "Bücher" });
    let (status, made) = scene.send("bob", Method::POST, "/webhooks", &body).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    let webhook = &made["webhook"];
    assert_eq!(webhook["url"], "https://hooks.example.org/files?key=secret");
    assert_eq!(webhook["events"], json!(["job.complete", "job.failed"]));
    assert_eq!(
        (&webhook["active"], &webhook["allJobs"], &webhook["off"]),
        (&json!(true), &json!(false), &Value::Null)
    );
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    assert_eq!(scene.get("bob", &path).await, *webhook);
    let list = scene.get("bob", "/webhooks").await;
    assert_eq!(list, json!({ "items": [webhook] }));
    // the secret is shown once
    assert!(!list.to_string().contains("whsec_") && !list.to_string().contains("\"secret\""), "{list}");
    let patch = json!({ "events": ["job.failed"], "description": "", "active": false });
    let (status, changed) = scene.send("bob", Method::PATCH, &path, &patch).await;
    assert_eq!((status, &changed["off"]["reason"]), (200, &json!("owner")));
    assert_eq!((&changed["events"], &changed["description"]), (&json!(["job.failed"]), &json!("")));
    assert_eq!(changed["url"], webhook["url"]);
    assert_eq!(scene.get("bob", &path).await, changed);
    let (status, same) = scene.send("bob", Method::PATCH, &path, &json!({})).await;
    assert_eq!((status, same), (200, changed));
    assert_eq!(scene.send("bob", Method::DELETE, &path, &Value::Null).await, (204, Value::Null));
    assert_eq!(scene.send("bob", Method::DELETE, &path, &Value::Null).await.0, 404);
    assert_eq!(scene.get("bob", "/webhooks").await, json!({ "items": [] }));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let scene = Scene::start().await;
    let events = json!(["job.failed"]);
    let (webhook, _) = scene.webhook("bob", "https://example.org/", Value::Null).await;
    for (body, pointer) in [
        (json!({ "url": "ftp://example.org/", "events": events }), "/url"),
        (json!({ "url": "https://bob:x@example.org/", "events": events }), "/url"),
        (json!({ "url": "http://10.0.0.1/", "events": events }), "/url"),
        (json!({ "url": "http://[::1]:8080/", "events": events }), "/url"),
        (json!({ "url": format!("https://example.org/{}", "x".repeat(3000)), "events": events }), "/url"),
        (json!({ "url": HOOK, "events": [] }), "/events"),
        (json!({ "url": HOOK, "events": ["job.failed", "ping"] }), "/events/1"),
        (json!({ "url": HOOK, "events": ["file.opened"] }), "/events/0"),
        (json!({ "url": HOOK, "events": events, "description": "x".repeat(501) }), "/description"),
        (json!({ "url": HOOK, "events": events, "description": "a\nb" }), "/description"),
    ] {
        for (method, path) in
            [(Method::POST, "/webhooks".to_owned()), (Method::PATCH, format!("/webhooks/{webhook}"))]
        {
            let (status, problem) = scene.send("bob", method, &path, &body).await;
            assert_eq!(
                crate::api::fault_of(status, &problem),
                (400, "invalid_request".to_owned(), pointer.to_owned()),
                "{body}"
            );
        }
    }
    for body in [
        json!({ "events": events }),
        json!({ "url": HOOK }),
        json!({ "url": HOOK, "events": events, "secret": "x" }),
    ] {
        assert_eq!(scene.send("bob", Method::POST, "/webhooks", &body).await.0, 400, "{body}");
    }
    for query in ["limit=0", "limit=1001", "cursor=x", "state=failed"] {
        let path = format!("/webhooks/{webhook}/deliveries?{query}");
        assert_eq!(scene.send("bob", Method::GET, &path, &Value::Null).await.0, 400, "{query}");
    }
    for _ in 1..20 {
        scene.webhook("bob", HOOK, Value::Null).await;
    }
    let one_more = json!({ "url": HOOK, "events": events });
    let (status, problem) = scene.send("bob", Method::POST, "/webhooks", &one_more).await;
    assert_eq!((status, &problem["code"]), (422, &json!("unprocessable")));
    scene.stop().await;
}

/// Who may do what: all of it with one's own webhooks, nothing with those of others, whoever one is.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_of_others_are_unknown() {
    let scene = Scene::start().await;
    let (webhook, _) = scene.webhook("bob", HOOK, Value::Null).await;
    let calls = [
        (Method::GET, format!("/webhooks/{webhook}"), Value::Null),
        (Method::GET, format!("/webhooks/{webhook}/deliveries"), Value::Null),
        (Method::PATCH, format!("/webhooks/{webhook}"), json!({ "active": true })),
        (Method::POST, format!("/webhooks/{webhook}/secret"), Value::Null),
        (Method::POST, format!("/webhooks/{webhook}/test"), Value::Null),
        (Method::DELETE, format!("/webhooks/{webhook}"), Value::Null),
    ];
    for (method, path, body) in &calls {
        for (token, expected) in [("eve", 404), ("ann", 404), ("nobody", 401)] {
            let (status, _) = scene.send(token, method.clone(), path, body).await;
            assert_eq!(status, expected, "{token}: {method} {path}");
        }
        let unknown = path.replace(&webhook, &"0".repeat(24));
        assert_eq!(scene.send("bob", method.clone(), &unknown, body).await.0, 404, "{method} {unknown}");
    }
    for (method, path) in [
        (Method::GET, "/webhooks"),
        (Method::POST, "/webhooks"),
        (Method::GET, "/notifications"),
        (Method::POST, "/notifications/read"),
    ] {
        assert_eq!(scene.send("nobody", method, path, &Value::Null).await.0, 401, "{path}");
    }
    for token in ["eve", "ann"] {
        assert_eq!(scene.get(token, "/webhooks").await, json!({ "items": [] }));
    }
    // only administrators hear of everybody
    let body = json!({ "url": HOOK, "events": ["job.failed"], "allJobs": true });
    assert_eq!(scene.send("bob", Method::POST, "/webhooks", &body).await.0, 403);
    let path = format!("/webhooks/{webhook}");
    assert_eq!(scene.send("bob", Method::PATCH, &path, &json!({ "allJobs": true })).await.0, 403);
    assert_eq!(scene.send("ann", Method::POST, "/webhooks", &body).await.0, 201);
    for (method, path, body) in &calls {
        let (status, answer) = scene.send("bob", method.clone(), path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {answer}");
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_come_in_pages_whose_cursors_fit_one_list() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let (other, _) = scene.webhook("bob", "https://example.org/", json!({ "events": ["job.failed"] })).await;
    for _ in 0..5 {
        scene.job("good", bob()).await;
    }
    receiver.until_received(5).await;
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = scene.get("bob", &format!("/webhooks/{webhook}/deliveries?{query}")).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("limit=2&cursor={cursor}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let (status, problem) =
        scene.send("bob", Method::GET, &format!("/webhooks/{other}/deliveries?{query}"), &Value::Null).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_cursor")));
    scene.stop().await;
    receiver.stop().await;
}
