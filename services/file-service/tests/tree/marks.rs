//! Stars, tags and recents.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Server, answer, id_of, keys, names_of, user_id};

async fn patch(user: &Client<'_>, id: &str, body: Value) -> Value {
    user.patch(&format!("/api/v1/files/{id}"), body).await.expect(StatusCode::OK)
}

#[actix_web::test]
async fn tags_are_set_found_in_whatever_case_and_bounded() {
    let server = Server::start().await;
    let user = server.user("a");
    let folder = user.folder("f", "root").await;
    let file = user.file("a.txt", &folder, "x").await;
    let before = user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    assert_eq!((&before["tags"], &before["starred"]), (&json!([]), &json!(false)));
    server.clock.advance(Duration::from_secs(1));
    let tagged = patch(&user, &file, json!({"tags": ["u\u{308}ber", "Work", "WORK"]})).await;
    assert_eq!(tagged["tags"], json!(["über", "Work"]));
    assert_ne!(tagged["etag"], before["etag"]);
    assert_eq!(tagged["modifiedAt"], before["modifiedAt"], "a tag is no change of name, place or content");
    patch(&user, &folder, json!({"tags": ["wOrK"]})).await;
    let found = user.get("/api/v1/tagged?tag=%C3%9CBER").await.expect(StatusCode::OK);
    assert_eq!(names_of(&found), ["a.txt"]);
    let page = user.get("/api/v1/tagged?tag=work&limit=1").await.expect(StatusCode::OK);
    assert_eq!((names_of(&page), &page["total"]), (vec!["a.txt".to_owned()], &json!(2)));
    let cursor = page["nextCursor"].as_str().expect("there is one more").to_owned();
    let rest = user.get(&format!("/api/v1/tagged?tag=WORK&cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((names_of(&rest), &rest["nextCursor"]), (vec!["f".to_owned()], &json!(null)));
    user.get(&format!("/api/v1/tagged?tag=other&cursor={cursor}"))
        .await
        .expect_problem(400, "invalid_cursor");
    let tags = user.get("/api/v1/tags").await.expect(StatusCode::OK);
    assert_eq!(tags["items"], json!([{"tag": "Work", "count": 2}, {"tag": "über", "count": 1}]));
    assert_eq!(keys(&tags), ["items"]);

    // a list of one folder shows them, too
    let list = user.get(&format!("/api/v1/files/{folder}/children")).await.expect(StatusCode::OK);
    assert_eq!(list["items"][0]["tags"], json!(["über", "Work"]));

    for wrong in ["", " a", "a\u{7}", &"x".repeat(65)] {
        let problem = user
            .patch(&format!("/api/v1/files/{file}"), json!({"tags": ["good", wrong]}))
            .await
            .expect_problem(400, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/tags/1", "{wrong:?}");
    }
    let many: Vec<String> = (0..33).map(|n| format!("t{n}")).collect();
    user.patch(&format!("/api/v1/files/{file}"), json!({"tags": many})).await.expect_problem(409, "too_many");
    user.get("/api/v1/tagged?tag=").await.expect_problem(400, "invalid_request");

    // a condition holds for all that one request changes
    let stale = before["etag"].as_str().unwrap().to_owned();
    let request = user.request(Method::PATCH, &format!("/api/v1/files/{file}"));
    let request = request.header("if-match", stale).json(&json!({"tags": []}));
    answer(request).await.expect_problem(412, "precondition_failed");
    let now = user.get(&format!("/api/v1/files/{file}")).await.expect(StatusCode::OK);
    let request = user.request(Method::PATCH, &format!("/api/v1/files/{file}"));
    let both = json!({"name": "b.txt", "tags": ["new"], "starred": true});
    let request = request.header("if-match", now["etag"].as_str().unwrap()).json(&both);
    let changed = answer(request).await.expect(StatusCode::OK);
    assert_eq!(
        (&changed["name"], &changed["tags"], &changed["starred"]),
        (&json!("b.txt"), &json!(["new"]), &json!(true))
    );

    // what is in the trash is not listed, and comes back with its tags
    user.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    let found = user.get("/api/v1/tagged?tag=new").await.expect(StatusCode::OK);
    assert_eq!(names_of(&found), [""; 0]);
    user.patch(&format!("/api/v1/files/{file}"), json!({"tags": []})).await.expect_problem(404, "not_found");
    user.post(&format!("/api/v1/files/{folder}/restore"), json!({})).await.expect(StatusCode::OK);
    let found = user.get("/api/v1/tagged?tag=new").await.expect(StatusCode::OK);
    assert_eq!(names_of(&found), ["b.txt"]);
    // nobody else finds them
    let found = server.user("b").get("/api/v1/tagged?tag=new").await.expect(StatusCode::OK);
    assert_eq!((names_of(&found), &found["total"]), (Vec::<String>::new(), &json!(0)));
}

#[actix_web::test]
async fn a_star_is_its_setters_own_and_shows_in_every_answer() {
    let server = Server::start().await;
    let (owner, guest) = (server.user("a"), server.user("b"));
    let folder = owner.folder("shared", "root").await;
    let file = owner.file("a.txt", &folder, "x").await;
    let guests = json!({"role": "viewer", "userId": user_id("b").to_string()});
    owner.post(&format!("/api/v1/files/{folder}/shares"), guests).await.expect(StatusCode::CREATED);
    let path = format!("/api/v1/files/{file}");
    let unstarred = guest.get(&path).await.expect(StatusCode::OK);
    // whoever may see it may set a star on it, and no more
    let starred = patch(&guest, &file, json!({"starred": true})).await;
    assert_eq!(starred["starred"], true);
    assert_ne!(starred["etag"], unstarred["etag"], "the representation is another");
    guest.patch(&path, json!({"tags": ["x"]})).await.expect_problem(403, "forbidden");
    let both = guest.patch(&path, json!({"starred": false, "name": "mine"})).await;
    both.expect_problem(403, "forbidden");
    assert_eq!(guest.get(&path).await.expect(StatusCode::OK)["starred"], true, "none of both was done");
    assert_eq!(owner.get(&path).await.expect(StatusCode::OK)["starred"], false);
    let children = format!("/api/v1/files/{folder}/children");
    for (user, expected) in [(&owner, false), (&guest, true)] {
        let list = user.get(&children).await.expect(StatusCode::OK);
        assert_eq!(list["items"][0]["starred"], expected);
    }
    server.user("c").patch(&path, json!({"starred": true})).await.expect_problem(404, "not_found");

    server.clock.advance(Duration::from_secs(1));
    patch(&guest, &folder, json!({"starred": true})).await;
    let page = guest.get("/api/v1/starred?limit=1").await.expect(StatusCode::OK);
    assert_eq!((names_of(&page), &page["total"]), (vec!["shared".to_owned()], &json!(2)));
    let cursor = page["nextCursor"].as_str().expect("there is one more");
    let rest = guest.get(&format!("/api/v1/starred?cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((names_of(&rest), &rest["nextCursor"]), (vec!["a.txt".to_owned()], &json!(null)));
    owner.get(&format!("/api/v1/starred?cursor={cursor}")).await.expect_problem(400, "invalid_cursor");
    assert_eq!(names_of(&owner.get("/api/v1/starred").await.expect(StatusCode::OK)), [""; 0]);

    // what is closed, or in the trash, is not listed
    owner.delete(&path).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(names_of(&guest.get("/api/v1/starred").await.expect(StatusCode::OK)), ["shared"]);
    let shares = owner.get(&format!("/api/v1/files/{folder}/shares")).await.expect(StatusCode::OK);
    let share = id_of(&shares["items"][0]);
    owner.delete(&format!("/api/v1/shares/{share}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(names_of(&guest.get("/api/v1/starred").await.expect(StatusCode::OK)), [""; 0]);
}

#[actix_web::test]
async fn recents_are_what_the_caller_put_somewhere_latest_first() {
    let server = Server::start().await;
    let (owner, guest) = (server.user("a"), server.user("b"));
    let folder = owner.folder("shared", "root").await;
    let guests = json!({"role": "editor", "userId": user_id("b").to_string()});
    owner.post(&format!("/api/v1/files/{folder}/shares"), guests).await.expect(StatusCode::CREATED);
    let mut ids = Vec::new();
    for name in ["1", "2", "3"] {
        ids.push(owner.file(name, &folder, "x").await);
        server.clock.advance(Duration::from_secs(1));
    }
    guest.put(&format!("/api/v1/files/{}/content", ids[2])).await.expect(StatusCode::OK);
    guest.file("mine", "root", "x").await;
    server.clock.advance(Duration::from_secs(1));
    owner.put(&format!("/api/v1/files/{}/content", ids[0])).await.expect(StatusCode::OK);
    let page = owner.get("/api/v1/recents?limit=1").await.expect(StatusCode::OK);
    assert_eq!(keys(&page), ["items", "nextCursor"]);
    assert_eq!(names_of(&page), ["1"]);
    let cursor = page["nextCursor"].as_str().expect("there is one more");
    let rest = owner.get(&format!("/api/v1/recents?cursor={cursor}")).await.expect(StatusCode::OK);
    assert_eq!((names_of(&rest), &rest["nextCursor"]), (vec!["2".to_owned()], &json!(null)));
    let theirs = names_of(&guest.get("/api/v1/recents").await.expect(StatusCode::OK));
    assert_eq!(
        (theirs.len(), theirs.contains(&"3".to_owned())),
        (2, true),
        "also among what is shared with them"
    );
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(names_of(&owner.get("/api/v1/recents").await.expect(StatusCode::OK)), [""; 0]);
    assert_eq!(names_of(&guest.get("/api/v1/recents").await.expect(StatusCode::OK)), ["mine"]);
}
