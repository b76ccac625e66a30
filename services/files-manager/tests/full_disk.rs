//! A disk that runs full: 507, nothing half done, everything else goes on, and so do uploads once there is room.
//!
//! The data folder lies on a small file system in memory, in a mount namespace of the process's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use anyhow::{Result, ensure};
use e2e::contents::noise;
use e2e::product::{Product, id, send};
use reqwest::Method;
use support::{Installation, Running, files_below};

const MIB: usize = 1024 * 1024;

async fn usage(product: &Product, ada: &e2e::Account) -> Result<u64> {
    let usage = product.get(ada, "/api/v1/usage").await?.expect(200)?.json()?;
    usage["usedBytes"].as_u64().ok_or_else(|| anyhow::anyhow!("no usage: {usage}"))
}

/// The process's own view of its data folder.
fn inside(running: &Running, installation: &Installation) -> std::path::PathBuf {
    let data = installation.data();
    std::path::Path::new("/proc")
        .join(running.id().to_string())
        .join("root")
        .join(data.strip_prefix("/").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_are_refused_whole_and_everything_else_goes_on() {
    let installation = Installation::fresh().with("FM_FILES__KEEP_FREE", "16MiB");
    let running = installation.start_on_a_small_disk(96);
    let data = inside(&running, &installation);
    let product = running.product();
    let result: Result<()> = async {
        let ada = product.register("ada").await?;
        let kept = noise(20 * MIB, 1);
        let first = id(&product.upload(&ada, "root", "kept.bin", kept.clone()).await?)?;
        let before = usage(&product, &ada).await?;

        // more than there is room for: refused by its announced length
        product
            .put(&ada, "root", "announced.bin", noise(90 * MIB, 2))
            .await?
            .expect_problem(507, "disk_full")?;
        // of unknown length: refused when the room is used up
        let pieces = (0..90).map(|n| Ok::<_, std::io::Error>(noise(MIB, n)));
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
        match product.put(&ada, "root", "streamed.bin", body).await {
            Ok(answer) => drop(answer.expect_problem(507, "disk_full")?),
            // it may have gone on sending when the answer came, and lost it with the connection
            Err(error) => ensure!(format!("{error:?}").contains("onnection"), "{error:?}"),
        }
        ensure!(product.children(&ada, "root").await?.len() == 1, "a part of an upload is visible");
        e2e::wait::until("what was set aside to be given back", || async {
            let quiet =
                files_below(&data.join("tmp")).is_empty() && files_below(&data.join("blobs")).len() == 1;
            Ok((quiet && usage(&product, &ada).await? == before).then_some(()))
        })
        .await?;
        ensure!(product.content(&ada, &first).await? == kept, "reading goes on");

        // now not a byte is left, not even for the database
        let ballast = data.join("ballast");
        let mut file = std::fs::File::create(&ballast)?;
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        drop(file);
        let mut refused = false;
        for n in 0..500 {
            let answer = product.put(&ada, "root", &format!("small {n}"), noise(8_000, n)).await?;
            if answer.status.as_u16() == 507 {
                answer.expect_problem(507, "disk_full")?;
                refused = true;
                break;
            }
            answer.expect(201)?;
        }
        ensure!(refused, "a full disk took 500 files");
        let count = product.children(&ada, "root").await?.len();
        ensure!(product.content(&ada, &first).await? == kept, "reading goes on");

        std::fs::remove_file(&ballast)?;
        e2e::wait::until("uploads to go on", || async {
            let answer = product.put(&ada, "root", "after.txt", "after").await?;
            Ok((answer.status.as_u16() == 201).then_some(()))
        })
        .await?;
        ensure!(product.children(&ada, "root").await?.len() == count + 1);
        let delete = product.as_user(&ada, Method::DELETE, &format!("/api/v1/files/{first}?permanent=true"));
        send(delete).await?.expect(204)?;
        Ok(())
    }
    .await;
    if let Err(error) = result {
        panic!("{error:?}");
    }
}
