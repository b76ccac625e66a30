//! The forms of the product, and the servers that the distributed ones share.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use e2e::stack::{Options, Servers, Stack};
use tempfile::TempDir;

use super::proxy;
use super::replay::Replay;
use crate::contestants::{Server, sign_up, start_ours};
use crate::drive::{Driven, Head, drive};
use crate::process;
use crate::report::{Report, percentile};
use crate::workloads::Api;

pub(super) const SINGLE: &str = "all-in-one";
pub(super) const ONE: &str = "1 replica each";
pub(super) const TWO: &str = "2 replicas each";
pub(super) const BEFORE: &str = "1 replica each, before";
pub(super) const REPLAYED: &str = "1 replica each, MongoDB replayed";
pub(super) const REPLAYED_BEFORE: &str = "1 replica each, MongoDB replayed, before";
/// Not a form, but the column of what they share.
pub(super) const SERVERS: &str = "servers";

/// Users of each form: each has a space of its own, in which changes take turns.
pub(super) const USERS: usize = 8;

/// As people are told to run it (docs/configuration.md); a hash of it costs a third of a second.
const BCRYPT_COST: u32 = 12;

/// Processes that are one thing to whoever reads the figures.
struct Part {
    name: &'static str,
    pids: Vec<u32>,
}

/// CPU seconds of each part at some moment.
pub(crate) struct Cpu(Vec<(&'static str, bool, f64)>);

/// What stands behind all distributed forms of one run.
pub(crate) struct Shared {
    servers: Servers,
    parts: Vec<Part>,
}

/// A running form.
pub(crate) struct Form {
    pub(super) name: &'static str,
    pub(crate) address: SocketAddr,
    /// Of each user.
    pub(super) apis: Vec<Api>,
    parts: Vec<Part>,
    running: Running,
}

/// What ends when it is dropped.
enum Running {
    Single { _server: Server, _folder: TempDir },
    Stack { stack: Stack },
}

/// A form with one replica each behind a [`Replay`].
pub(super) struct Replayed {
    pub(super) form: Form,
    pub(super) replay: Replay,
}

impl Replayed {
    pub(super) async fn start(name: &'static str, programs: &Path, shared: &Shared) -> Result<Self> {
        let uri = proxy::mongodb_uri()?;
        let replay = Replay::start(proxy::server(&uri)?).await?;
        let settings = vec![("FM_MONGODB_URI".to_owned(), proxy::directly(&uri, replay.address)?)];
        let mut form = Form::stack(name, programs, shared, 1, settings).await?;
        if let Running::Stack { stack } = &mut form.running {
            // no read needs it, and a store that says the same for ever would keep it busy
            stack.replica("worker-service", 0).kill();
        }
        Ok(Self { form, replay })
    }
}

impl Shared {
    /// Starts Redis and RabbitMQ, unless the environment names them; MongoDB is named by it.
    pub(crate) async fn start(mongodb_pid: Option<u32>) -> Result<Self> {
        let before = process::children();
        let servers = Servers::start().await?;
        let mut parts = parts_since(&before);
        // the guards of those servers, and what maps RabbitMQ's names to ports
        parts.retain(|part| matches!(part.name, "Redis" | "RabbitMQ"));
        parts.extend(mongodb_pid.map(|pid| Part { name: "MongoDB", pids: vec![pid] }));
        Ok(Self { servers, parts })
    }

    pub(super) fn note_memory(&self, report: &mut Report) {
        note_memory(&self.parts, SERVERS, report);
    }
}

impl Form {
    /// The all-in-one, in a fresh folder beside its program.
    pub(super) async fn single(programs: &Path) -> Result<Self> {
        let folder = TempDir::with_prefix_in("bench-", programs)?;
        let server =
            start_ours(&programs.join("files-manager"), &folder.path().join("data"), BCRYPT_COST).await?;
        let (address, pid) = (server.address, server.pid);
        let parts = vec![Part { name: SINGLE, pids: vec![pid] }];
        Self::with_users(SINGLE, address, parts, Running::Single { _server: server, _folder: folder }).await
    }

    /// The services behind their gateway.
    pub(crate) async fn stack(
        name: &'static str,
        programs: &Path,
        shared: &Shared,
        replicas: usize,
        more: Vec<(String, String)>,
    ) -> Result<Self> {
        let before = process::children();
        let mut settings = vec![
            ("FM_LOG__LEVEL".to_owned(), "warn".to_owned()),
            // what stands in for MongoDB is slow: what waits for it must not fail
            ("FM_MONGODB_DEADLINE".to_owned(), "60s".to_owned()),
        ];
        settings.extend(more);
        let options = Options {
            replicas,
            programs: programs.to_owned(),
            bcrypt_cost: BCRYPT_COST,
            settings,
            ..Options::of_tests()?
        };
        let stack = tokio::task::block_in_place(|| Stack::start(&shared.servers, &options))?;
        let address = stack.address().trim_start_matches("http://").parse()?;
        Self::with_users(name, address, parts_since(&before), Running::Stack { stack }).await
    }

    async fn with_users(
        name: &'static str,
        address: SocketAddr,
        parts: Vec<Part>,
        running: Running,
    ) -> Result<Self> {
        let mut apis = Vec::new();
        for n in 0..USERS {
            let token = sign_up(address, &format!("bench-{n}@example.org"))
                .await
                .with_context(|| format!("{name}: user {n}"))?;
            apis.push(Api { address, token });
        }
        Ok(Self { name, address, apis, parts, running })
    }

    /// The first user's API.
    pub(super) fn api(&self) -> &Api {
        &self.apis[0]
    }

    /// The code that makes the first administrator of the services.
    pub(crate) fn setup_code(&self) -> Option<&str> {
        match &self.running {
            Running::Single { .. } => None,
            Running::Stack { stack } => Some(stack.setup_code()),
        }
    }

    fn is_single(&self) -> bool {
        matches!(self.running, Running::Single { .. })
    }

    /// Whether what is read comes from a MongoDB.
    pub(super) fn waits_for_database(&self) -> bool {
        !self.is_single() && !matches!(self.name, REPLAYED | REPLAYED_BEFORE)
    }

    pub(crate) fn cpu(&self, shared: &Shared) -> Cpu {
        let own = self.parts.iter().map(|part| (part.name, true, part.cpu_seconds()));
        if self.is_single() {
            return Cpu(own.collect());
        }
        Cpu(own.chain(shared.parts.iter().map(|part| (part.name, false, part.cpu_seconds()))).collect())
    }

    /// Sends a load and notes everything of it but rates.
    pub(super) async fn load(
        &self,
        shared: &Shared,
        (connections, count): (usize, usize),
        head: Head,
        body: Arc<Vec<u8>>,
    ) -> Result<(Driven, Cpu)> {
        let before = self.cpu(shared);
        let client =
            drive(self.address, &head, connections, count, &body).await.with_context(|| self.name)?;
        Ok((client, self.cpu(shared).since(&before)))
    }

    pub(super) fn note_memory(&self, report: &mut Report) {
        note_memory(&self.parts, self.name, report);
    }
}

impl Part {
    fn cpu_seconds(&self) -> f64 {
        self.pids.iter().map(|pid| process::cpu_seconds(*pid)).sum()
    }
}

impl Cpu {
    pub(super) fn since(&self, before: &Self) -> Self {
        let spent = self.0.iter().zip(&before.0);
        Self(spent.map(|((name, own, now), (_, _, then))| (*name, *own, now - then)).collect())
    }

    /// CPU seconds of each part and server.
    pub(crate) fn parts(self) -> Vec<(&'static str, f64)> {
        self.0.into_iter().map(|(name, _, seconds)| (name, seconds)).collect()
    }

    /// Notes what a unit of work cost the product in all, each of its parts, and each of the servers.
    pub(super) fn note(&self, report: &mut Report, workload: &str, unit: &str, per: f64, form: &'static str) {
        let own = self.0.iter().filter(|(_, own, _)| *own).map(|(_, _, seconds)| seconds).sum::<f64>();
        report.add(workload, &format!("CPU {unit}"), form, own * per);
        if self.0.len() == 1 {
            return;
        }
        for (name, own, seconds) in &self.0 {
            let of = if *own { "of which " } else { "and besides " };
            report.add(workload, &format!("CPU {unit}, {of}{name}"), form, seconds * per);
        }
    }
}

/// Notes rate, latency and what a request cost.
pub(super) fn note(report: &mut Report, workload: &str, form: &'static str, (client, cpu): &(Driven, Cpu)) {
    report.add(workload, "a requests/s", form, client.requests / client.seconds);
    report.add(workload, "b p50 ms", form, percentile(&client.millis, 0.5));
    report.add(workload, "c p99 ms", form, percentile(&client.millis, 0.99));
    cpu.note(report, workload, "µs/request", 1e6 / client.requests, form);
}

fn note_memory(parts: &[Part], column: &'static str, report: &mut Report) {
    for part in parts {
        let peak = part.pids.iter().map(|pid| process::peak_mib(*pid)).fold(0.0, f64::max);
        report.add(
            "peak memory of a process, with its children",
            &format!("MiB, {}", part.name),
            column,
            peak,
        );
    }
}

/// What this process has started since, by what runs below each child.
fn parts_since(before: &BTreeSet<u32>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for pid in process::children().difference(before) {
        let commands = process::commands(*pid);
        let known = [
            ("nginx", "gateway"),
            ("auth-service", "auth-service"),
            ("file-service", "file-service"),
            ("worker-service", "worker-service"),
            ("redis-server", "Redis"),
            ("beam.smp", "RabbitMQ"),
        ];
        let Some((_, name)) = known.iter().find(|(command, _)| commands.iter().any(|one| one == command))
        else {
            continue;
        };
        match parts.iter_mut().find(|part| part.name == *name) {
            Some(part) => part.pids.push(*pid),
            None => parts.push(Part { name, pids: vec![*pid] }),
        }
    }
    parts
}
