//! Large contents pass through in constant memory.

mod support;

use anyhow::{Result, ensure};
use bytes::Bytes;
use common::digest::Hasher;
use e2e::product::id;
use futures_util::StreamExt as _;
use reqwest::Method;
use support::Installation;

const MIB: u64 = 1024 * 1024;

/// Most memory of the server at any time, in MiB. The goal in production is 20 plus 8 for an upload; this build is not optimised.
const MOST_MIB: u64 = 150;

fn peak_mib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok());
    kib.map(|kib| kib / 1024).ok_or_else(|| anyhow::anyhow!("no peak of memory for {pid}"))
}

async fn passes(mib: u64) {
    let installation = Installation::fresh();
    let running = installation.start();
    let product = running.product();
    let result: Result<()> = async {
        let ada = product.register("ada").await?;
        let block = Bytes::from(e2e::contents::noise(usize::try_from(MIB)?, 5));
        let mut hasher = Hasher::default();
        for _ in 0..mib {
            hasher.update(&block);
        }
        let (size, sha256, _) = hasher.finish();

        let body =
            futures_util::stream::repeat(block).take(usize::try_from(mib)?).map(Ok::<_, std::io::Error>);
        let request = product
            .as_user(&ada, Method::PUT, "/api/v1/files/root/children/large.bin/content")
            .timeout(std::time::Duration::from_secs(1800))
            .header("content-length", size)
            .body(reqwest::Body::wrap_stream(body));
        let file = e2e::product::send(request).await?.expect(201)?.json()?;
        ensure!(file["size"] == size && file["sha256"] == sha256.to_string(), "{file}");

        let path = format!("/api/v1/files/{}/content", id(&file)?);
        let request = product.as_user(&ada, Method::GET, &path).timeout(std::time::Duration::from_secs(1800));
        let mut answer = request.send().await?;
        let mut hasher = Hasher::default();
        while let Some(piece) = answer.chunk().await? {
            hasher.update(&piece);
        }
        ensure!(hasher.finish().1 == sha256, "it came back differently");

        let range =
            product.as_user(&ada, Method::GET, &path).header("range", format!("bytes={}-", size - 10));
        let range = e2e::product::send(range).await?.expect(206)?;
        ensure!(
            range.body.len() == 10
                && range.header("content-range") == Some(&format!("bytes {}-{}/{size}", size - 10, size - 1))
        );
        let peak = peak_mib(running.id())?;
        ensure!(peak <= MOST_MIB, "the server used {peak} MiB");
        Ok(())
    }
    .await;
    if let Err(error) = result {
        panic!("{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_gibibyte_goes_up_and_down() {
    passes(512).await;
}

#[cfg(feature = "long")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_gibibytes_go_up_and_down() {
    passes(5 * 1024 + 1).await;
}
