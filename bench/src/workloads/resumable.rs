//! k: one large file by tus 1.0.0, in one request and in many, beside the protocol's own server in Node.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::upload::sync;
use super::{Sizes, is_ours, noise};
use crate::contestants::{Contestants, Server, free_address};
use crate::http::{Connection, head};
use crate::process;
use crate::report::Report;

const PEER: &str = "@tus/server";

const GIB: f64 = (1_u64 << 30) as f64;

/// In how many requests the bytes come.
const WAYS: [(u64, &str); 2] = [
    (1, "k1 resumable upload by tus, in one PATCH"),
    (64, "k2 resumable upload by tus, in 64 PATCHes, 1 connection"),
];

const DURABILITY: &str = "k: files-manager has synced an offset, bytes and row, before it answers it; @tus/server with @tus/file-store syncs nothing: its offset \
                          is the size of the file, so \"until on disk\" has one sync of the file system behind its last answer.";

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let peer = start_peer(&contestants.tus, &contestants.scratch.path().join("tus")).await?;
    let block = noise(1 << 20);
    let gib = sizes.large_bytes as f64 / GIB;
    for round in 0..sizes.rounds {
        for (requests, workload) in WAYS {
            for server in [&peer, &contestants.ours] {
                sync(server);
                process::reset_peak(server.pid);
                let (before, cpu) = (process::resident_mib(server.pid), process::cpu_seconds(server.pid));
                let began = Instant::now();
                let mut upload =
                    Upload::begin(contestants, server, requests, round, sizes.large_bytes).await?;
                upload.send(&block, sizes.large_bytes.div_ceil(requests)).await?;
                report.add(
                    workload,
                    "GiB/s until answered",
                    server.name,
                    gib / began.elapsed().as_secs_f64(),
                );
                if !is_ours(server) {
                    sync(server);
                }
                let (seconds, cpu) = (began.elapsed().as_secs_f64(), process::cpu_seconds(server.pid) - cpu);
                report.add(workload, "GiB/s until on disk", server.name, gib / seconds);
                report.add(workload, "server CPU s/GiB", server.name, cpu / gib);
                let peak = process::peak_mib(server.pid) - before;
                report.add(workload, "peak memory growth MiB", server.name, peak);
            }
        }
    }
    report.note(DURABILITY);
    Ok(())
}

async fn start_peer(program: &Path, folder: &Path) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new("node");
    command.arg(program.join("peer.mjs")).arg(folder).args(["127.0.0.1", &address.port().to_string()]);
    Server::start(PEER, folder.to_owned(), address, &mut command).await
}

/// An upload under way.
struct Upload {
    connection: Connection,
    server: &'static str,
    path: String,
    token: Option<String>,
    offset: u64,
    length: u64,
}

impl Upload {
    async fn begin(
        contestants: &Contestants,
        server: &Server,
        requests: u64,
        round: usize,
        length: u64,
    ) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        let path = if is_ours(server) { "/api/v1/uploads" } else { "/files" };
        let token = is_ours(server).then(|| contestants.token.clone());
        let name = STANDARD.encode(format!("resumable-{requests}-{round}.bin"));
        let (metadata, length_field) = (format!("filename {name}"), length.to_string());
        let mut fields = vec![
            ("Tus-Resumable", "1.0.0"),
            ("Upload-Length", &length_field),
            ("Upload-Metadata", &metadata),
        ];
        fields.extend(token.as_deref().map(|token| ("X-Token", token)));
        let answer = connection.send(&head("POST", path, &fields, Some(0)), b"", true).await?;
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == 201, "{}: {} {said}", server.name, answer.status);
        let location = answer.location.context("an upload without an address")?;
        let id = location.rsplit('/').next().unwrap_or_default();
        Ok(Self { connection, server: server.name, path: format!("{path}/{id}"), token, offset: 0, length })
    }

    /// Sends all of it, so many bytes in each request.
    async fn send(&mut self, block: &[u8], each: u64) -> Result<()> {
        while self.offset < self.length {
            let (offset, bytes) = (self.offset.to_string(), each.min(self.length - self.offset));
            let mut fields = vec![
                ("Tus-Resumable", "1.0.0"),
                ("Upload-Offset", &*offset),
                ("Content-Type", "application/offset+octet-stream"),
            ];
            fields.extend(self.token.as_deref().map(|token| ("X-Token", token)));
            let request = head("PATCH", &self.path, &fields, Some(bytes));
            let answer = self.connection.send_repeated(&request, block, bytes).await?;
            ensure!(answer.status == 204, "{} at {offset}: {}", self.server, answer.status);
            self.offset += bytes;
        }
        Ok(())
    }
}
