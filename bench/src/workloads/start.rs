//! i: start on an existing data folder, and what idling costs.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Sizes;
use crate::contestants::{Contestants, OURS, Server, free_address, start_ours};
use crate::process;
use crate::report::Report;

/// How long idling is watched.
const WATCHED: Duration = Duration::from_secs(5);

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let folder = contestants.scratch.path().join("start");
    drop(start_ours(&contestants.program, &folder, 12).await?);
    let size = std::fs::metadata(&contestants.program)?.len() as f64 / (1 << 20) as f64;
    report.add("i start and idle", "program MiB", OURS, size);
    for _ in 0..sizes.rounds {
        let began = Instant::now();
        let server = start_ours(&contestants.program, &folder, 12).await?;
        report.add("i start and idle", "ms to ready", OURS, began.elapsed().as_secs_f64() * 1000.0);
        idle(report, &server).await;
        let began = Instant::now();
        let server = copyparty(contestants).await?;
        report.add("i start and idle", "ms to ready", server.name, began.elapsed().as_secs_f64() * 1000.0);
        idle(report, &server).await;
    }
    Ok(())
}

async fn copyparty(contestants: &Contestants) -> Result<Server> {
    let address = free_address()?;
    let folder: PathBuf = contestants.scratch.path().join("start-copyparty");
    std::fs::create_dir_all(&folder)?;
    let mut command = Command::new(&contestants.python);
    command.args(["-m", "copyparty", "-q", "-i", "127.0.0.1", "-p"]).arg(address.port().to_string());
    command.current_dir(&folder).env("HOME", &folder);
    Server::start("copyparty", folder, address, &mut command).await
}

async fn idle(report: &mut Report, server: &Server) {
    let cpu = process::cpu_seconds(server.pid);
    tokio::time::sleep(WATCHED).await;
    let share = (process::cpu_seconds(server.pid) - cpu) / WATCHED.as_secs_f64() * 100.0;
    report.add("i start and idle", "idle CPU %", server.name, share);
    report.add("i start and idle", "idle memory MiB", server.name, process::resident_mib(server.pid));
}
