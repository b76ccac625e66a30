//! What is measured.

mod archives;
mod checks;
mod download;
mod folders;
mod lists;
mod logins;
mod many;
mod resumable;
mod sign_in_times;
mod start;
mod thumbnails;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::contestants::{Contestants, OURS, Server};
use crate::drive::{Driven, Head, drive};
use crate::http::{Connection, head};
use crate::process;
use crate::report::{Report, percentile};

/// How large everything is.
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    pub(crate) large_bytes: u64,
    pub(crate) entries: usize,
    /// Of the largest store.
    pub(crate) files: usize,
}

/// One workload.
#[derive(Clone, Copy)]
pub(crate) enum Workload {
    Download,
    SmallDownloads,
    Ranges,
    Upload,
    SmallUploads,
    Lists,
    Thumbnails,
    Start,
    Logins,
    Resumable,
    Archives,
    Many,
    Folders,
}

/// All of them. What makes many files comes late: creating files is dearer for a while after many were deleted.
pub(crate) const ALL: [Workload; 13] = [
    Workload::Start,
    Workload::Logins,
    Workload::Download,
    Workload::SmallDownloads,
    Workload::Ranges,
    Workload::Upload,
    Workload::Resumable,
    Workload::Thumbnails,
    Workload::Many,
    Workload::SmallUploads,
    Workload::Lists,
    Workload::Archives,
    Workload::Folders,
];

impl Workload {
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Download => 'a',
            Self::SmallDownloads => 'b',
            Self::Ranges => 'c',
            Self::Upload => 'd',
            Self::SmallUploads => 'e',
            Self::Lists => 'f',
            Self::Thumbnails => 'h',
            Self::Start => 'i',
            Self::Logins => 'j',
            Self::Resumable => 'k',
            Self::Archives => 'm',
            Self::Many => 'n',
            Self::Folders => 'o',
        }
    }

    pub(crate) async fn run(
        self,
        contestants: &Contestants,
        sizes: &Sizes,
        report: &mut Report,
    ) -> Result<()> {
        say(&format!("workload {}", self.letter()));
        match self {
            Self::Download => download::large(contestants, sizes, report).await,
            Self::SmallDownloads => download::small(contestants, sizes, report).await,
            Self::Ranges => download::ranges(contestants, sizes, report).await,
            Self::Upload => upload::large(contestants, sizes, report).await,
            Self::SmallUploads => upload::small(contestants, sizes, report).await,
            Self::Lists => lists::run(contestants, sizes, report).await,
            Self::Thumbnails => thumbnails::run(contestants, sizes, report).await,
            Self::Start => start::run(contestants, sizes, report).await,
            Self::Logins => logins::run(contestants, sizes, report).await,
            Self::Resumable => resumable::run(contestants, sizes, report).await,
            Self::Archives => archives::run(contestants, sizes, report).await,
            Self::Many => many::run(contestants, sizes).await,
            Self::Folders => folders::run(contestants, sizes, report).await,
        }
    }
}

#[expect(clippy::print_stderr, reason = "progress, for whoever waits")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

/// The product's API, with a token of 24 hours.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
}

impl Api {
    fn of(contestants: &Contestants) -> Self {
        Self { address: contestants.ours.address, token: contestants.token.clone() }
    }

    pub(crate) fn head(&self, method: &str, path: &str, length: Option<u64>) -> String {
        head(method, path, &[("X-Token", &self.token), ("Content-Type", "application/json")], length)
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut connection = Connection::open(self.address).await?;
        let length = (!body.is_empty()).then_some(body.len() as u64);
        let answer = connection.send(&self.head(method, path, length), body.as_bytes(), true).await?;
        ensure!(
            answer.status < 300,
            "{method} {path}: {} {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
    }

    pub(crate) async fn folder(&self, name: &str) -> Result<String> {
        let made = self.json("POST", "/api/v1/files", &format!(r#"{{"name":"{name}"}}"#)).await?;
        Ok(made["id"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) async fn upload(&self, folder: &str, name: &str, content: &[u8]) -> Result<String> {
        let mut connection = Connection::open(self.address).await?;
        let path = format!("/api/v1/files/{folder}/children/{name}/content");
        let answer =
            connection.send(&self.head("PUT", &path, Some(content.len() as u64)), content, true).await?;
        ensure!(answer.status == 201, "{} {}", answer.status, String::from_utf8_lossy(&answer.body));
        let file: Value = serde_json::from_slice(&answer.body)?;
        Ok(file["id"].as_str().unwrap_or_default().to_owned())
    }
}

/// One contestant's way to a workload: its server, and how a request looks.
struct Turn<'a> {
    server: &'a Server,
    head: Head,
}

/// What a load of many requests gave.
struct Load {
    client: Driven,
    cpu_seconds: f64,
}

/// Sends `count` requests over `connections` connections.
async fn load(turn: &Turn<'_>, connections: usize, count: usize, body: Arc<Vec<u8>>) -> Result<Load> {
    let cpu = process::cpu_seconds(turn.server.pid);
    let client = drive(turn.server.address, &turn.head, connections, count, &body).await?;
    Ok(Load { client, cpu_seconds: process::cpu_seconds(turn.server.pid) - cpu })
}

/// Notes rate, CPU a request, and tail of a load.
fn note_requests(report: &mut Report, workload: &str, name: &'static str, load: &Load) {
    let Load { client, cpu_seconds } = load;
    report.add(workload, "requests/s", name, client.requests / client.seconds);
    report.add(workload, "server CPU µs/request", name, cpu_seconds * 1e6 / client.requests);
    report.add(workload, "p50 ms", name, percentile(&client.millis, 0.5));
    report.add(workload, "p99 ms", name, percentile(&client.millis, 0.99));
}

/// Turns of all contestants over one file that each of them has: at the path of a peer's folder, and behind an id of ours.
async fn one_file<'a>(
    contestants: &'a Contestants,
    name: &str,
    content: &[u8],
    fields: impl Fn(usize) -> Vec<(&'static str, String)> + Send + Sync + Clone + 'static,
) -> Result<Vec<Turn<'a>>> {
    let api = Api::of(contestants);
    let id = api.upload("root", name, content).await?;
    let mut turns = Vec::new();
    for peer in &contestants.peers {
        std::fs::write(peer.folder.join(name), content)?;
        let (path, fields) = (format!("/{name}"), fields.clone());
        let request = move |n| with_fields(&path, &fields(n));
        turns.push(Turn { server: peer, head: Arc::new(request) });
    }
    let path = format!("/api/v1/files/{id}/content");
    let request = move |n| {
        let mut all = fields(n);
        all.push(("X-Token", api.token.clone()));
        with_fields(&path, &all)
    };
    turns.push(Turn { server: &contestants.ours, head: Arc::new(request) });
    Ok(turns)
}

fn with_fields(path: &str, fields: &[(&'static str, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    head("GET", path, &fields, None)
}

/// Bytes that do not compress.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    use rand::{RngExt as _, SeedableRng as _};
    let mut bytes = vec![0; len];
    rand::rngs::SmallRng::seed_from_u64(len as u64).fill(&mut bytes[..]);
    bytes
}

fn is_ours(server: &Server) -> bool {
    server.name == OURS
}
