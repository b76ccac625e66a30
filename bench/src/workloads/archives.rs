//! m: a folder as a zip, while it is made, beside `zip` with its output in a pipe. Neither compresses.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::{Sizes, Turn, load, noise};
use crate::contestants::{Contestants, OURS};
use crate::fill::{Filled, Filling};
use crate::http::{Connection, head};
use crate::process;
use crate::report::Report;

const PEER: &str = "zip -0 -r";

/// What is in the folder of files that are not small.
const FILES: usize = 2_000;
/// Of each small file.
const SMALL_BYTES: usize = 100;

const GIB: f64 = (1_u64 << 30) as f64;
const PIECE: usize = 256 * 1024;
/// How often it is looked how much memory a program takes.
const LOOK: Duration = Duration::from_millis(50);

/// One archive.
struct Case {
    workload: String,
    /// The folder's name, in the product and on the disk.
    folder: &'static str,
    id: String,
    entries: usize,
}

/// What an archive took.
struct Taken {
    bytes: f64,
    seconds: f64,
    first_byte: Duration,
    cpu_seconds: f64,
    /// Of a server, what it grew by.
    peak_mib: f64,
}

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let each = usize::try_from(sizes.large_bytes)? / FILES;
    let disk = contestants.scratch.path().join("zip");
    let small = Filling {
        folder: "small".to_owned(),
        files: sizes.entries,
        content: noise(SMALL_BYTES),
        name: |n| format!("file {n}.bin"),
        text: |_| None,
    };
    let filled = Filled::start(
        &contestants.program,
        &contestants.scratch.path().join("archives"),
        &[
            small.clone(),
            // larger than what stands in the database: these come by requests
            Filling { folder: "large".to_owned(), files: 0, ..small.clone() },
        ],
    )
    .await?;
    let content = Arc::new(noise(each));
    upload(&filled, &filled.folders[1], &content).await?;
    write(&disk.join("small"), sizes.entries, &small.content)?;
    write(&disk.join("large"), FILES, &content)?;

    let mib = sizes.large_bytes >> 20;
    let cases = [
        Case {
            workload: format!("m1 zip of {FILES} files, {mib} MiB in all"),
            folder: "large",
            id: filled.folders[1].clone(),
            entries: FILES,
        },
        Case {
            workload: format!("m2 zip of {} files of {SMALL_BYTES} bytes", sizes.entries),
            folder: "small",
            id: filled.folders[0].clone(),
            entries: sizes.entries,
        },
    ];
    for _ in 0..sizes.rounds {
        for case in &cases {
            let folder = disk.join(case.folder);
            note(report, case, PEER, &tokio::task::spawn_blocking(move || theirs(&folder)).await??);
            note(report, case, OURS, &ours(&filled, &case.id).await?);
        }
    }
    report.note(
        "m: \"peak memory MiB\" is all that `zip` takes, and what our server grows by; ours is told the length before the first byte and can go on at any byte, \
         `zip` writes what it finds.",
    );
    Ok(())
}

async fn upload(filled: &Filled, folder: &str, content: &Arc<Vec<u8>>) -> Result<()> {
    let (token, length) = (filled.api.token.clone(), content.len() as u64);
    let folder = folder.to_owned();
    let request = move |n: usize| {
        let path = format!("/api/v1/files/{folder}/children/file%20{n}.bin/content");
        head("PUT", &path, &[("X-Token", &token)], Some(length))
    };
    load(&Turn { server: &filled.server, head: Arc::new(request) }, 8, FILES, Arc::clone(content)).await?;
    Ok(())
}

fn write(folder: &Path, count: usize, content: &[u8]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for n in 0..count {
        std::fs::write(folder.join(format!("file {n}.bin")), content)?;
    }
    Ok(())
}

async fn ours(filled: &Filled, folder: &str) -> Result<Taken> {
    let pid = filled.server.pid;
    process::reset_peak(pid);
    let (before, cpu) = (process::resident_mib(pid), process::cpu_seconds(pid));
    let mut connection = Connection::open(filled.server.address).await?;
    let path = format!("/api/v1/files/{folder}/archive?format=zip");
    let answer = connection.send(&filled.api.head("GET", &path, None), b"", false).await?;
    ensure!(answer.status == 200, "{path}: {}", answer.status);
    Ok(Taken {
        bytes: answer.bytes as f64,
        seconds: answer.took.as_secs_f64(),
        first_byte: answer.head_took,
        cpu_seconds: process::cpu_seconds(pid) - cpu,
        peak_mib: process::peak_mib(pid) - before,
    })
}

fn theirs(folder: &Path) -> Result<Taken> {
    let (cpu, began) = (process::waited_cpu_seconds(), Instant::now());
    let mut zip = Command::new("zip")
        .args(["-0", "-r", "-q", "-", "."])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("zip cannot be started")?;
    let mut pipe = zip.stdout.take().context("a pipe")?;
    let (mut buffer, mut bytes, mut first_byte) = (vec![0; PIECE], 0_u64, None);
    let (mut peak_mib, mut looked) = (0.0_f64, None::<Instant>);
    loop {
        let read = pipe.read(&mut buffer)?;
        first_byte.get_or_insert_with(|| began.elapsed());
        bytes += read as u64;
        // at its end the process may be gone, and what it took with it
        if read == 0 || looked.is_none_or(|at| at.elapsed() > LOOK) {
            peak_mib = peak_mib.max(process::peak_mib(zip.id()));
            looked = Some(Instant::now());
        }
        if read == 0 {
            break;
        }
    }
    ensure!(zip.wait()?.success(), "zip failed");
    Ok(Taken {
        bytes: bytes as f64,
        seconds: began.elapsed().as_secs_f64(),
        first_byte: first_byte.unwrap_or_default(),
        cpu_seconds: process::waited_cpu_seconds() - cpu,
        peak_mib,
    })
}

fn note(report: &mut Report, case: &Case, name: &'static str, taken: &Taken) {
    let workload = &case.workload;
    report.add(workload, "s", name, taken.seconds);
    report.add(workload, "GiB/s", name, taken.bytes / GIB / taken.seconds);
    report.add(workload, "entries/s", name, case.entries as f64 / taken.seconds);
    report.add(workload, "ms until the first byte", name, taken.first_byte.as_secs_f64() * 1000.0);
    report.add(workload, "CPU s/GiB", name, taken.cpu_seconds / (taken.bytes / GIB));
    report.add(workload, "CPU µs/entry", name, taken.cpu_seconds * 1e6 / case.entries as f64);
    report.add(workload, "peak memory MiB", name, taken.peak_mib);
}
