//! Upkeep of what is past: what cannot be given up keeps nothing else.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Client, Server, answer, id_of, until};

/// Tables of what is given up by its age.
const KINDS: [&str; 4] = ["versions", "copies", "operations", "activity"];

/// Something of each kind.
struct Past {
    file: String,
    copy: String,
    operation: String,
}

impl Past {
    async fn make(user: &Client<'_>) -> Self {
        let folder = user.folder("f", "root").await;
        user.file("c.txt", &folder, "x").await;
        let file = user.file("a.txt", "root", "old").await;
        let put = user.request(Method::PUT, &format!("/api/v1/files/{file}/content")).body("new");
        answer(put).await.expect(StatusCode::OK);
        let renamed = user.patch(&format!("/api/v1/files/{file}"), json!({"name": "b.txt"})).await;
        let operation = renamed.header("operation-id").expect("it can be undone").to_owned();
        let copied = user.post(&format!("/api/v1/files/{folder}/copy"), json!({"name": "copy"})).await;
        let copy = id_of(&copied.expect(StatusCode::ACCEPTED));
        let path = format!("/api/v1/operations/{copy}");
        until("it is copied", async || user.get(&path).await.expect(StatusCode::OK)["state"] == "done").await;
        Self { file, copy, operation }
    }

    /// Those of [`KINDS`] of which everything is there.
    async fn kept(&self, user: &Client<'_>) -> Vec<&'static str> {
        let versions = user.get(&format!("/api/v1/files/{}/versions", self.file)).await;
        let versions = versions.expect(StatusCode::OK)["items"].as_array().unwrap().len();
        let is_known =
            async |id: &str| user.get(&format!("/api/v1/operations/{id}")).await.status == StatusCode::OK;
        let events = user.get("/api/v1/activity").await.expect(StatusCode::OK);
        let kept = [
            versions == 2,
            is_known(&self.copy).await,
            is_known(&self.operation).await,
            events["items"] != json!([]),
        ];
        KINDS.into_iter().zip(kept).filter_map(|(kind, kept)| kept.then_some(kind)).collect()
    }
}

#[actix_web::test]
async fn what_cannot_be_given_up_keeps_nothing_else() {
    for stuck in [&["versions"][..], &["copies"], &["operations"], &["activity"], &["versions", "copies"]] {
        let server = Server::with(|settings| {
            settings.keep_versions_for = Some(Duration::from_secs(3600));
            settings.copy_awaited_entries = 0;
        })
        .await;
        let user = server.user("a");
        let past = Past::make(&user).await;
        let upkeep = async || {
            let path = "/internal/maintenance/expire-versions";
            answer(server.internal(Method::POST, path).json(&json!({}))).await
        };
        assert_eq!(upkeep().await.expect(StatusCode::OK)["changed"], 0);
        assert_eq!(past.kept(&user).await, KINDS);
        server.clock.advance(file_service::FileSettings::default().keep_activity + Duration::from_millis(1));
        let rows = rusqlite::Connection::open(server.dir.path().join("files.db")).unwrap();
        for kind in stuck {
            let trigger = format!(
                "CREATE TRIGGER keeps_{kind} BEFORE DELETE ON {kind} BEGIN SELECT RAISE(ABORT, 'by the test'); END"
            );
            rows.execute_batch(&trigger).unwrap();
        }
        // whoever asked learns that something failed, and asks again
        upkeep().await.expect_problem(500, "internal");
        assert_eq!(past.kept(&user).await, stuck);
        for kind in stuck {
            rows.execute_batch(&format!("DROP TRIGGER keeps_{kind}")).unwrap();
        }
        assert_eq!(upkeep().await.expect(StatusCode::OK)["done"], true);
        assert_eq!(past.kept(&user).await, [""; 0]);
    }
}
