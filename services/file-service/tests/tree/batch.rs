//! Many changes in one request.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, Server, names_of};

async fn batch(user: &Client<'_>, operations: Value) -> Vec<Value> {
    let answered = user.post("/api/v1/files/batch", json!({ "operations": operations })).await;
    answered.expect(StatusCode::OK)["results"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

#[actix_web::test]
async fn each_change_succeeds_or_fails_by_itself_and_answers_stand_in_order() {
    let server = Server::start().await;
    let user = server.user("a");
    let (folder, other) = (user.folder("f", "root").await, user.folder("other", "root").await);
    let a = user.file("a", "root", "x").await;
    let b = user.file("b", "root", "x").await;
    let c = user.file("c", &folder, "x").await;
    let foreign = server.user("b").file("foreign", "root", "x").await;
    let results = batch(
        &user,
        json!([
            {"op": "move", "id": a, "parentId": folder, "name": "moved"},
            {"op": "move", "id": b, "parentId": folder, "name": "c"},
            {"op": "move", "id": foreign, "name": "mine"},
            {"op": "move", "id": folder, "parentId": folder},
            {"op": "move", "id": a, "name": "a/b"},
            {"op": "fly", "id": a},
            {"op": "trash"},
            "nonsense",
            {"op": "move", "id": "x", "name": "y"},
            {"op": "copy", "id": a, "parentId": other},
            {"op": "copy", "id": other, "name": "copy"},
            {"op": "tag", "id": a, "tags": ["x", "y"]},
            {"op": "tag", "id": a, "add": ["z"], "remove": ["X"]},
            {"op": "tag", "id": a},
            {"op": "star", "id": a, "starred": true},
            {"op": "trash", "id": b},
            {"op": "restore", "id": b},
            {"op": "restore", "id": c},
            {"op": "delete", "id": c},
            {"op": "delete", "id": c},
            {"op": "trash", "id": folder, "permanent": true},
        ]),
    )
    .await;
    let expected = [
        200, 409, 404, 409, 400, 400, 400, 400, 404, 201, 202, 200, 200, 400, 200, 204, 200, 409, 204, 404,
        400,
    ];
    assert_eq!(statuses(&results), expected, "{results:#?}");
    let codes: Vec<&str> = results.iter().filter_map(|result| result["code"].as_str()).collect();
    assert_eq!(
        codes,
        [
            "name_taken",
            "not_found",
            "would_make_cycle",
            "invalid_name",
            "invalid_request",
            "invalid_request",
            "invalid_request",
            "not_found",
            "invalid_request",
            "not_in_trash",
            "not_found",
            "invalid_request",
        ]
    );
    assert_eq!(results[1]["existingId"], json!(c));
    assert_eq!(results[0]["file"]["name"], "moved");
    assert_eq!(results[12]["file"]["tags"], json!(["y", "z"]));
    assert_eq!(results[14]["file"]["starred"], true);
    assert_eq!((&results[10]["operation"]["state"], &results[10]["file"]), (&json!("running"), &json!(null)));
    assert_eq!(user.names(&folder).await, ["moved"]);
    assert_eq!(user.names(&other).await, ["moved"]);
}

#[actix_web::test]
async fn a_thousand_are_made_and_more_are_refused() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let file = user.file("a", "root", "x").await;
    let copies: Vec<Value> = (0..1000)
        .map(|n| json!({"op": "copy", "id": file, "parentId": folder, "name": format!("{n}")}))
        .collect();
    let results = batch(&user, json!(copies)).await;
    assert!(statuses(&results).iter().all(|status| *status == 201));
    let list = user.get(&format!("/api/v1/files/{folder}/children?limit=1000")).await.expect(StatusCode::OK);
    assert_eq!((list["total"].as_u64(), names_of(&list).len()), (Some(1000), 1000));
    let ids: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    let trash: Vec<Value> = ids.iter().map(|id| json!({"op": "trash", "id": id})).collect();
    let results = batch(&user, json!(trash)).await;
    assert!(statuses(&results).iter().all(|status| *status == 204));
    let left = user.get(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::OK);
    assert_eq!(left["childCount"], 0);
    assert_eq!(user.get("/api/v1/trash").await.expect(StatusCode::OK)["total"], 1000);
    let many: Vec<Value> = (0..1001).map(|_| json!({"op": "trash", "id": file})).collect();
    let answered = user.post("/api/v1/files/batch", json!({ "operations": many })).await;
    answered.expect_problem(400, "invalid_request");
    assert_eq!(batch(&user, json!([])).await, [Value::Null; 0]);
    user.post("/api/v1/files/batch", json!({})).await.expect_problem(400, "invalid_request");
}
