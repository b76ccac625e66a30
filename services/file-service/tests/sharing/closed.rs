//! What belongs to an account that is disabled, waits to be deleted, or is gone.

use std::sync::atomic::Ordering;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, Server, answer, user_id};

/// All ways by which others reach the file of `a`.
struct Ways<'s> {
    server: &'s Server,
    folder: String,
    file: String,
    link: String,
    managers_link: String,
}

impl<'s> Ways<'s> {
    async fn of(server: &'s Server) -> Self {
        let (owner, manager) = (server.user("a"), server.user("manager"));
        let folder = owner.folder("shared", "root").await;
        let file = owner.file("a.txt", &folder, "bytes").await;
        owner.put(&format!("/api/v1/files/{file}/public")).await.expect(StatusCode::OK);
        for (name, role) in [("viewer", "viewer"), ("manager", "manager")] {
            let to = json!({ "userId": user_id(name), "role": role });
            owner.post(&format!("/api/v1/files/{folder}/shares"), to).await.expect(StatusCode::CREATED);
        }
        let links = format!("/api/v1/files/{folder}/links");
        let token = |made: serde_json::Value| made["token"].as_str().unwrap().to_owned();
        let body = json!({ "role": "editor", "password": "secret" });
        let link = token(owner.post(&links, body).await.expect(StatusCode::CREATED));
        let body = json!({ "role": "viewer" });
        let managers_link = token(manager.post(&links, body).await.expect(StatusCode::CREATED));
        Self { server, folder, file, link, managers_link }
    }

    async fn anonymous(&self, method: Method, path: &str) -> Answer {
        answer(self.server.request(method, path)).await
    }

    /// What each way answers.
    async fn statuses(&self) -> Vec<(&'static str, StatusCode)> {
        let Self { folder, file, link, managers_link, .. } = self;
        let viewer = self.server.user("viewer");
        let (content, classic) = (format!("/api/v1/files/{file}/content"), format!("/files/{file}/data"));
        let unlock = self.server.request(Method::POST, &format!("/api/v1/public/{link}/unlock"));
        let with_me = viewer.get("/api/v1/shares/with-me").await;
        let listed = with_me.expect(StatusCode::OK)["items"].as_array().map_or(0, Vec::len);
        vec![
            ("public", self.anonymous(Method::GET, &classic).await.status),
            ("public, signed in", self.server.user("stranger").get(&content).await.status),
            ("share", viewer.get(&content).await.status),
            ("share, list", viewer.get(&format!("/api/v1/files/{folder}/children")).await.status),
            ("share, beyond the role", viewer.delete(&format!("/api/v1/files/{file}")).await.status),
            ("link, unlock", answer(unlock.json(&json!({ "password": "secret" }))).await.status),
            (
                "link of a manager",
                self.anonymous(Method::GET, &format!("/api/v1/public/{managers_link}")).await.status,
            ),
            ("shared with me", if listed == 1 { with_me.status } else { StatusCode::NOT_FOUND }),
        ]
    }

    async fn open(&self) {
        for (way, status) in self.statuses().await {
            let expected = if way == "share, beyond the role" {
                status == StatusCode::FORBIDDEN
            } else {
                status.is_success()
            };
            assert!(expected, "{way}: {status}");
        }
    }
}

#[actix_web::test]
async fn what_belongs_to_a_closed_account_opens_to_nobody_else() {
    let server = Server::start().await;
    let ways = Ways::of(&server).await;
    ways.open().await;
    server.closed.lock().unwrap().insert(user_id("a"));
    for (way, status) in ways.statuses().await {
        assert_eq!(status, StatusCode::NOT_FOUND, "{way}");
    }
    // nothing was taken away: it is open again with the account
    server.closed.lock().unwrap().clear();
    ways.open().await;
}

#[actix_web::test]
async fn a_link_ends_while_the_account_of_its_maker_is_closed() {
    let server = Server::start().await;
    let ways = Ways::of(&server).await;
    server.closed.lock().unwrap().insert(user_id("manager"));
    for (way, status) in ways.statuses().await {
        assert_eq!(status == StatusCode::NOT_FOUND, way == "link of a manager", "{way}: {status}");
    }
}

#[actix_web::test]
async fn where_nobody_can_say_whether_an_account_is_open_nothing_opens() {
    let server = Server::start().await;
    let ways = Ways::of(&server).await;
    server.auth_outage.store(true, Ordering::SeqCst);
    let link = format!("/api/v1/public/{}", ways.managers_link);
    ways.anonymous(Method::GET, &link).await.expect_problem(503, "unavailable");
    let public = format!("/files/{}/data", ways.file);
    ways.anonymous(Method::GET, &public).await.expect_classic(503, "Service unavailable");
}
