//! What was done is noted, and undone.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Server, address, answer, id_of, keys};

/// The operation that an answer names.
#[track_caller]
pub(crate) fn operation(answer: &Answer) -> String {
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.header("operation-id").expect("it can be undone").to_owned()
}

pub(crate) async fn undo(user: &Client<'_>, id: &str) -> Answer {
    answer(user.request(Method::POST, &format!("/api/v1/operations/{id}/undo"))).await
}

async fn change(user: &Client<'_>, id: &str, body: Value) -> Answer {
    user.patch(&format!("/api/v1/files/{id}"), body).await
}

pub(crate) async fn batch(user: &Client<'_>, operations: Value) -> Answer {
    user.post("/api/v1/files/batch", json!({ "operations": operations })).await
}

pub(crate) async fn show(user: &Client<'_>, id: &str) -> Value {
    user.get(&format!("/api/v1/operations/{id}")).await.expect(StatusCode::OK)
}

pub(crate) async fn file(user: &Client<'_>, id: &str) -> Value {
    user.get(&format!("/api/v1/files/{id}")).await.expect(StatusCode::OK)
}

pub(crate) fn codes(undone: &Value) -> Vec<Value> {
    undone["results"].as_array().unwrap().iter().map(|result| result["code"].clone()).collect()
}

#[actix_web::test]
async fn a_change_of_everything_is_one_operation_that_is_undone_and_done_again() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let id = user.file("a", "root", "x").await;
    change(&user, &id, json!({"tags": ["old"]})).await;
    let before = file(&user, &id).await;
    let body = json!({"name": "b", "parentId": folder, "tags": ["new", "x"], "starred": true});
    let changed = change(&user, &id, body.clone()).await;
    let done = operation(&changed);
    let after = changed.expect(StatusCode::OK);
    // what changes nothing is no operation
    assert_eq!(change(&user, &id, body).await.header("operation-id"), None);

    let shown = show(&user, &done).await;
    let members = [
        "changes",
        "code",
        "copied",
        "copiedBytes",
        "createdAt",
        "endedAt",
        "fileId",
        "id",
        "parts",
        "sourceId",
        "state",
        "type",
        "undoable",
        "undoes",
        "undone",
    ];
    assert_eq!(keys(&shown), members);
    assert_eq!(
        (&shown["type"], &shown["changes"], &shown["undoable"]),
        (&json!("batch"), &json!(3), &json!(true))
    );
    let kinds: Vec<_> = shown["parts"].as_array().unwrap().iter().map(|part| part["type"].clone()).collect();
    assert_eq!(kinds, ["move", "tag", "star"]);

    let undone = undo(&user, &done).await;
    let redo = operation(&undone);
    let undone = undone.expect(StatusCode::OK);
    assert_eq!(codes(&undone), [Value::Null, Value::Null, Value::Null]);
    assert_eq!((&undone["operation"]["id"], &undone["operation"]["undoes"]), (&json!(redo), &json!(done)));
    assert_eq!(undone["results"][2]["file"]["name"], "a");
    let state = |file: &Value| ["name", "parentId", "tags", "starred"].map(|member| file[member].clone());
    assert_eq!(state(&file(&user, &id).await), state(&before));
    assert_eq!(show(&user, &done).await["undone"], 3);
    undo(&user, &done).await.expect_problem(409, "changed_since");

    operation(&undo(&user, &redo).await);
    assert_eq!(state(&file(&user, &id).await), state(&after));
    // only who did it knows of it
    undo(&server.user("b"), &done).await.expect_problem(404, "not_found");
    server.user("b").get(&format!("/api/v1/operations/{done}")).await.expect_problem(404, "not_found");
    undo(&user, "0123456789abcdef01234567").await.expect_problem(404, "not_found");
    undo(&user, "x").await.expect_problem(404, "not_found");
}

