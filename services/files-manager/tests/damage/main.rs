//! Contents that are damaged or gone on the disk: an error before the first byte, never a short answer; a foreign disk deletes nothing. Backups.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits for its tasks"
)]

#[path = "../support/mod.rs"]
mod support;

mod backup;

use anyhow::{Result, ensure};
use e2e::contents::noise;
use e2e::product::{id, send};
use reqwest::Method;
use support::{Installation, files_below};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_or_missing_blob_is_an_error_before_the_first_byte() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let result: Result<()> = async {
        let ada = product.register("ada").await?;
        let file = id(&product.upload(&ada, "root", "large.bin", noise(600_000, 1)).await?)?;
        let path = format!("/api/v1/files/{file}/content");
        let blobs = files_below(&installation.data().join("blobs"));
        ensure!(blobs.len() == 1, "{blobs:?}");
        let range = || send(product.as_user(&ada, Method::GET, &path).header("range", "bytes=599000-599999"));

        std::fs::File::options().write(true).open(&blobs[0])?.set_len(300_000)?;
        product.get(&ada, &path).await?.expect_problem(500, "internal")?;
        range().await?.expect_problem(500, "internal")?;
        std::fs::remove_file(&blobs[0])?;
        product.get(&ada, &path).await?.expect_problem(500, "internal")?;
        range().await?.expect_problem(500, "internal")?;

        // the rest of the product goes on, and the file can get new content
        let put = product.as_user(&ada, Method::PUT, &path).body(noise(600_000, 2));
        send(put).await?.expect(200)?;
        ensure!(product.content(&ada, &file).await? == noise(600_000, 2));
        Ok(())
    }
    .await;
    if let Err(error) = result {
        panic!("{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_or_foreign_disk_is_refused_at_start() {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let ada = product.register("ada").await.unwrap();
    product.upload(&ada, "root", "large.bin", noise(600_000, 1)).await.unwrap();
    running.stop();
    let mark = installation.data().join("store-id");
    let own = std::fs::read(&mark).unwrap();
    std::fs::write(&mark, "0123456789abcdef0123456789abcdef").unwrap();
    let output = installation.command().output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another store") || said.contains("belongs to"), "{said}");
    assert_eq!(files_below(&installation.data().join("blobs")).len(), 1, "nothing was deleted");
    // C208: a disk that is not mounted leaves an empty folder, without a mark
    let (blobs, aside) = (installation.data().join("blobs"), installation.data().join("aside"));
    std::fs::rename(&blobs, &aside).unwrap();
    std::fs::remove_file(&mark).unwrap();
    let output = installation.command().output().unwrap();
    assert!(!output.status.success());
    assert!(!mark.exists(), "it was not taken for a new one");
    std::fs::remove_dir_all(&blobs).unwrap();
    std::fs::rename(&aside, &blobs).unwrap();
    std::fs::write(&mark, own).unwrap();
    let running = installation.start();
    assert_eq!(running.product().children(&ada, "root").await.unwrap().len(), 1);
}
