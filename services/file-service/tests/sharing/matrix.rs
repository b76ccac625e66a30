//! Every role and every call, as a table: what a call answers to somebody who was given a right to a folder, inside of it and about the folder itself.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, answer, id_of, user_id};

const OK: u16 = 200;
const MADE: u16 = 201;
const DONE: u16 = 204;
const NO: u16 = 403;
const NONE: u16 = 404;

/// A call about a node.
struct Call {
    what: &'static str,
    method: Method,
    /// `{file}` and `{folder}` lie in the shared folder `{top}`; `{own}` is the caller's own folder.
    path: &'static str,
    body: Option<Value>,
    /// What viewer, editor, manager and a stranger get.
    expected: [u16; 4],
}

fn call(what: &'static str, method: Method, path: &'static str, expected: [u16; 4]) -> Call {
    Call { what, method, path, body: None, expected }
}

impl Call {
    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

/// The table. Each call meets a fresh tree, so none depends on another.
fn calls() -> Vec<Call> {
    let (get, put, post, patch, delete) =
        (Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE);
    vec![
        call("show inside", get.clone(), "/api/v1/files/{file}", [OK, OK, OK, NONE]),
        call("show itself", get.clone(), "/api/v1/files/{top}", [OK, OK, OK, NONE]),
        call("show above", get.clone(), "/api/v1/files/{above}", [NONE; 4]),
        call("show beside", get.clone(), "/api/v1/files/{beside}", [NONE; 4]),
        call("list", get.clone(), "/api/v1/files/{top}/children", [OK, OK, OK, NONE]),
        call("list above", get.clone(), "/api/v1/files/{above}/children", [NONE; 4]),
        call("way", get.clone(), "/api/v1/files/{file}/path", [OK, OK, OK, NONE]),
        call("read", get.clone(), "/api/v1/files/{file}/content", [OK, OK, OK, NONE]),
        call("read beside", get.clone(), "/api/v1/files/{beside}/content", [NONE; 4]),
        // there is none of a text, which is said to those alone who may know of it
        call("thumbnail", get.clone(), "/api/v1/files/{file}/thumbnails/100", [NONE; 4]),
        call("classic show", get.clone(), "/files/{file}", [OK, OK, OK, NONE]),
        call("classic read", get.clone(), "/files/{file}/data", [OK, OK, OK, NONE]),
        call("upload", put.clone(), "/api/v1/files/{top}/children/new/content", [NO, MADE, MADE, NONE]),
        call(
            "upload deeper",
            put.clone(),
            "/api/v1/files/{folder}/children/new/content",
            [NO, MADE, MADE, NONE],
        ),
        call("upload above", put.clone(), "/api/v1/files/{above}/children/new/content", [NONE; 4]),
        call("replace", put.clone(), "/api/v1/files/{file}/content", [NO, OK, OK, NONE]),
        call("make a folder", post.clone(), "/api/v1/files", [NO, MADE, MADE, NONE])
            .with(json!({"name": "new", "parentId": "{top}"})),
        call("make a path", post.clone(), "/api/v1/files", [NO, MADE, MADE, NONE])
            .with(json!({"path": "new/er", "parentId": "{folder}"})),
        call("classic make", post.clone(), "/files", [NO, MADE, MADE, 400])
            .with(json!({"name": "new", "type": "folder", "parentId": "{top}"})),
        call("classic make public", post.clone(), "/files", [NO, NO, MADE, 400])
            .with(json!({"name": "new", "type": "folder", "parentId": "{top}", "isPublic": true})),
        call("rename inside", patch.clone(), "/api/v1/files/{file}", [NO, OK, OK, NONE])
            .with(json!({"name": "renamed"})),
        call("rename itself", patch.clone(), "/api/v1/files/{top}", [NO, NO, NO, NONE])
            .with(json!({"name": "renamed"})),
        call("move inside", patch.clone(), "/api/v1/files/{file}", [NO, OK, OK, NONE])
            .with(json!({"parentId": "{folder}"})),
        call("move out", patch.clone(), "/api/v1/files/{file}", [NO, NONE, NONE, NONE])
            .with(json!({"parentId": "{above}"})),
        call("move to oneself", patch.clone(), "/api/v1/files/{file}", [NO, NO, NO, NONE])
            .with(json!({"parentId": "root"})),
        call("move to one's folder", patch.clone(), "/api/v1/files/{file}", [NO, NO, NO, NONE])
            .with(json!({"parentId": "{own}"})),
        call("star", patch.clone(), "/api/v1/files/{file}", [OK, OK, OK, NONE])
            .with(json!({"starred": true})),
        call("star itself", patch.clone(), "/api/v1/files/{top}", [OK, OK, OK, NONE])
            .with(json!({"starred": true})),
        call("star beside", patch.clone(), "/api/v1/files/{beside}", [NONE; 4])
            .with(json!({"starred": true})),
        call("tag", patch.clone(), "/api/v1/files/{file}", [NO, OK, OK, NONE]).with(json!({"tags": ["x"]})),
        call("tag and rename itself", patch.clone(), "/api/v1/files/{top}", [NO, NO, NO, NONE])
            .with(json!({"tags": ["x"], "name": "renamed"})),
        call("trash inside", delete.clone(), "/api/v1/files/{file}", [NO, DONE, DONE, NONE]),
        call("trash itself", delete.clone(), "/api/v1/files/{top}", [NO, NO, NO, NONE]),
        call("classic trash", delete.clone(), "/files/{file}", [NO, DONE, DONE, NONE]),
        call("delete", delete.clone(), "/api/v1/files/{file}?permanent=true", [NO, NO, NO, NONE]),
        call("restore", post.clone(), "/api/v1/files/{file}/restore", [NO, NO, NO, NONE]),
        call("open to all", put.clone(), "/api/v1/files/{file}/public", [NO, NO, OK, NONE]),
        call("close", delete.clone(), "/api/v1/files/{file}/public", [NO, NO, OK, NONE]),
        call("classic publish", put.clone(), "/files/{file}/publish", [NO, NO, OK, NONE]),
        call("classic unpublish", put, "/files/{file}/unpublish", [NO, NO, OK, NONE]),
        call("list shares", get.clone(), "/api/v1/files/{file}/shares", [NO, NO, OK, NONE]),
        call("list shares of itself", get.clone(), "/api/v1/files/{top}/shares", [NO, NO, OK, NONE]),
        call("share", post.clone(), "/api/v1/files/{file}/shares", [NO, NO, MADE, NONE])
            .with(json!({"address": "c@example.org", "role": "viewer"})),
        call("share above", post.clone(), "/api/v1/files/{above}/shares", [NONE; 4])
            .with(json!({"address": "c@example.org", "role": "viewer"})),
        call("change a share", patch.clone(), "/api/v1/shares/{share}", [NONE, NONE, OK, NONE])
            .with(json!({"role": "editor"})),
        call("end a share", delete.clone(), "/api/v1/shares/{share}", [NONE, NONE, DONE, NONE]),
        call("change one's own share", patch.clone(), "/api/v1/shares/{mine}", [NO, NO, OK, NONE])
            .with(json!({"role": "viewer"})),
        call("leave", delete.clone(), "/api/v1/shares/{mine}", [DONE, DONE, DONE, NONE]),
        call("list links", get, "/api/v1/files/{file}/links", [NO, NO, OK, NONE]),
        call("make a link", post, "/api/v1/files/{file}/links", [NO, NO, MADE, NONE]).with(json!({})),
        call("change a link", patch, "/api/v1/links/{link}", [NONE, NONE, OK, NONE])
            .with(json!({"label": "x"})),
        call("end a link", delete.clone(), "/api/v1/links/{link}", [NONE, NONE, DONE, NONE]),
        // the owner's overview is the owner's
        call("end access", delete, "/api/v1/access/share/{share}", [NONE; 4]),
    ]
}

struct Tree {
    ids: Vec<(&'static str, String)>,
}

impl Tree {
    /// `above / top / {file, folder}` and `above / beside`; `top` is shared with `name` in this role, and with somebody else.
    async fn shared(
        owner: &Client<'_>,
        caller: &Client<'_>,
        role: Option<&str>,
        name: &str,
        number: usize,
    ) -> Self {
        let above = owner.folder(&format!("above {number}"), "root").await;
        let top = owner.folder("top", &above).await;
        let beside = owner.file("beside.txt", &above, "beside").await;
        let file = owner.file("file.txt", &top, "inside").await;
        let folder = owner.folder("folder", &top).await;
        let give = async |name: &str, role: &str| {
            let body = json!({"userId": user_id(name), "role": role});
            id_of(&owner.post(&format!("/api/v1/files/{top}/shares"), body).await.expect(StatusCode::CREATED))
        };
        let share = give("b", "viewer").await;
        let mine = match role {
            Some(role) => give(name, role).await,
            None => "5f1e8896c7ba06511e683b25".to_owned(),
        };
        let made = owner.post(&format!("/api/v1/files/{file}/links"), json!({})).await;
        let link = id_of(&made.expect(StatusCode::CREATED));
        let own = caller.folder(&format!("own {number}"), "root").await;
        let ids = vec![
            ("{above}", above),
            ("{top}", top),
            ("{beside}", beside),
            ("{file}", file),
            ("{folder}", folder),
            ("{share}", share),
            ("{mine}", mine),
            ("{link}", link),
            ("{own}", own),
        ];
        Self { ids }
    }

    fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }
}

#[actix_web::test]
async fn every_role_and_every_call() {
    let server = Server::start().await;
    let roles = [
        ("viewer", Some("viewer")),
        ("editor", Some("editor")),
        ("manager", Some("manager")),
        ("stranger", None),
    ];
    let mut wrong = Vec::new();
    let mut number = 0;
    for call in calls() {
        for ((name, role), expected) in roles.into_iter().zip(call.expected) {
            number += 1;
            // nobody looks up so many people at once
            let owner = server.user(&format!("owner{number}"));
            let caller = server.user(name);
            let tree = Tree::shared(&owner, &caller, role, name, number).await;
            let request = caller.request(call.method.clone(), &tree.fill(call.path));
            let request = match &call.body {
                Some(body) => {
                    request.header("content-type", "application/json").body(tree.fill(&body.to_string()))
                }
                None if call.method == Method::PUT => request.body("bytes"),
                None => request,
            };
            let answered = answer(request).await;
            if answered.status != expected {
                let text = String::from_utf8_lossy(&answered.bytes).into_owned();
                wrong.push(format!("{} by {name}: {} not {expected}: {text}", call.what, answered.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
