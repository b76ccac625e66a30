//! Webhooks and notifications over a running service, with real receivers.

mod delivering;
mod failing;
mod files;
mod guide;
mod managing;
mod notified;
mod receiver;
mod resealed;
mod unreachable;

use common::Clock as _;
use common::UserId;
use common::jobs::{JobStore as _, NewJob, types};
use reqwest::Method;
use serde_json::{Value, json};
use worker_service::{HandlerError, Registry};

use crate::api::Api;
use crate::files_double::Users;
use crate::http::{ann, bob, eve};
use crate::support::{Does, World, registry, until};
use receiver::Receiver;

/// A service that may reach the loopback, with the accounts that its tests know. Jobs of type `good` work, those of type `bad`, and of built-in types, fail.
struct Scene {
    world: World,
    users: Users,
    api: Api,
}

impl Scene {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(arrange: impl FnOnce(&mut World)) -> Self {
        Self::of(
            &[(ann(), "admin@example.org"), (bob(), "bob@dylan.com"), (eve(), "eve@example.org")],
            arrange,
        )
        .await
    }

    async fn of(accounts: &[(UserId, &str)], arrange: impl FnOnce(&mut World)) -> Self {
        let users = Users::start(accounts).await;
        let mut world = World::new();
        world.webhooks.allow_networks = "127.0.0.1".to_owned();
        world.auth = users.client();
        arrange(&mut world);
        let api = Api::with(&world, handlers());
        Self { world, users, api }
    }

    async fn stop(self) {
        self.api.stop().await;
        self.users.stop().await;
    }

    async fn send(&self, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.api.request(method, path, token);
        self.api.send(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Makes a webhook that is told of everything it can be; its id and its secret.
    async fn webhook(&self, token: &str, url: &str, more: Value) -> (String, String) {
        let mut body = json!({ "url": url, "events": ["job.complete", "job.failed"] });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let (status, made) = self.send(token, Method::POST, "/webhooks", &body).await;
        assert_eq!(status, 201, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["webhook"]["id"]), text(&made["secret"]))
    }

    async fn get(&self, token: &str, path: &str) -> Value {
        let (status, body) = self.send(token, Method::GET, path, &Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn job(&self, kind: &str, user: UserId) -> NewJob {
        let job = NewJob { max_attempts: 1, ..self.world.job_of(kind, user) };
        self.world.store.insert(std::slice::from_ref(&job), self.world.clock.now()).await.unwrap();
        self.world.submit(&[]).await;
        job
    }

    /// The newest delivery of a webhook once it is as wanted.
    async fn delivery(&self, token: &str, webhook: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/webhooks/{webhook}/deliveries?limit=1");
        until("the delivery", || async {
            let newest = self.get(token, &path).await["items"].get(0).cloned()?;
            wanted(&newest).then_some(newest)
        })
        .await
    }

    async fn ended(&self, token: &str, webhook: &str) -> Value {
        self.delivery(token, webhook, |newest| newest["state"] != "pending").await
    }
}

fn handlers() -> Registry {
    let good = Does::new("good", 2, |_| Box::pin(async { Ok(Some(json!({ "pages": 2 }))) }));
    let bad = |kind| {
        Does::new(kind, 2, |_| Box::pin(async { Err(HandlerError::Permanent("on purpose".to_owned())) }))
    };
    let bad = ["bad", types::PURGE, types::MEDIA_FACTS, types::WELCOME_MAIL, types::THUMBNAILS].map(bad);
    registry(&std::iter::once(&good).chain(&bad).collect::<Vec<_>>())
}
