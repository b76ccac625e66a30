//! Requests: a credential, a list, a small file down and up; and one large file down.

use std::sync::Arc;

use anyhow::Result;

use super::Run;
use super::forms::{Cpu, Form, USERS, note};
use crate::contestants::{Server, start_nginx};
use crate::drive::{Head, drive};
use crate::process;
use crate::workloads::{noise, say};

/// The peer of large downloads.
pub(super) const NGINX: &str = "nginx alone";

const GIB: f64 = (1_u64 << 30) as f64;

/// So many times more of a load where no database is waited for, so that it lasts longer than the clock of CPU time is coarse.
const QUICK_FACTOR: usize = 10;

/// What is read again and again.
pub(super) struct Samples {
    pub(super) folder: String,
    pub(super) file: String,
}

impl Samples {
    /// A folder of 100 files, and a file of 4 KiB in it.
    pub(super) async fn make(form: &Form) -> Result<Self> {
        let api = form.api();
        let folder = api.folder("list").await?;
        for n in 1..100 {
            api.upload(&folder, &format!("{n}.txt"), b"a small file").await?;
        }
        let file = api.upload(&folder, "small.bin", &noise(4096)).await?;
        Ok(Self { folder, file })
    }
}

/// A kind of request that changes nothing.
pub(super) fn reads(form: &Form, samples: &Samples) -> [(&'static str, Head, usize); 3] {
    let get = |path: String| -> Head {
        let head = form.api().head("GET", &path, None);
        Arc::new(move |_| head.clone())
    };
    [
        ("1 credential check (GET /users/me)", get("/api/v1/users/me".to_owned()), 1500),
        ("2 list, 100 entries", get(format!("/api/v1/files/{}/children", samples.folder)), 300),
        ("3 GET of 4 KiB", get(format!("/api/v1/files/{}/content", samples.file)), 1000),
    ]
}

/// Uploads into fresh folders of the first `users` users.
pub(super) async fn uploads(form: &Form, name: &str, users: usize, bytes: usize) -> Result<Head> {
    let mut heads = Vec::new();
    for api in &form.apis[..users] {
        let folder = api.folder(name).await?;
        let head =
            api.head("PUT", &format!("/api/v1/files/{folder}/children/NAME/content"), Some(bytes as u64));
        let (before, behind) = head.split_once("NAME").unwrap_or_default();
        heads.push((before.to_owned(), behind.to_owned()));
    }
    Ok(Arc::new(move |n| {
        let (before, behind) = &heads[n % heads.len()];
        format!("{before}{n}.bin{behind}")
    }))
}

/// Each kind by 16 connections and by one.
pub(super) async fn requests(run: &mut Run) -> Result<()> {
    let mut readers = Vec::new();
    for form in run.forms.iter().chain(run.replayed.iter().map(|replayed| &replayed.form)) {
        readers.push((form, Samples::make(form).await?));
    }
    run.replayed.iter().for_each(|replayed| replayed.replay.begin());
    let small = Arc::new(noise(10 * 1024));
    for round in 0..run.arguments.effort.rounds {
        say(&format!("requests, round {round}"));
        for kind in 0..3 {
            for (form, samples) in &readers {
                let factor = if form.waits_for_database() { 1 } else { QUICK_FACTOR };
                let (name, head, count) = reads(form, samples)[kind].clone();
                for (connections, count, by) in
                    [(16, count * factor, "16 connections"), (1, count / 5 * factor, "1 connection")]
                {
                    let load = (connections, count);
                    let measured = form.load(&run.shared, load, Arc::clone(&head), Arc::default()).await?;
                    note(&mut run.report, &format!("{name}, {by}"), form.name, &measured);
                }
            }
        }
        for (connections, users, count) in [(16, USERS, 240), (16, 1, 120), (1, 1, 60)] {
            for form in &run.forms {
                let factor = if form.waits_for_database() { 1 } else { QUICK_FACTOR };
                let folder = format!("up-{round}-{connections}-{users}");
                let head = uploads(form, &folder, users, small.len()).await?;
                let load = (connections, count * factor);
                let measured = form.load(&run.shared, load, head, Arc::clone(&small)).await?;
                let name = format!("4 PUT of 10 KiB, {users} users, {connections} connections");
                note(&mut run.report, &name, form.name, &measured);
            }
        }
    }
    Ok(())
}

/// One large file by 1 and by 16 connections, beside nginx alone with the same bytes.
pub(super) async fn large(run: &mut Run) -> Result<()> {
    let bytes = usize::try_from(run.arguments.effort.large_mib << 20)?;
    let content = noise(bytes);
    let folder = tempfile::tempdir()?;
    let nginx = start_nginx(folder.path()).await?;
    std::fs::write(nginx.folder.join("large.bin"), &content)?;
    // one form of the services suffices: their replicas see nothing of the bytes
    let mut turns = Vec::new();
    for form in &run.forms[..2] {
        let id = form.api().upload("root", "large.bin", &content).await?;
        turns.push((form, form.api().head("GET", &format!("/api/v1/files/{id}/content"), None)));
    }
    drop(content);
    for round in 0..run.arguments.effort.rounds {
        say(&format!("large downloads, round {round}"));
        for connections in [1, 16] {
            let name =
                format!("5 download of {} MiB, {connections} connections", run.arguments.effort.large_mib);
            let (rate, seconds, cpu) = alone(&nginx, connections).await?;
            run.report.add(&name, "a GiB/s", NGINX, rate / seconds);
            run.report.add(&name, "CPU s/GiB", NGINX, cpu / rate);
            for (form, head) in &turns {
                let head = head.clone();
                let load = (connections, connections);
                let (client, cpu): (_, Cpu) =
                    form.load(&run.shared, load, Arc::new(move |_| head.clone()), Arc::default()).await?;
                let gib = client.bytes / GIB;
                run.report.add(&name, "a GiB/s", form.name, gib / client.seconds);
                cpu.note(&mut run.report, &name, "s/GiB", 1.0 / gib, form.name);
            }
        }
    }
    Ok(())
}

/// GiB, seconds, CPU seconds.
async fn alone(nginx: &Server, connections: usize) -> Result<(f64, f64, f64)> {
    let head: Head = Arc::new(|_| crate::http::head("GET", "/large.bin", &[], None));
    let before = process::cpu_seconds(nginx.pid);
    let client = drive(nginx.address, &head, connections, connections, &Arc::default()).await?;
    Ok((client.bytes / GIB, client.seconds, process::cpu_seconds(nginx.pid) - before))
}