#[actix_web::test]
async fn what_was_changed_since_is_not_undone() {
    let server = Server::start().await;
    let user = server.user("a");
    let id = user.file("a", "root", "x").await;
    let path = format!("/api/v1/files/{id}");
    let renamed = operation(&change(&user, &id, json!({"name": "b"})).await);
    let tagged = operation(&change(&user, &id, json!({"tags": ["x"]})).await);
    let problem = undo(&user, &renamed).await.expect_problem(409, "changed_since");
    assert_eq!(problem["fileId"], json!(id));
    operation(&undo(&user, &tagged).await);
    // tags are as they were, but it is another revision
    undo(&user, &renamed).await.expect_problem(409, "changed_since");

    let renamed = operation(&change(&user, &id, json!({"name": "c"})).await);
    let trashed = operation(&user.delete(&path).await);
    // putting it there once more changes nothing
    assert_eq!(user.delete(&path).await.header("operation-id"), None);
    let problem = undo(&user, &renamed).await.expect_problem(409, "changed_since");
    assert_eq!(problem["fileId"], json!(id));
    let back = undo(&user, &trashed).await;
    let again = operation(&back);
    assert_eq!(back.expect(StatusCode::OK)["results"][0]["file"]["name"], "c");
    // done again it is in the trash, and brought back by hand it has changed
    let gone = undo(&user, &again).await.expect(StatusCode::OK);
    assert_eq!((&gone["results"][0]["status"], &gone["results"][0]["file"]), (&json!(200), &Value::Null));
    let restored = operation(&user.post(&format!("{path}/restore"), json!({})).await);
    undo(&user, &trashed).await.expect_problem(409, "changed_since");
    operation(&undo(&user, &restored).await);
    user.delete(&format!("{path}?permanent=true")).await.expect(StatusCode::NO_CONTENT);
    undo(&user, &restored).await.expect_problem(409, "changed_since");
    undo(&user, &renamed).await.expect_problem(404, "not_found");

    // the name is somebody else's now
    let id = user.file("d", "root", "x").await;
    let renamed = operation(&change(&user, &id, json!({"name": "e"})).await);
    let other = user.file("d", "root", "y").await;
    let problem = undo(&user, &renamed).await.expect_problem(409, "name_taken");
    assert_eq!(problem["existingId"], json!(other));
    // a star that is not as it was left, whatever happened to the file
    let starred = operation(&change(&user, &id, json!({"starred": true})).await);
    change(&user, &id, json!({"name": "f"})).await;
    operation(&undo(&user, &starred).await);
    let starred = operation(&change(&user, &id, json!({"starred": true})).await);
    change(&user, &id, json!({"starred": false})).await;
    undo(&user, &starred).await.expect_problem(409, "changed_since");
    // nor one that was set again later
    server.clock.advance(Duration::from_secs(1));
    let again = operation(&change(&user, &id, json!({"starred": true})).await);
    undo(&user, &starred).await.expect_problem(409, "changed_since");
    assert_eq!(file(&user, &id).await["starred"], true);
    operation(&undo(&user, &again).await);
    assert_eq!(file(&user, &id).await["starred"], false);
}

