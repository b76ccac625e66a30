//! Uploads that come in pieces, over a replica that is killed at each step of theirs.

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context as _, Result, ensure};
use e2e::contents::noise;
use e2e::product::{id, send};
use e2e::uploads::{address, append, begin_in, tus};
use e2e::wait::until;
use e2e::{Account, Product};
use reqwest::Method;

use crate::scene::Scene;
use crate::services::{start_again, stop};

/// More than what stands in a commit.
const LENGTH: usize = 400_000;
/// Bodies that the gateway holds in memory and, beyond 100,000 bytes, such as pass through it.
const PIECES: [usize; 2] = [60_000, 150_000];

/// Uploads a file piece by piece, whatever becomes of single requests, and until it is a file.
async fn uploads(product: &Product, account: &Account, name: &str, content: &[u8]) -> Result<()> {
    // one whose answer was lost stays empty, and expires
    let upload = until("an upload to begin", || async {
        let Ok(made) = begin_in(product, account, "root", name, content.len()).await else { return Ok(None) };
        if made.status == 503 { Ok(None) } else { address(&made.expect(201)?).map(Some) }
    })
    .await?;
    let mut pieces = PIECES.into_iter().cycle();
    loop {
        let stands = until("where the upload stands", || async {
            let Ok(stands) = send(tus(product, account, Method::HEAD, &upload)).await else {
                return Ok(None);
            };
            // the dead replica holds it for a moment yet
            if matches!(stands.status.as_u16(), 423 | 503) { Ok(None) } else { stands.expect(200).map(Some) }
        })
        .await?;
        if stands.header("file-id").is_some() {
            return Ok(());
        }
        let from: usize = stands.header("upload-offset").context("no offset")?.parse()?;
        let to = content.len().min(from + pieces.next().unwrap_or_default());
        let Ok(answer) = append(product, account, &upload, from, &content[from..to]).await else { continue };
        // another replica may not have let go of it yet
        ensure!(
            matches!(answer.status.as_u16(), 204 | 409 | 423 | 503),
            "{} for {from}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
    }
}

impl Scene {
    /// Uploads one file after another until the replica has been killed at this point. All of them are there, once.
    async fn uploads_over_a_kill(&mut self, point: &str) -> Result<()> {
        let program = "file-service";
        let account = self.product.register(&point.replace('.', "-")).await?;
        stop(&mut self.stack, program, 0)?;
        self.stack.replica(program, 0).set("FM_TEST_CRASH_AT", point);
        let programs = self.stack.programs().to_owned();
        self.stack.replica(program, 0).begin(&programs)?;
        let mut contents = Vec::new();
        let status = loop {
            if let Some(status) = self.stack.replica(program, 0).has_ended()? {
                break status;
            }
            ensure!(contents.len() < 200, "nothing of what was done led there");
            let content = noise(LENGTH, contents.len() as u64);
            uploads(&self.product, &account, &format!("{}.bin", contents.len()), &content).await?;
            contents.push(content);
            // the gateway takes turns: an odd number of requests, so that each replica gets every kind of them
            drop(self.product.get(&account, "/api/v1/usage").await);
        };
        ensure!(status.signal() == Some(9), "it ended with {status}");
        self.stack.replica(program, 0).unset("FM_TEST_CRASH_AT");
        start_again(&mut self.stack, program, 0)?;
        let there = self.product.children(&account, "root").await?;
        ensure!(there.len() == contents.len(), "{} uploads, and {there:?}", contents.len());
        for file in &there {
            let number =
                file["name"].as_str().and_then(|name| name.strip_suffix(".bin")?.parse::<usize>().ok());
            let content = number.and_then(|number| contents.get(number)).with_context(|| file.to_string())?;
            ensure!(self.product.content(&account, &id(file)?).await? == *content, "{file} has other bytes");
        }
        let usage = self.product.get(&account, "/api/v1/usage").await?.expect(200)?.json()?;
        ensure!(usage["usedBytes"] == contents.len() * LENGTH, "{usage}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_in_pieces_go_on_wherever_a_replica_is_killed() {
    let mut scene = Scene::set().await.unwrap();
    for point in ["uploads.in-body", "uploads.before-row", "uploads.after-blob", "uploads.before-done"] {
        let ended = scene.uploads_over_a_kill(point).await.with_context(|| format!("killed at {point}"));
        scene.with_logs(ended).unwrap();
    }
    scene.ends().await.unwrap();
}
