//! What another password of a link ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::files::{Saved, Taken, UploadStore as _, Uploader};
use common::{LinkId, UploadId};
use futures_util::future::join;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::closed::clear_up;
use crate::faulty::{Faults, faulty};
use crate::helpers::{content, metadata};
use crate::link_rules::locked;
use crate::links::Visitor;
use crate::shared::{QUOTA, free, with_quota};
use crate::support::{answer, until};

#[actix_web::test]
async fn another_password_ends_an_upload_although_its_holder_does_not_leave() {
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let (visitor, upload) = locked(&server, &owner, &folder, 600_000).await;
    let sent = visitor.sending(&upload, 0).header("x-link-password", "first").body(content(300_000));
    answer(sent).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(free(&owner).await, QUOTA - 300_000);
    // as a request to another replica does
    let id: UploadId = upload.rsplit('/').next().unwrap().parse().unwrap();
    let lease = server.now() + Duration::from_secs(3600);
    let Taken::Held(held) = server.store.take_upload(id, server.now(), lease).await.unwrap() else {
        panic!("somebody holds it")
    };
    let link = format!("/api/v1/links/{}", visitor.link);
    owner.patch(&link, json!({"password": "second"})).await.expect(StatusCode::OK);
    // from this moment on
    assert_eq!(server.store.save_upload(&held).await.unwrap(), Saved::Lost);
    let stands = visitor.tus(Method::HEAD, &upload).header("x-link-password", "second");
    assert_eq!(answer(stands).await.status, StatusCode::NOT_FOUND);
    until("the room is the owner's again", async || free(&owner).await == QUOTA).await;
    let partial = server.dir.path().join("blobs/partial");
    until("its bytes are gone", async || partial.read_dir().unwrap().count() == 0).await;
}

#[actix_web::test]
async fn what_another_password_cut_off_is_cleared_up_after_a_crash() {
    let server = with_quota().await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let (visitor, upload) = locked(&server, &owner, &folder, 600_000).await;
    let sending = || visitor.sending(&upload, 0).header("x-link-password", "first");
    answer(sending().body(content(300_000))).await.expect(StatusCode::NO_CONTENT);
    // all that was done before it
    let link: LinkId = visitor.link.parse().unwrap();
    assert_eq!(server.store.cut_off_uploads(Uploader::Link(link)).await.unwrap(), 1);
    answer(sending().body("x")).await.expect_problem(404, "not_found");
    clear_up(&server).await;
    assert_eq!(free(&owner).await, QUOTA);
    assert_eq!(server.store.count_uploads(Uploader::Link(link)).await.unwrap(), 0);
    assert_eq!(server.dir.path().join("blobs/partial").read_dir().unwrap().count(), 0);
}

#[actix_web::test]
async fn an_upload_that_begins_while_its_link_gets_another_password_does_not_stay() {
    let faults = Arc::<Faults>::default();
    let server = faulty(&faults).await;
    let owner = server.user("owner");
    let folder = owner.folder("f", "root").await;
    let visitor =
        Visitor::of(&server, &owner, &folder, json!({"role": "dropper", "password": "first"})).await;
    faults.insertion_waits.store(true, Ordering::SeqCst);
    let begin = async {
        let made = visitor.tus(Method::POST, &visitor.uploads()).header("x-link-password", "first");
        let made = made.header("upload-length", 3).header("upload-metadata", metadata(&[("filename", "x")]));
        answer(made).await
    };
    let change = async {
        faults.reached.acquire().await.unwrap().forget();
        let link = format!("/api/v1/links/{}", visitor.link);
        owner.patch(&link, json!({"password": "second"})).await.expect(StatusCode::OK);
        faults.passes.add_permits(1);
    };
    let (made, ()) = join(begin, change).await;
    made.expect_problem(404, "parent_not_found");
    let link: LinkId = visitor.link.parse().unwrap();
    assert_eq!(server.store.count_uploads(Uploader::Link(link)).await.unwrap(), 0);
}
