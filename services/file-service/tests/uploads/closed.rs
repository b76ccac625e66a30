//! What closes a folder to those who upload into it, and what its owner has of it.

use std::sync::atomic::Ordering;

use common::GroupId;
use common::auth::GroupName;
use common::files::FileStore as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{Tus as _, UPLOADS, address, content, file_id, metadata};
use crate::shared::{QUOTA, begin_in, free, share, used, with_quota};
use crate::support::{Client, Server, answer, id_of, until};

/// One step after the other of what clears up.
pub(crate) async fn clear_up(server: &Server) {
    let mut cursor = Value::Null;
    loop {
        let request = server.internal(Method::POST, "/internal/maintenance/expire-uploads");
        let step = answer(request.json(&json!({ "cursor": cursor }))).await.expect(StatusCode::OK);
        if step["done"] == true {
            return;
        }
        cursor = step["cursor"].clone();
    }
}

fn set_group(server: &Server, members: &[&Client<'_>]) -> String {
    let name = GroupName { id: GroupId::from_bytes([7; 12]), name: "Team".to_owned() };
    let id = name.id.to_string();
    let members = members.iter().map(|member| member.id).collect();
    *server.group.lock().unwrap() = Some((name, members));
    id
}

#[actix_web::test]
async fn an_upload_ends_with_the_share_of_its_group() {
    let server = with_quota().await;
    let (owner, editor, other) = (server.user("owner"), server.user("editor"), server.user("b"));
    let folder = owner.folder("f", "root").await;
    let shares = format!("/api/v1/files/{folder}/shares");
    for ends in ["share", "access", "role", "role given again", "member", "folder"] {
        let group = set_group(&server, &[&owner, &editor]);
        share(&owner, &folder, &other, "editor").await;
        let give = async |role: &str| owner.post(&shares, json!({"groupId": group, "role": role})).await;
        let id = id_of(&give("editor").await.expect(StatusCode::CREATED));
        let upload = begin_in(&editor, &folder, "x", 600_000).await;
        editor.send(&upload, 0, &content(300_000)).await.expect(StatusCode::NO_CONTENT);
        let kept = begin_in(&other, &folder, "kept", 1_000).await;
        assert_eq!(free(&owner).await, QUOTA - 601_000);
        clear_up(&server).await;
        assert_eq!(editor.offset(&upload).await, 300_000, "nothing has ended yet");
        let share = format!("/api/v1/shares/{id}");
        match ends {
            "share" => drop(owner.delete(&share).await.expect(StatusCode::NO_CONTENT)),
            "access" => {
                let access = owner.delete(&format!("/api/v1/access/share/{id}")).await;
                access.expect(StatusCode::NO_CONTENT);
            }
            "role" => drop(owner.patch(&share, json!({"role": "viewer"})).await.expect(StatusCode::OK)),
            "role given again" => drop(give("viewer").await.expect(StatusCode::OK)),
            "member" => {
                set_group(&server, &[&owner]);
                // nobody tells
                clear_up(&server).await;
            }
            _ => {
                let removed = owner.delete(&format!("/api/v1/files/{folder}?permanent=true")).await;
                removed.expect(StatusCode::NO_CONTENT);
                clear_up(&server).await;
                assert_eq!(other.get(&kept).await.status, StatusCode::NOT_FOUND);
                assert_eq!(free(&owner).await, QUOTA);
                break;
            }
        }
        until("what was set aside is the owner's again", async || free(&owner).await == QUOTA - 1_000).await;
        editor.get(&upload).await.expect_problem(404, "not_found");
        // whose right it was not goes on; whoever looks whether it shall end may hold it for a moment
        other.send_when_free(&kept, 0, &content(500)).await.expect(StatusCode::NO_CONTENT);
        other.delete(&kept).await.expect(StatusCode::NO_CONTENT);
        owner.delete(&share).await;
        let others = owner.get(&shares).await.expect(StatusCode::OK);
        for share in others["items"].as_array().unwrap() {
            owner.delete(&format!("/api/v1/shares/{}", id_of(share))).await.expect(StatusCode::NO_CONTENT);
        }
    }
}

#[actix_web::test]
async fn what_is_closed_for_a_while_ends_no_upload() {
    let server = Server::start().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    let group = set_group(&server, &[&owner, &editor]);
    let shares = format!("/api/v1/files/{folder}/shares");
    owner.post(&shares, json!({"groupId": group, "role": "editor"})).await.expect(StatusCode::CREATED);
    let upload = begin_in(&editor, &folder, "x", 3).await;
    // in the trash
    owner.delete(&format!("/api/v1/files/{folder}")).await.expect(StatusCode::NO_CONTENT);
    clear_up(&server).await;
    owner.post(&format!("/api/v1/files/{folder}/restore"), json!({})).await.expect(StatusCode::OK);
    // disabled
    server.closed.lock().unwrap().insert(owner.id);
    clear_up(&server).await;
    server.closed.lock().unwrap().clear();
    // nobody can say who is in the group
    server.directory_outage.store(true, Ordering::SeqCst);
    clear_up(&server).await;
    server.directory_outage.store(false, Ordering::SeqCst);
    let done = editor.send(&upload, 0, b"abc").await;
    assert_eq!(owner.content_of(&file_id(&done)).await, b"abc");
}

#[actix_web::test]
async fn an_owner_sees_and_ends_what_others_upload_into_their_folders() {
    let server = with_quota().await;
    let (owner, editor, stranger) = (server.user("owner"), server.user("editor"), server.user("stranger"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &editor, "editor").await;
    let theirs = begin_in(&editor, &folder, "theirs", 600_000).await;
    let own = owner.begin("own", 5).await;
    let elsewhere = editor.begin("elsewhere", 5).await;
    let id = |upload: &str| upload.rsplit('/').next().unwrap().to_owned();
    let seen = async |who: &Client<'_>| {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        // in pages of one
        loop {
            let page = who.get(&format!("/api/v1/access?limit=1{cursor}")).await.expect(StatusCode::OK);
            seen.extend(
                page["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "upload").cloned(),
            );
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return (seen, page["total"].as_u64().unwrap()),
            }
        }
    };
    let (uploads, total) = seen(&owner).await;
    let ids: Vec<_> = uploads.iter().map(id_of).collect();
    assert_eq!((ids, total), (vec![id(&own), id(&theirs)], 3));
    assert_eq!((&uploads[1]["madeBy"]["id"], &uploads[1]["file"]["id"]), (&json!(editor.id), &json!(folder)));
    assert_eq!((&uploads[1]["label"], &uploads[0]["madeBy"]["id"]), (&json!("theirs"), &json!(owner.id)));
    let (uploads, _) = seen(&editor).await;
    assert_eq!(uploads.iter().map(id_of).collect::<Vec<_>>(), [id(&elsewhere), id(&theirs)]);
    // nobody else's, and what an editor sends elsewhere is not the owner's
    for (who, upload) in [(&stranger, &theirs), (&owner, &elsewhere), (&editor, &own)] {
        let access = who.delete(&format!("/api/v1/access/upload/{}", id(upload))).await;
        access.expect_problem(404, "not_found");
    }
    owner.get(&theirs).await.expect_problem(404, "not_found");
    let access = format!("/api/v1/access/upload/{}", id(&theirs));
    owner.delete(&access).await.expect(StatusCode::NO_CONTENT);
    owner.delete(&access).await.expect_problem(404, "not_found");
    assert_eq!(free(&owner).await, QUOTA - 5);
    editor.get(&theirs).await.expect_problem(404, "not_found");
    // a file that came of one is no upload any more
    let done = begin_in(&editor, &folder, "done", 3).await;
    let file = file_id(&editor.send(&done, 0, b"abc").await);
    let access = owner.delete(&format!("/api/v1/access/upload/{}", id(&done))).await;
    access.expect_problem(404, "not_found");
    assert_eq!(owner.content_of(&file).await, b"abc");
}

#[actix_web::test]
async fn who_asks_for_parts_that_find_no_room_is_told() {
    let server = with_quota().await;
    let (owner, editor) = (server.user("owner"), server.user("editor"));
    let folder = owner.folder("f", "root").await;
    share(&owner, &folder, &editor, "editor").await;
    owner.file("large", "root", content(900_000)).await;
    // they stand in the editor's own space
    let mut parts = Vec::new();
    for part in content(300_000).chunks(150_000) {
        let made = editor.tus(Method::POST, UPLOADS).header("upload-length", part.len());
        let part_at = address(&answer(made.header("upload-concat", "partial")).await);
        editor.send(&part_at, 0, part).await.expect(StatusCode::NO_CONTENT);
        parts.push(part_at);
    }
    assert_eq!(free(&editor).await, QUOTA - 300_000);
    let made =
        editor.tus(Method::POST, UPLOADS).header("upload-concat", format!("final;{}", parts.join(" ")));
    let made = made.header("upload-metadata", metadata(&[("filename", "whole"), ("folder", &folder)]));
    let made = answer(made).await;
    made.expect_problem(507, "quota_exceeded");
    let whole = address(&made);
    // whoever tried last may still hold it for a moment
    until("it is told why there is no file", async || {
        editor.stands(&whole).await.status == StatusCode::INSUFFICIENT_STORAGE
    })
    .await;
    assert_eq!((free(&owner).await, free(&editor).await), (QUOTA - 900_000, QUOTA - 300_000));
    let space = server.store.find_space_of(owner.id).await.unwrap().unwrap().id;
    server.store.set_quota(space, Some(2 * QUOTA)).await.unwrap();
    let mut file = String::new();
    until("the parts are put together", async || {
        let stands = editor.stands(&whole).await;
        file = stands.header("file-id").unwrap_or_default().to_owned();
        !file.is_empty()
    })
    .await;
    assert_eq!(owner.content_of(&file).await, content(300_000));
    until("what was set aside is free again", async || free(&editor).await == QUOTA).await;
    assert_eq!((used(&owner).await, free(&owner).await), (1_200_000, 2 * QUOTA - 1_200_000));
}
