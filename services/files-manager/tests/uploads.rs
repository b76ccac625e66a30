//! Uploads that come in several goes, through the death of the process.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for its tasks"
)]

mod support;

use std::os::unix::process::ExitStatusExt as _;

use common::Sha256;
use e2e::contents::noise;
use e2e::product::{Product, send};
use e2e::uploads::{append, begin, named, offset};
use reqwest::Method;
use serde_json::json;
use support::Installation;

/// Kills the process at a point of the request that sends `content` from `from`, and goes on after the restart.
async fn killed_at(point: &str, len: usize, from: usize) {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let content = noise(len, 1);
    let upload = begin(&product, &ada, "file", len).await.unwrap();
    append(&product, &ada, &upload, 0, &content[..from]).await.unwrap().expect(204).unwrap();
    running.stop();

    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", point)]);
    let product = doomed.product();
    let sent = append(&product, &ada, &upload, from, &content[from..]).await;
    assert!(sent.is_err(), "it was answered: {sent:?}");
    assert_eq!(doomed.wait().signal(), Some(9), "it did not pass {point}");

    let running = installation.start();
    let product = running.product();
    // nobody waits for the lease of a process that is no more
    let stands = offset(&product, &ada, &upload).await.unwrap();
    assert!(stands >= from, "{point}: {from} bytes were acknowledged, {stands} are there");
    let done =
        append(&product, &ada, &upload, stands, &content[stands..]).await.unwrap().expect(204).unwrap();
    let file = done.header("file-id").unwrap().to_owned();
    assert!(product.content(&ada, &file).await.unwrap() == content, "{point}: other bytes than were sent");
    assert_eq!(product.children(&ada, "root").await.unwrap().len(), 1, "{point}: one upload, one file");
    let usage = product.get(&ada, "/api/v1/usage").await.unwrap().json().unwrap();
    assert_eq!(usage["usedBytes"], len, "{point}");
    running.stop();
    let left = support::files_below(&installation.data().join("partial"));
    assert!(left.is_empty(), "{point}: {left:?}");
}

macro_rules! kills {
    ($($name:ident $point:literal)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            killed_at($point, 3_000_000, 1_000_000).await;
        }
    )*};
}

kills! {
    killed_in_the_body "uploads.in-body#5"
    killed_before_the_row_knows "uploads.before-row"
    killed_when_the_blob_is_there "uploads.after-blob"
    killed_after_the_commit "upload.after-commit"
    killed_before_it_is_done "uploads.before-done"
}

/// Who has nothing but a link, and an upload by it, comes back to both after the process was killed: what had arrived is there, once, with its receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_in_pieces_survives_a_kill() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let folder = product.make_folder(&ada, "root", "Letter box").await.unwrap();
    let links = format!("/api/v1/files/{folder}/links");
    let link = product.post(&ada, &links, &json!({"role": "dropper"})).await.unwrap().json().unwrap();
    let uploads = format!("/api/v1/public/{}/uploads", link["token"].as_str().unwrap());
    let content = noise(3_000_000, 3);
    let made = product.request(Method::POST, &uploads).header("tus-resumable", "1.0.0");
    let made = made.header("upload-length", content.len()).header("upload-metadata", named("film"));
    let made = send(made).await.unwrap().expect(201).unwrap();
    let upload = format!("{uploads}/{}", made.header("location").unwrap().strip_prefix("uploads/").unwrap());
    let append = async |product: &Product, offset: usize, bytes: &[u8]| {
        let request = product.request(Method::PATCH, &upload).header("tus-resumable", "1.0.0");
        let request = request.header("content-type", "application/offset+octet-stream");
        send(request.header("upload-offset", offset).body(bytes.to_vec())).await
    };
    append(&product, 0, &content[..1_000_000]).await.unwrap().expect(204).unwrap();
    running.stop();

    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", "uploads.before-done")]);
    append(&doomed.product(), 1_000_000, &content[1_000_000..]).await.unwrap_err();
    assert_eq!(doomed.wait().signal(), Some(9), "it was not killed");

    let running = installation.start();
    let product = running.product();
    let stands = send(product.request(Method::HEAD, &upload).header("tus-resumable", "1.0.0")).await.unwrap();
    let stands = stands.expect(200).unwrap();
    let stands: usize = stands.header("upload-offset").unwrap().parse().unwrap();
    assert!(stands >= 1_000_000, "{stands}");
    append(&product, stands, &content[stands..]).await.unwrap().expect(204).unwrap();
    let shown =
        send(product.request(Method::GET, &upload)).await.unwrap().expect(200).unwrap().json().unwrap();
    assert_eq!(shown["receipt"]["sha256"], Sha256::of(&content).to_string(), "{shown}");
    assert_eq!(product.children(&ada, &folder).await.unwrap().len(), 1, "one upload, one file");
    let usage = product.get(&ada, "/api/v1/usage").await.unwrap().json().unwrap();
    assert_eq!(usage["usedBytes"], content.len());
}

/// A request that goes on for long keeps much of what came although it never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_request_is_kept_as_it_comes() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    let content = noise(80_000_000, 2);
    let upload = begin(&product, &ada, "file", content.len()).await.unwrap();
    running.stop();
    let mut doomed = installation.start_with(&[("FM_TEST_CRASH_AT", "uploads.before-row")]);
    let product = doomed.product();
    append(&product, &ada, &upload, 0, &content).await.unwrap_err();
    assert_eq!(doomed.wait().signal(), Some(9));
    let running = installation.start();
    let product = running.product();
    let shown = product.get(&ada, &upload).await.unwrap().expect(200).unwrap().json().unwrap();
    assert!(shown["offset"].as_u64().unwrap() >= 16_000_000, "{shown}");
    let stands = offset(&product, &ada, &upload).await.unwrap();
    let done =
        append(&product, &ada, &upload, stands, &content[stands..]).await.unwrap().expect(204).unwrap();
    let file = done.header("file-id").unwrap().to_owned();
    assert!(product.content(&ada, &file).await.unwrap() == content);
}
