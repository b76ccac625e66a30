//! d: one large file; e: many small ones. Peers answer before anything is on disk, so they are also measured until it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::{Api, Sizes, Turn, is_ours, load, noise, note_requests};
use crate::contestants::{Contestants, Server};
use crate::http::{Connection, head};
use crate::process;
use crate::report::Report;

/// 1 GiB by one connection.
pub(super) async fn large(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "d upload, 1 connection";
    let block = noise(1 << 20);
    let gib = sizes.large_bytes as f64 / (1_u64 << 30) as f64;
    for round in 0..sizes.rounds {
        for server in contestants.peers.iter().chain([&contestants.ours]) {
            sync(server);
            process::reset_peak(server.pid);
            let (before, cpu) = (process::resident_mib(server.pid), process::cpu_seconds(server.pid));
            let request = put(contestants, server, &format!("upload-{round}.bin"), sizes.large_bytes);
            let began = Instant::now();
            let mut connection = Connection::open(server.address).await?;
            let answer = connection.send_repeated(&request, &block, sizes.large_bytes).await?;
            ensure!((200..300).contains(&answer.status), "{}: {}", server.name, answer.status);
            report.add(WORKLOAD, "GiB/s until answered", server.name, gib / began.elapsed().as_secs_f64());
            if !is_ours(server) {
                sync(server);
            }
            report.add(WORKLOAD, "GiB/s until on disk", server.name, gib / began.elapsed().as_secs_f64());
            report.add(
                WORKLOAD,
                "server CPU s/GiB",
                server.name,
                (process::cpu_seconds(server.pid) - cpu) / gib,
            );
            report.add(
                WORKLOAD,
                "peak memory growth MiB",
                server.name,
                process::peak_mib(server.pid) - before,
            );
        }
    }
    Ok(())
}

/// Files of 10 KiB, by 16 connections and by one.
pub(super) async fn small(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let body = Arc::new(noise(10 * 1024));
    for round in 0..sizes.rounds {
        for (connections, count, workload) in [
            (16, 2000, "e1 2,000 files of 10 KiB, 16 connections"),
            (1, 300, "e2 300 files of 10 KiB, 1 connection"),
        ] {
            for server in contestants.peers.iter().chain([&contestants.ours]) {
                sync(server);
                let folder = format!("small-{round}-{connections}");
                let parent = if is_ours(server) {
                    Api::of(contestants).folder(&folder).await?
                } else {
                    std::fs::create_dir_all(server.folder.join(&folder))?;
                    open_to_all(&server.folder.join(&folder))?;
                    folder
                };
                let length = body.len() as u64;
                let (ours, token) = (is_ours(server), contestants.token.clone());
                let request = move |n: usize| {
                    if ours {
                        let path = format!("/api/v1/files/{parent}/children/{n}.bin/content");
                        head("PUT", &path, &[("X-Token", &token)], Some(length))
                    } else {
                        head("PUT", &format!("/{parent}/{n}.bin"), &[], Some(length))
                    }
                };
                let began = Instant::now();
                let load =
                    load(&Turn { server, head: Arc::new(request) }, connections, count, Arc::clone(&body))
                        .await?;
                if !ours {
                    sync(server);
                }
                let on_disk = began.elapsed().as_secs_f64();
                report.add(workload, "files/s until on disk", server.name, count as f64 / on_disk);
                note_requests(report, workload, server.name, &load);
            }
        }
    }
    Ok(())
}

fn put(contestants: &Contestants, server: &Server, name: &str, length: u64) -> String {
    if is_ours(server) {
        let path = format!("/api/v1/files/root/children/{name}/content");
        head("PUT", &path, &[("X-Token", &contestants.token)], Some(length))
    } else {
        head("PUT", &format!("/{name}"), &[], Some(length))
    }
}

/// Waits until the file system that holds a folder has everything on disk.
pub(super) fn sync(server: &Server) {
    // `sync -f` is syncfs(2) without unsafe code here; if it is missing, the figures of the peers are only too good
    let _ = std::process::Command::new("sync").arg("-f").arg(&server.folder).status();
}

/// nginx writes as another user.
fn open_to_all(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))?)
}
