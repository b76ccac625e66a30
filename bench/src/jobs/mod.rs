//! Measures the queue of jobs beside BullMQ and Kue, in one run, interleaved, with how durable each one's answers are.

mod fill;
mod load;
mod ours;
mod peers;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use serde_json::json;
use tempfile::TempDir;

use crate::contestants::{Server, create_administrator, start_ours};
use crate::distributed::forms::{Form, Shared};
use crate::http::{Connection, head};
use crate::report::Report;
use crate::workloads::{Api, say};
use load::{Contestant, Counts, Side};
use ours::Jobs;
use peers::{Kind, Peer};

/// The word that chooses this.
pub(crate) const WORD: &str = "jobs";

const OURS: &str = "files-manager";
const BEFORE: &str = "files-manager, before";
const FILLED: &str = "files-manager, filled";
const SERVICES: &str = "services";

const PEERS: [Kind; 4] = [
    Kind { name: "BullMQ, everysec", library: "bullmq", appendfsync: "everysec" },
    Kind { name: "BullMQ, always", library: "bullmq", appendfsync: "always" },
    Kind { name: "Kue, everysec", library: "kue", appendfsync: "everysec" },
    Kind { name: "Kue, always", library: "kue", appendfsync: "always" },
];

/// When what was answered is safe from a crash of the machine.
const DURABILITY: [(&str, &str); 4] = [
    (
        "files-manager",
        "made, completed: synced before the answer (SQLite, synchronous FULL); claimed: with the next of those",
    ),
    ("services", "written by a majority, journalled (MongoDB); the stand-in for MongoDB syncs what it likes"),
    ("everysec", "within a second after the answer (Redis, appendfsync everysec)"),
    ("always", "synced before the answer (Redis, appendfsync always)"),
];

#[derive(Parser)]
#[command(name = "cargo xtask bench jobs", about = "Measures the queue of jobs beside BullMQ and Kue")]
struct Arguments {
    /// Workloads: g many jobs, l pick-up at low load; none: both
    workloads: Vec<char>,
    /// Rounds of each workload
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Jobs of a load
    #[arg(long, default_value_t = 20_000)]
    jobs: usize,
    /// Jobs of a load of the services
    #[arg(long, default_value_t = 500)]
    services_jobs: usize,
    /// Finished jobs in the store of the all-in-one that is measured beside an empty one
    #[arg(long, default_value_t = 100_000)]
    finished: usize,
    /// Delayed jobs in it
    #[arg(long, default_value_t = 10_000)]
    delayed: usize,
    /// Only these, by the beginnings of their names: files-manager, services, BullMQ, Kue
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Folder of the programs of all forms, built for release
    #[arg(long)]
    programs: PathBuf,
    /// Folder of the all-in-one of another build, as one more beside: for a change and what was before it
    #[arg(long)]
    before: Option<PathBuf>,
    /// Folder of the peers' program, with their packages
    #[arg(long)]
    queues: PathBuf,
    /// The process of the MongoDB that FM_TEST_MONGODB_URI names, if it runs here
    #[arg(long)]
    mongodb_pid: Option<u32>,
}

