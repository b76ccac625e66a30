//! Undoing operations of several parts that have to do with each other.

use common::files::{Act, FileStore as _, JournalStore as _, NodeName, Note};
use common::{Clock as _, FileId, IdGen as _, OperationId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::journal::{batch, codes, file, operation, show, undo};
use crate::support::{Client, Server};

/// Does this as one operation, one part after another, with these numbers.
async fn done(server: &Server, user: &Client<'_>, parts: &[(u32, &str, Act)]) -> String {
    let operation = OperationId(server.ids.object_id());
    for (part, node, act) in parts {
        let at = server.clock.now();
        let note =
            Note { operation, part: *part, user: user.id, within: None, undoes: None, undone_part: 0, at };
        let acted = server.store.act(node.parse().unwrap(), None, act, &note).await.unwrap();
        assert!(acted.noted);
    }
    operation.to_string()
}

async fn root(server: &Server, user: &Client<'_>) -> FileId {
    server.store.find_space_of(user.id).await.unwrap().unwrap().root
}

fn relocate(name: &str, parent: FileId) -> Act {
    Act::Relocate { name: NodeName::parse(name).unwrap(), parent }
}

async fn undone(user: &Client<'_>, id: &str) -> Vec<Value> {
    codes(&undo(user, id).await.expect(StatusCode::OK))
}

#[actix_web::test]
async fn what_was_refused_is_undone_by_another_call() {
    let server = Server::start().await;
    let user = server.user("a");
    let from = user.folder("from", "root").await;
    let id = user.file("a", &from, "x").await;
    let changes = json!([
        {"op": "move", "id": id, "name": "b"},
        {"op": "tag", "id": id, "tags": ["x"]},
        {"op": "move", "id": id, "parentId": "root"},
        {"op": "star", "id": id, "starred": true},
        {"op": "tag", "id": id, "tags": ["y"]},
    ]);
    let changed = operation(&batch(&user, changes).await);
    let in_the_way = user.file("a", &from, "y").await;
    let trashed = operation(&user.delete(&format!("/api/v1/files/{from}")).await);
    // each time as far as it goes: the last changes first, and what hangs on one that is refused with it
    let code = |code: &str| json!(code);
    let since = || code("changed_since");
    assert_eq!(
        undone(&user, &changed).await,
        [Value::Null, Value::Null, code("parent_not_found"), since(), since()]
    );
    assert_eq!(undone(&user, &changed).await, [since(), since(), code("parent_not_found"), since(), since()]);
    operation(&undo(&user, &trashed).await);
    let partly = undo(&user, &changed).await;
    assert_eq!(
        codes(&partly.expect(StatusCode::OK)),
        [since(), since(), Value::Null, Value::Null, code("name_taken")]
    );
    assert_eq!(show(&user, &changed).await["undone"], 4);
    user.delete(&format!("/api/v1/files/{in_the_way}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(undone(&user, &changed).await, [since(), since(), since(), since(), Value::Null]);
    let back = file(&user, &id).await;
    assert_eq!(
        (&back["name"], &back["parentId"], &back["tags"], &back["starred"]),
        (&json!("a"), &json!(from), &json!([]), &json!(false))
    );
    undo(&user, &changed).await.expect_problem(409, "changed_since");

    // what somebody else has changed in between stays
    let changes = json!([
        {"op": "move", "id": id, "name": "b"},
        {"op": "tag", "id": id, "tags": ["x"]},
    ]);
    let changed = operation(&batch(&user, changes).await);
    let in_the_way = user.file("a", &from, "y").await;
    assert_eq!(undone(&user, &changed).await, [Value::Null, code("name_taken")]);
    user.delete(&format!("/api/v1/files/{in_the_way}")).await.expect(StatusCode::NO_CONTENT);
    user.patch(&format!("/api/v1/files/{id}"), json!({"tags": ["z"]})).await.expect(StatusCode::OK);
    assert_eq!(undone(&user, &changed).await, [since(), since()]);
    assert_eq!(file(&user, &id).await["name"], "b");
}

#[actix_web::test]
async fn names_that_moved_on_come_back_in_their_order() {
    const FILES: u32 = 40;
    let server = Server::start().await;
    let user = server.user("a");
    let mut ids = Vec::new();
    for n in 0..FILES {
        ids.push(user.file(&n.to_string(), "root", "x").await);
    }
    let root = root(&server, &user).await;
    let names = user.names("root").await;
    // each got the name that the one before it had left; numbered so, and in a batch, whose parts are made at once, perhaps otherwise
    for number in [|n: u32| FILES - n, |n: u32| n] {
        let parts: Vec<(u32, &str, Act)> = (0..FILES)
            .rev()
            .map(|n| (number(n), ids[n as usize].as_str(), relocate(&(n + 1).to_string(), root)))
            .collect();
        let moved = done(&server, &user, &parts).await;
        let first = undo(&user, &moved).await;
        let redo = operation(&first);
        let came = first.expect(StatusCode::OK);
        assert!(codes(&came).iter().all(Value::is_null), "{came}");
        assert_eq!(user.names("root").await, names);
        // and all that again
        let again = undo(&user, &redo).await;
        assert!(codes(&again.expect(StatusCode::OK)).iter().all(Value::is_null));
        assert_eq!(file(&user, &ids[7]).await["name"], "8");
        let back = undone(&user, &operation(&again)).await;
        assert!(back.iter().all(Value::is_null), "{back:?}");
        assert_eq!(user.names("root").await, names);
    }
}

#[actix_web::test]
async fn folders_of_an_operation_are_back_before_what_was_in_them() {
    let server = Server::start().await;
    let user = server.user("a");
    let outer = user.folder("outer", "root").await;
    let inner = user.folder("inner", &outer).await;
    let root = root(&server, &user).await;
    let mut files = Vec::new();
    for n in 0..20 {
        files.push(user.file(&n.to_string(), &inner, "x").await);
    }
    let names = user.names(&inner).await;
    // the files, and then their folders, went into the trash
    let one_by_one = files.iter().chain([&inner, &outer]);
    let parts: Vec<_> = (0..).zip(one_by_one).map(|(n, id)| (n, id.as_str(), Act::Trash)).collect();
    let trashed = done(&server, &user, &parts).await;
    let back = undo(&user, &trashed).await;
    let redo = operation(&back);
    assert!(codes(&back.expect(StatusCode::OK)).iter().all(Value::is_null));
    assert_eq!(user.names("root").await, ["outer"]);
    assert_eq!(user.names(&inner).await, names);
    // and go there again in that order, by which none goes along with its folder
    assert!(undone(&user, &redo).await.iter().all(Value::is_null));
    let trash = user.get("/api/v1/trash").await.expect(StatusCode::OK);
    assert_eq!(trash["items"].as_array().unwrap().len(), files.len() + 2);
    for id in [&outer, &inner] {
        operation(&user.post(&format!("/api/v1/files/{id}/restore"), json!({})).await);
    }

    // a folder that lay in another one, which lies in it now
    let (outer_id, inner_id): (FileId, FileId) = (outer.parse().unwrap(), inner.parse().unwrap());
    assert_eq!(file(&user, &inner).await["parentId"], json!(outer));
    let parts =
        [(0, inner.as_str(), relocate("inner", root)), (1, outer.as_str(), relocate("outer", inner_id))];
    let turned = done(&server, &user, &parts).await;
    assert_eq!(undone(&user, &turned).await, [Value::Null, Value::Null]);
    let back = file(&user, &inner).await;
    assert_eq!(back["parentId"], json!(outer_id.to_string()));
}
