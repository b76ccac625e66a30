//! o: a large folder is copied, put into the trash, and taken back, beside nginx's DAV, which copies and renames it on the disk.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Sizes;
use crate::contestants::{Contestants, OURS, Server};
use crate::fill::{Filled, Filling};
use crate::http::{Connection, head};
use crate::process;
use crate::report::Report;

const PEER: &str = "nginx";

/// How often it is asked whether a copy is complete.
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let entries = sizes.entries;
    let filling = Filling {
        folder: "large".to_owned(),
        files: entries,
        content: b"a small file".to_vec(),
        name: |n| format!("file {n}.bin"),
        text: |_| None,
    };
    let nginx = contestants.peers.iter().find(|peer| peer.name == PEER).context("nginx is a peer")?;
    let large = nginx.folder.join(&filling.folder);
    std::fs::create_dir_all(&large)?;
    for n in 0..entries {
        std::fs::write(large.join((filling.name)(n)), &filling.content)?;
    }
    let folder = contestants.scratch.path().join("folders");
    let filled = Filled::start(&contestants.program, &folder, &[filling]).await?;

    let copied = format!("o copy of a folder of {entries} entries");
    let trashed = format!("o a folder of {entries} entries into the trash, and back (nginx: MOVE)");
    for round in 0..sizes.rounds {
        let theirs = move_about(nginx, round).await?;
        report.add(&copied, "ms until answered", PEER, theirs.copied.as_secs_f64() * 1000.0);
        report.add(&copied, "entries/s", PEER, entries as f64 / theirs.copied.as_secs_f64());
        report.add(&copied, "CPU µs/entry", PEER, theirs.cpu_seconds * 1e6 / entries as f64);
        report.add(&trashed, "ms", PEER, theirs.moved.as_secs_f64() * 1000.0);

        let copy = copy(&filled, round, entries).await?;
        report.add(&copied, "ms until answered", OURS, copy.answered.as_secs_f64() * 1000.0);
        report.add(&copied, "entries/s", OURS, entries as f64 / copy.complete.as_secs_f64());
        report.add(&copied, "CPU µs/entry", OURS, copy.cpu_seconds * 1e6 / entries as f64);

        let mut connection = Connection::open(filled.server.address).await?;
        let path = format!("/api/v1/files/{}", copy.id);
        let answer = connection.send(&filled.api.head("DELETE", &path, None), b"", true).await?;
        ensure!(answer.status < 300, "DELETE: {}", answer.status);
        report.add(&trashed, "ms", OURS, answer.took.as_secs_f64() * 1000.0);
        let back = filled.api.head("POST", &format!("{path}/restore"), Some(0));
        let answer = connection.send(&back, b"", true).await?;
        ensure!(answer.status < 300, "restore: {}", answer.status);
        report.add(&trashed, "ms, back", OURS, answer.took.as_secs_f64() * 1000.0);
    }
    report.note(
        "o: our copy is durable when it is complete, and what goes to the trash when it is answered; nginx syncs nothing, copies the bytes, and answers a copy when \
         it is complete.",
    );
    Ok(())
}

/// What a copy took.
struct Copied {
    id: String,
    answered: Duration,
    complete: Duration,
    cpu_seconds: f64,
}

async fn copy(filled: &Filled, round: usize, entries: usize) -> Result<Copied> {
    let (api, pid) = (&filled.api, filled.server.pid);
    let body = json!({"parentId": "root", "name": format!("copy-{round}")}).to_string();
    let request =
        api.head("POST", &format!("/api/v1/files/{}/copy", filled.folders[0]), Some(body.len() as u64));
    let (cpu, began) = (process::cpu_seconds(pid), Instant::now());
    let mut connection = Connection::open(filled.server.address).await?;
    let answer = connection.send(&request, body.as_bytes(), true).await?;
    let (answered, mut told) = (answer.took, serde_json::from_slice::<Value>(&answer.body)?);
    ensure!(matches!(answer.status, 201 | 202), "{} {told}", answer.status);
    let is_operation = answer.status == 202;
    if is_operation {
        let operation = told["id"].as_str().context("an operation without an id")?;
        let path = format!("/api/v1/operations/{operation}");
        while told["state"] == "running" {
            tokio::time::sleep(LOOK).await;
            told = api.json("GET", &path, "").await?;
        }
        ensure!(told["state"] == "done", "{told}");
    }
    let (complete, cpu_seconds) = (began.elapsed(), process::cpu_seconds(pid) - cpu);
    let id = told[if is_operation { "fileId" } else { "id" }].as_str().context("no copy")?.to_owned();
    let page = api.json("GET", &format!("/api/v1/files/{id}/children?limit=1"), "").await?;
    ensure!(page["total"].as_u64() == Some(entries as u64), "{} of {entries} entries", page["total"]);
    Ok(Copied { id, answered, complete, cpu_seconds })
}

/// What the peer took.
struct Moved {
    copied: Duration,
    moved: Duration,
    cpu_seconds: f64,
}

async fn move_about(nginx: &Server, round: usize) -> Result<Moved> {
    let cpu = process::cpu_seconds(nginx.pid);
    let mut connection = Connection::open(nginx.address).await?;
    let (copy, trash) = (format!("/copy-{round}/"), format!("/trash-{round}/"));
    let mut dav = async |method: &str, from: &str, to: &str| {
        let request = head(method, from, &[("Destination", to), ("Depth", "infinity")], None);
        let answer = connection.send(&request, b"", true).await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!((200..300).contains(&answer.status), "{method} {from}: {} {said}", answer.status);
        Ok(answer.took)
    };
    let copied = dav("COPY", "/large/", &copy).await?;
    let cpu_seconds = process::cpu_seconds(nginx.pid) - cpu;
    Ok(Moved { copied, moved: dav("MOVE", &copy, &trash).await?, cpu_seconds })
}