#[actix_web::test]
async fn a_batch_is_undone_as_far_as_nothing_has_changed_since() {
    let server = Server::start().await;
    let user = server.user("a");
    let (from, to) = (user.folder("from", "root").await, user.folder("to", "root").await);
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(user.file(&format!("{n}"), &from, "x").await);
    }
    let moves: Vec<Value> = ids.iter().map(|id| json!({"op": "move", "id": id, "parentId": to})).collect();
    let moved = batch(&user, json!(moves)).await;
    let done = operation(&moved);
    let shown = show(&user, &done).await;
    assert_eq!(
        (&shown["type"], &shown["changes"], &shown["fileId"]),
        (&json!("move"), &json!(40), &Value::Null)
    );
    change(&user, &ids[3], json!({"name": "changed"})).await;
    user.file("5", &from, "in the way").await;
    // two at once: each file is brought back by one of them
    let (one, two) = tokio::join!(undo(&user, &done), undo(&user, &done));
    let both = [one.expect(StatusCode::OK), two.expect(StatusCode::OK)];
    let succeeded: usize =
        both.iter().map(|undone| codes(undone).iter().filter(|code| code.is_null()).count()).sum();
    assert_eq!(succeeded, 38);
    let of = |id: &str| {
        let all = both.iter().flat_map(|undone| undone["results"].as_array().unwrap());
        let mine = all.filter(|result| result["fileId"] == json!(id));
        mine.map(|result| result["code"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(of(&ids[3]), ["changed_since", "changed_since"]);
    assert!(of(&ids[5]).contains(&json!("name_taken")), "{:?}", of(&ids[5]));
    assert_eq!(user.names(&to).await, ["5", "changed"]);
    assert_eq!(user.names(&from).await.len(), 39);
    assert_eq!(show(&user, &done).await["undone"], 38);

    // of different kinds, and several of one file: the last one is undone first
    let [a, b] = [&ids[0], &ids[1]];
    let mixed = batch(
        &user,
        json!([
            {"op": "move", "id": a, "name": "once"},
            {"op": "move", "id": a, "name": "twice"},
            {"op": "copy", "id": b, "name": "copy"},
            {"op": "tag", "id": a, "tags": ["x"]},
            {"op": "star", "id": b, "starred": true},
            {"op": "trash", "id": b},
            {"op": "fly"},
        ]),
    )
    .await;
    let done = operation(&mixed);
    assert_eq!(show(&user, &done).await["changes"], 5);
    let undone = undo(&user, &done).await.expect(StatusCode::OK);
    assert_eq!(codes(&undone), [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null]);
    let (a, b) = (file(&user, a).await, file(&user, b).await);
    assert_eq!((&a["name"], &a["tags"]), (&json!("0"), &json!([])));
    assert_eq!((&b["starred"], &b["trashedAt"]), (&json!(false), &Value::Null));
    // nothing in it can be undone
    assert_eq!(
        batch(&user, json!([{"op": "copy", "id": b["id"], "name": "2"}])).await.header("operation-id"),
        None
    );
}

#[actix_web::test]
async fn a_move_whose_old_folder_is_in_the_trash_stays() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let id = user.file("a", &folder, "x").await;
    let moved = operation(&change(&user, &id, json!({"parentId": "root"})).await);
    let trashed = operation(&user.delete(&format!("/api/v1/files/{folder}")).await);
    undo(&user, &moved).await.expect_problem(404, "parent_not_found");
    assert_eq!(user.names("root").await, ["a"]);
    // nothing was lost by trying
    operation(&undo(&user, &trashed).await);
    operation(&undo(&user, &moved).await);
    assert_eq!(user.names(&folder).await, ["a"]);
}

#[actix_web::test]
async fn among_files_of_others_undoing_takes_the_rights_of_today() {
    let server = Server::start().await;
    let (owner, user) = (server.user("owner"), server.user("b"));
    let folder = owner.folder("f", "root").await;
    let id = owner.file("a", &folder, "x").await;
    let with = json!({"address": address("b"), "role": "editor"});
    let share = owner.post(&format!("/api/v1/files/{folder}/shares"), with).await.expect(StatusCode::CREATED);
    let share = format!("/api/v1/shares/{}", id_of(&share));

    let renamed = operation(&change(&user, &id, json!({"name": "b"})).await);
    operation(&undo(&user, &renamed).await);
    assert_eq!(owner.names(&folder).await, ["a"]);
    // who put it into the trash may take it out of there
    let trashed = operation(&user.delete(&format!("/api/v1/files/{id}")).await);
    undo(&owner, &trashed).await.expect_problem(404, "not_found");
    let undone = undo(&user, &trashed).await.expect(StatusCode::OK);
    assert_eq!(undone["results"][0]["file"]["role"], "editor");

    let renamed = operation(&change(&user, &id, json!({"name": "c"})).await);
    let trashed = operation(&user.delete(&format!("/api/v1/files/{id}")).await);
    owner.patch(&share, json!({"role": "viewer"})).await.expect(StatusCode::OK);
    undo(&user, &trashed).await.expect_problem(404, "not_found");
    operation(&owner.post(&format!("/api/v1/files/{id}/restore"), json!({})).await);
    undo(&user, &renamed).await.expect_problem(403, "forbidden");
    owner.delete(&share).await.expect(StatusCode::NO_CONTENT);
    undo(&user, &renamed).await.expect_problem(404, "not_found");
    assert_eq!(owner.names(&folder).await, ["c"]);
    // what somebody did stays known to them
    assert_eq!(show(&user, &renamed).await["fileId"], json!(id));
}

#[actix_web::test]
async fn operations_are_listed_newest_first_with_copies_and_forgotten_in_time() {
    let server = Server::with(|settings| settings.copy_patience = std::time::Duration::ZERO).await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let first = operation(&change(&user, &folder, json!({"name": "g"})).await);
    let copied = user.post(&format!("/api/v1/files/{folder}/copy"), json!({"name": "copy"})).await;
    let copied = id_of(&copied.expect(StatusCode::ACCEPTED));
    let last = operation(&change(&user, &folder, json!({"starred": true})).await);
    let problem = undo(&user, &copied).await;
    problem.expect_problem(409, "not_undoable");

    let list = user.get("/api/v1/operations").await.expect(StatusCode::OK);
    let listed = |list: &Value| {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|item| (id_of(item), item["type"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let pair = |id: &str, kind: &str| (id.to_owned(), kind.to_owned());
    let all = [pair(&last, "star"), pair(&copied, "copy"), pair(&first, "rename")];
    assert_eq!(listed(&list), all);
    assert_eq!(list["nextCursor"], Value::Null);
    let (mut cursor, mut paged) = (String::new(), Vec::new());
    loop {
        let page = user.get(&format!("/api/v1/operations?limit=1{cursor}")).await.expect(StatusCode::OK);
        paged.extend(listed(&page));
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, all);
    let foreign = server.user("b").get(&format!("/api/v1/operations?limit=1{cursor}")).await;
    foreign.expect_problem(400, "invalid_cursor");
    assert_eq!(server.user("b").get("/api/v1/operations").await.expect(StatusCode::OK)["items"], json!([]));

    let upkeep = async || {
        let path = "/internal/maintenance/expire-versions";
        let step = answer(server.internal(Method::POST, path).json(&json!({}))).await;
        assert_eq!(step.expect(StatusCode::OK)["done"], true);
    };
    let month = file_service::FileSettings::default().keep_operations;
    server.clock.advance(month);
    upkeep().await;
    assert_eq!(listed(&user.get("/api/v1/operations").await.expect(StatusCode::OK)).len(), 3);
    server.clock.advance(std::time::Duration::from_millis(1));
    upkeep().await;
    // the copy has not ended
    let left = user.get("/api/v1/operations").await.expect(StatusCode::OK);
    assert_eq!(listed(&left), [pair(&copied, "copy")]);
    undo(&user, &last).await.expect_problem(404, "not_found");
}
