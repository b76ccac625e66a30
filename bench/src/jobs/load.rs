//! The loads: many jobs at once, and a job now and then.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::ours::{Jobs, Workers};
use super::peers::Peer;
use crate::contestants::Server;
use crate::distributed::forms::{Form, Shared};
use crate::process;
use crate::report::{Report, percentile};

/// Calls in flight where jobs are made one by one, and by arrays.
const ADDS: usize = 50;
const ARRAYS: usize = 4;
const ARRAY: usize = 500;
/// Jobs that are worked at once.
const CONCURRENCY: usize = 10;
/// A program that works five jobs together, twice.
const TOGETHER: Workers = Workers { count: 2, each: CONCURRENCY / 2, singly: false };
/// Ten programs that work one job each.
const APART: Workers = Workers { count: CONCURRENCY, each: 1, singly: true };
/// A program that takes as much as it gets, four times: beyond the peers' concurrency.
const IN_BULK: Workers = Workers { count: 4, each: 100, singly: false };

/// A type that the product works itself: with a content that is not there, its handler asks once and has done.
const BUILT_IN: &str = "media-facts";

/// How much is done.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) jobs: usize,
    /// Over a stand-in for a database that takes long: only what the peers do too, and less of it.
    pub(super) is_slow: bool,
}

/// Who is measured.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) counts: Counts,
    pub(super) side: Side,
}

pub(super) enum Side {
    Single { jobs: Jobs, server: Server },
    Services { jobs: Jobs, form: Box<Form>, shared: Box<Shared> },
    Peer(Box<Peer>),
}

impl Side {
    fn jobs(&self) -> Option<&Jobs> {
        match self {
            Self::Single { jobs, .. } | Self::Services { jobs, .. } => Some(jobs),
            Self::Peer(_) => None,
        }
    }
}

const G1: &str = "g1 make jobs by single calls, 50 in flight";
const G1_ARRAYS: &str = "g1 make jobs by arrays of 500, 4 in flight";
const G2: &str = "g2 work jobs, concurrency 10 (HTTP: 2 programs, each 5 jobs a call)";
const G2_APART: &str = "g2 work jobs, concurrency 10 (HTTP: 10 programs, each 1 job a claim)";
const G2_BULK: &str = "g2 work jobs, 400 at once (HTTP: 4 programs, each 100 jobs a call)";
const G2_BUILT_IN: &str = "g2 work jobs inside the process, 2 at once, with a look for a file each";
const G3: &str = "g3 pick-up at low load";

/// Makes many jobs by each way, and works them.
pub(super) async fn many(contestant: &mut Contestant, round: usize, report: &mut Report) -> Result<()> {
    let Contestant { name, counts, side } = contestant;
    let count = counts.jobs;
    // whole arrays
    let in_arrays = count.next_multiple_of(ARRAY);
    let (single, arrays, bulk) =
        (format!("single-{round}"), format!("arrays-{round}"), format!("bulk-{round}"));
    if let Side::Peer(peer) = side {
        let mut note = |workload, count, done: &super::peers::Done| {
            let seconds = done.answer["seconds"].as_f64().context("seconds")?;
            note(report, workload, name, (count, seconds), Some((done.server_cpu, done.client_cpu)));
            anyhow::Ok(())
        };
        note(G1, count, &peer.order("add", &single, json!({"count": count, "width": ADDS})).await?)?;
        if peer.has_arrays {
            let rest = json!({"count": in_arrays, "width": ARRAYS, "size": ARRAY});
            note(G1_ARRAYS, in_arrays, &peer.order("addBulk", &arrays, rest).await?)?;
        }
        let rest = json!({"count": count, "concurrency": CONCURRENCY});
        note(G2, count, &peer.order("work", &single, rest).await?)?;
        return Ok(());
    }
    let jobs = side.jobs().context("one of ours")?;
    let before = Spent::now(side);
    let seconds = jobs.add(&single, count, ADDS).await?;
    before.note(side, report, G1, name, (count, seconds));

    let before = Spent::now(side);
    let seconds = jobs.add_arrays(&arrays, in_arrays, ARRAYS, ARRAY).await?;
    before.note(side, report, G1_ARRAYS, name, (in_arrays, seconds));

    let before = Spent::now(side);
    let seconds = jobs.work(&single, count, TOGETHER).await?;
    before.note(side, report, G2, name, (count, seconds));
    if counts.is_slow {
        return Ok(());
    }

    let before = Spent::now(side);
    let seconds = jobs.work(&arrays, in_arrays, APART).await?;
    before.note(side, report, G2_APART, name, (in_arrays, seconds));

    jobs.add_arrays(&bulk, in_arrays, ARRAYS, ARRAY).await?;
    let before = Spent::now(side);
    let seconds = jobs.work(&bulk, in_arrays, IN_BULK).await?;
    before.note(side, report, G2_BULK, name, (in_arrays, seconds));

    let one =
        json!({"type": BUILT_IN, "data": {"fileId": "0".repeat(24), "blob": "0".repeat(32), "size": 1}});
    let array = serde_json::Value::from(vec![one; ARRAY]);
    // few: its work is not that of the queue alone
    let count = (count / 4).next_multiple_of(ARRAY);
    let (before, began) = (Spent::now(side), std::time::Instant::now());
    jobs.send(&array, count / ARRAY, ARRAYS).await?;
    jobs.all_complete(BUILT_IN, ((round + 1) * count) as u64).await?;
    let seconds = began.elapsed().as_secs_f64();
    before.note(side, report, G2_BUILT_IN, name, (count, seconds));
    Ok(())
}

