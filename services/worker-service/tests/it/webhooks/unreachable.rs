use std::time::Duration;

use runtime::settings::Span;
use tokio::net::TcpListener;

use super::*;

/// What became of the first attempt of a message to this place.
async fn first_attempt(scene: &Scene, url: &str) -> Value {
    let (webhook, _) = scene.webhook("bob", url, Value::Null).await;
    scene.job("good", bob()).await;
    scene.delivery("bob", &webhook, |newest| !newest["attempts"][0].is_null()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let scene = Scene::with(|world| world.webhooks.allow_networks.clear()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let delivery = first_attempt(&scene, &format!("http://localhost:{port}/hook")).await;
    let attempt = &delivery["attempts"][0];
    assert_eq!((&delivery["state"], &attempt["status"]), (&json!("failed"), &Value::Null));
    assert_eq!(attempt["error"], "the name leads to an address that may not be reached");
    let came = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
    assert!(came.is_err(), "nobody came");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_allowed_no_more_is_not_connected_to() {
    let (scene, receiver) = (Scene::start().await, Receiver::start());
    let (webhook, _) = scene.webhook("bob", &receiver.url, Value::Null).await;
    let Scene { mut world, users, api } = scene;
    api.stop().await;
    world.webhooks.allow_networks = "10.0.0.0/8".to_owned();
    let api = Api::with(&world, handlers());
    let scene = Scene { world, users, api };
    scene.job("good", bob()).await;
    let delivery = scene.ended("bob", &webhook).await;
    assert_eq!(delivery["state"], "failed");
    let error = "addresses of private networks and of this server may not be reached";
    assert_eq!(delivery["attempts"][0]["error"], error);
    assert!(receiver.received().is_empty());
    scene.stop().await;
    receiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_this_server_is_not_followed() {
    let (scene, receiver, target) = (Scene::start().await, Receiver::start(), Receiver::start());
    receiver.redirect_to(&target.url);
    let delivery = first_attempt(&scene, &receiver.url).await;
    assert_eq!(delivery["attempts"][0]["status"], 307);
    assert!(target.received().is_empty());
    scene.stop().await;
    receiver.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_slow_is_not_waited_for() {
    let scene = Scene::with(|world| world.webhooks.timeout = Span::from_millis(50)).await;
    // it takes connections, and never answers
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let delivery = first_attempt(&scene, &format!("http://127.0.0.1:{port}/hook")).await;
    assert_eq!(delivery["attempts"][0]["error"], "the receiver did not answer in time");
    scene.stop().await;
}
