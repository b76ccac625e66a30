//! f: lists. The peers send a folder whole; we send pages, and the first one costs the same whatever the folder holds.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Api, Sizes, Turn, load};
use crate::contestants::{Contestants, OURS};
use crate::http::{Connection, head};
use crate::report::{Report, percentile};

/// A folder of 100 entries and a large one.
pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let api = Api::of(contestants);
    let mut folders = Vec::new();
    for count in [100, sizes.entries] {
        let name = format!("list-{count}");
        for peer in &contestants.peers {
            let folder = peer.folder.join(&name);
            std::fs::create_dir_all(&folder)?;
            for n in 0..count {
                std::fs::write(folder.join(format!("file {n}.txt")), b"")?;
            }
        }
        let id = api.folder(&name).await?;
        fill(contestants, &id, count).await?;
        folders.push((count, name, id));
    }
    for _ in 0..sizes.rounds {
        for (count, name, id) in &folders {
            let workload = format!("f1 first page of {count} entries (peers: all of them)");
            for peer in &contestants.peers {
                let path = format!("/{name}/");
                let turn = Turn { server: peer, head: Arc::new(move |_| head("GET", &path, &[], None)) };
                let load = load(&turn, 1, if *count > 1000 { 3 } else { 100 }, Arc::default()).await?;
                report.add(&workload, "p50 ms", peer.name, percentile(&load.client.millis, 0.5));
            }
            let (path, token) = (format!("/api/v1/files/{id}/children?limit=100"), contestants.token.clone());
            let request = move |_| head("GET", &path, &[("X-Token", &token)], None);
            let load =
                load(&Turn { server: &contestants.ours, head: Arc::new(request) }, 1, 100, Arc::default())
                    .await?;
            report.add(&workload, "p50 ms", OURS, percentile(&load.client.millis, 0.5));
        }
        let (count, _, id) = folders.last().context("two folders")?;
        let seconds = all_pages(contestants, id, *count).await?;
        report.add(&format!("f2 all {count} entries in pages of 1,000"), "s", OURS, seconds);
    }
    Ok(())
}

async fn fill(contestants: &Contestants, folder: &str, count: usize) -> Result<()> {
    let (folder, token) = (folder.to_owned(), contestants.token.clone());
    let request = move |n: usize| {
        let path = format!("/api/v1/files/{folder}/children/file%20{n}.txt/content");
        head("PUT", &path, &[("X-Token", &token)], Some(0))
    };
    load(&Turn { server: &contestants.ours, head: Arc::new(request) }, 32, count, Arc::default()).await?;
    Ok(())
}

async fn all_pages(contestants: &Contestants, folder: &str, count: usize) -> Result<f64> {
    let mut connection = Connection::open(contestants.ours.address).await?;
    let (mut seen, mut seconds, mut cursor) = (0, 0.0, String::new());
    loop {
        let path = format!("/api/v1/files/{folder}/children?limit=1000{cursor}");
        let request = head("GET", &path, &[("X-Token", &contestants.token)], None);
        let answer = connection.send(&request, b"", true).await?;
        // reading JSON is the client's affair
        seconds += answer.took.as_secs_f64();
        let page: Value = serde_json::from_slice(&answer.body)?;
        seen += page["items"].as_array().map_or(0, Vec::len);
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(seen == count, "{seen} of {count} entries");
    Ok(seconds)
}