/// Makes a job now and then, for a worker that waits.
pub(super) async fn pick_up(contestant: &mut Contestant, round: usize, report: &mut Report) -> Result<()> {
    let Contestant { name, counts, side } = contestant;
    let (count, per_second) = if counts.is_slow { (30, 1.0) } else { (300, 20.0) };
    let kind = format!("now-and-then-{round}");
    let millis = if let Side::Peer(peer) = side {
        let rest = json!({"count": count, "perSecond": per_second});
        let done = peer.order("pickUp", &kind, rest).await?;
        note_cpu(report, G3, name, count, (done.server_cpu, done.client_cpu));
        let millis = done.answer["millis"].as_array().context("milliseconds")?;
        millis.iter().filter_map(serde_json::Value::as_f64).collect()
    } else {
        let jobs = side.jobs().context("one of ours")?;
        // what the load before it left to be done
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = Spent::now(side);
        let millis = jobs.pick_up(&kind, count, per_second).await?;
        before.note_cpu(side, report, G3, name, count);
        millis
    };
    report.add(G3, "p50 ms", name, percentile(&millis, 0.5));
    report.add(G3, "p99 ms", name, percentile(&millis, 0.99));
    Ok(())
}

/// CPU seconds of one of ours and of this process, which is its client.
struct Spent {
    server: Vec<(&'static str, f64)>,
    client: f64,
}

impl Spent {
    fn now(side: &Side) -> Self {
        let server = match side {
            Side::Single { server, .. } => vec![("", process::cpu_seconds(server.pid))],
            Side::Services { form, shared, .. } => form.cpu(shared).parts(),
            Side::Peer(_) => Vec::new(),
        };
        Self { server, client: process::own_cpu_seconds() }
    }

    fn note(
        self,
        side: &Side,
        report: &mut Report,
        workload: &str,
        name: &'static str,
        (count, seconds): (usize, f64),
    ) {
        self.note_cpu(side, report, workload, name, count);
        note(report, workload, name, (count, seconds), None);
    }

    fn note_cpu(self, side: &Side, report: &mut Report, workload: &str, name: &'static str, count: usize) {
        let now = Self::now(side);
        let mut all = 0.0;
        for ((part, after), (_, before)) in now.server.iter().zip(&self.server) {
            all += after - before;
            let each = (after - before) * 1e6 / count as f64;
            if !part.is_empty() && each > 0.0 {
                report.add(workload, &format!("CPU µs/job, server: {part}"), name, each);
            }
        }
        note_cpu(report, workload, name, count, (all, now.client - self.client));
    }
}

fn note(
    report: &mut Report,
    workload: &str,
    name: &'static str,
    (count, seconds): (usize, f64),
    cpu: Option<(f64, f64)>,
) {
    report.add(workload, "jobs/s", name, count as f64 / seconds);
    if let Some(cpu) = cpu {
        note_cpu(report, workload, name, count, cpu);
    }
}

fn note_cpu(
    report: &mut Report,
    workload: &str,
    name: &'static str,
    count: usize,
    (server, client): (f64, f64),
) {
    let each = 1e6 / count as f64;
    report.add(workload, "CPU µs/job, both", name, (server + client) * each);
    report.add(workload, "CPU µs/job, client", name, client * each);
    report.add(workload, "CPU µs/job, server", name, server * each);
}