/// Runs it with the arguments after the word.
pub(crate) async fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let arguments = Arguments::parse_from(words);
    let wants = |name: &str| {
        arguments.only.is_empty() || arguments.only.iter().any(|only| name.starts_with(only.as_str()))
    };
    let scratch = TempDir::with_prefix_in("bench-", &arguments.programs)?;
    let counts = Counts { jobs: arguments.jobs, is_slow: false };
    let mut contestants = Vec::new();
    if wants(OURS) {
        let server = single(&arguments.programs, &scratch.path().join("ours")).await?;
        contestants.push(Contestant { name: OURS, counts, side: server });
        if let Some(before) = &arguments.before {
            let side = single(before, &scratch.path().join("before")).await?;
            contestants.push(Contestant { name: BEFORE, counts, side });
        }
        if arguments.finished + arguments.delayed > 0 {
            let side = single(&arguments.programs, &scratch.path().join("filled")).await?;
            if let Side::Single { jobs, server } = &side {
                fill::fill(jobs, server.pid, arguments.finished, arguments.delayed).await?;
            }
            contestants.push(Contestant { name: FILLED, counts, side });
        }
    }
    for kind in PEERS.iter().filter(|kind| wants(kind.name)) {
        let peer = Peer::start(kind, &arguments.queues, scratch.path()).await?;
        contestants.push(Contestant { name: kind.name, counts, side: Side::Peer(Box::new(peer)) });
    }
    if wants(SERVICES) {
        say("starting the services");
        let shared = Shared::start(arguments.mongodb_pid).await?;
        let form = Form::stack(SERVICES, &arguments.programs, &shared, 1, Vec::new()).await?;
        let jobs = Jobs::new(form.address, first_administrator(&form).await?);
        let counts = Counts { jobs: arguments.services_jobs, is_slow: true };
        contestants.push(Contestant {
            name: SERVICES,
            counts,
            side: Side::Services { jobs, form: Box::new(form), shared: Box::new(shared) },
        });
    }

    let wants = |letter| arguments.workloads.is_empty() || arguments.workloads.contains(&letter);
    let mut report = Report::default();
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.name).collect();
    let mut failures = Vec::new();
    for round in 0..arguments.rounds.max(1) {
        for (contestant, name) in contestants.iter_mut().zip(&names) {
            say(&format!("round {round}: {name}"));
            let measured = async {
                if wants('g') {
                    load::many(contestant, round, &mut report).await?;
                }
                if wants('l') {
                    load::pick_up(contestant, round, &mut report).await?;
                }
                anyhow::Ok(())
            };
            // what the others have shown stands
            if let Err(error) = measured.await {
                failures.push(format!("round {round}: {name}: {error:#}"));
            }
        }
    }
    report.print_columns(&names);
    print_durability(&names);
    for contestant in contestants {
        if let Side::Peer(peer) = contestant.side {
            peer.stop().await?;
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn print_durability(names: &[&str]) {
    println!("\n| contestant | durable |\n|---|---|");
    for (part, says) in DURABILITY {
        let of: Vec<_> = names.iter().copied().filter(|name| name.contains(part)).collect();
        if !of.is_empty() {
            println!("| {} | {says} |", of.join("; "));
        }
    }
}

const EMAIL: &str = "root@example.org";
const PASSWORD: &str = "correct horse";

/// A fresh all-in-one with an administrator.
async fn single(programs: &Path, folder: &Path) -> Result<Side> {
    // as people are told to run it
    const BCRYPT_COST: u32 = 12;
    let program = programs.join("files-manager");
    create_administrator(&program, folder, EMAIL, PASSWORD)?;
    let server: Server = start_ours(&program, folder, BCRYPT_COST).await?;
    let basic = format!("Basic {}", STANDARD.encode(format!("{EMAIL}:{PASSWORD}")));
    let mut connection = Connection::open(server.address).await?;
    let request = head("GET", "/connect", &[("Authorization", &basic)], None);
    let answer: serde_json::Value =
        serde_json::from_slice(&connection.send(&request, b"", true).await?.body)?;
    let token = answer["token"].as_str().context("no token")?.to_owned();
    Ok(Side::Single { jobs: Jobs::new(server.address, token), server })
}

/// Makes the first administrator of the services; the access token.
async fn first_administrator(form: &Form) -> Result<String> {
    let code = form.setup_code().context("the services tell a code")?;
    let body = json!({"code": code, "email": EMAIL, "password": PASSWORD}).to_string();
    let api = Api { address: form.address, token: String::new() };
    let login = api.json("POST", "/api/v1/setup", &body).await?;
    let token = login["token"].as_str().or_else(|| login["accessToken"].as_str());
    Ok(token.with_context(|| format!("no token in {login}"))?.to_owned())
}
