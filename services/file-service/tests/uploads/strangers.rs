//! Uploads of others.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::helpers::{Tus as _, UPLOADS, address, metadata};
use crate::support::{Server, answer};

#[actix_web::test]
async fn nobody_else_knows_of_an_upload() {
    let server = Server::start().await;
    let (ann, eve) = (server.user("ann"), server.user("eve"));
    let upload = ann.begin("file", 10).await;
    let unknown = format!("{UPLOADS}/0123456789abcdef01234567");
    for address in [&*upload, &unknown, "/api/v1/uploads/x"] {
        eve.get(address).await.expect_problem(404, "not_found");
        assert_eq!(eve.stands(address).await.status, StatusCode::NOT_FOUND);
        eve.send(address, 0, b"x").await.expect_problem(404, "not_found");
        eve.patch(address, json!({"name": "x"})).await.expect_problem(404, "not_found");
        eve.delete(address).await.expect_problem(404, "not_found");
        let part = eve.tus(Method::POST, UPLOADS).header("upload-concat", format!("final;{address}"));
        let part = answer(part.header("upload-metadata", metadata(&[("filename", "x")]))).await;
        part.expect_problem(400, "invalid_request");
    }
    assert_eq!(eve.get(UPLOADS).await.expect(StatusCode::OK)["items"], json!([]));
    for method in [Method::GET, Method::HEAD, Method::PATCH, Method::DELETE, Method::POST] {
        assert_eq!(answer(server.request(method, &upload)).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(answer(server.request(Method::POST, UPLOADS)).await.status, StatusCode::UNAUTHORIZED);
    // nor can anybody upload into their folders
    let folder = ann.folder("hers", "root").await;
    let made = eve.tus(Method::POST, UPLOADS).header("upload-length", 1);
    let made = made.header("upload-metadata", metadata(&[("filename", "x"), ("folder", &folder)]));
    answer(made).await.expect_problem(404, "parent_not_found");
    assert_eq!(ann.offset(&upload).await, 0);
}

#[actix_web::test]
async fn a_folder_that_goes_takes_no_file() {
    let server = Server::start().await;
    let ann = server.user("ann");
    let folder = ann.folder("gone", "root").await;
    let made = ann.tus(Method::POST, UPLOADS).header("upload-length", 3);
    let made = made.header("upload-metadata", metadata(&[("filename", "x"), ("folder", &folder)]));
    let upload = address(&answer(made).await);
    ann.delete(&format!("/api/v1/files/{folder}?permanent=true")).await;
    ann.send(&upload, 0, b"abc").await.expect_problem(404, "parent_not_found");
    // the bytes are not lost with it
    let made = ann.patch(&upload, json!({"folderId": "root"})).await.expect(StatusCode::CREATED);
    assert_eq!(made["name"], "x");
}
