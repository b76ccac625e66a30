//! BullMQ and Kue in Node, each over Redis servers of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::contestants::{Server, free_address};
use crate::process;

/// A queue in a process of Node, with its Redis.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) has_arrays: bool,
    redis: Server,
    node: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// Which one, over what.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) library: &'static str,
    /// When Redis syncs its log.
    pub(super) appendfsync: &'static str,
}

/// What an order took: its answer, and CPU seconds of Redis and of Node.
pub(super) struct Done {
    pub(super) answer: Value,
    pub(super) server_cpu: f64,
    pub(super) client_cpu: f64,
}

impl Peer {
    pub(super) async fn start(kind: &Kind, queues: &Path, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let folder: PathBuf = folder.join(format!("{}-{}", kind.library, kind.appendfsync));
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", kind.appendfsync, "--dir"])
            .arg(&folder);
        let redis = Server::start("redis-server", folder, address, &mut command).await?;
        let mut node = tokio::process::Command::new("node")
            .arg(queues.join("peer.mjs"))
            .args([kind.library, "127.0.0.1", &address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("node cannot be started")?;
        let orders = node.stdin.take().context("a pipe")?;
        let answers = BufReader::new(node.stdout.take().context("a pipe")?).lines();
        Ok(Self { name: kind.name, has_arrays: kind.library == "bullmq", redis, node, orders, answers })
    }

    /// Has the library do something.
    pub(super) async fn order(&mut self, order: &str, queue: &str, mut rest: Value) -> Result<Done> {
        rest["order"] = json!(order);
        rest["queue"] = json!(queue);
        let node = self.node.id().with_context(|| format!("{} has ended", self.name))?;
        let before = (process::cpu_seconds(self.redis.pid), process::cpu_seconds(node));
        self.orders.write_all(format!("{rest}\n").as_bytes()).await?;
        let line = self.answers.next_line().await?;
        let line = line.with_context(|| format!("{} has ended: {rest}", self.name))?;
        let answer: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        Ok(Done {
            answer,
            server_cpu: process::cpu_seconds(self.redis.pid) - before.0,
            client_cpu: process::cpu_seconds(node) - before.1,
        })
    }

    /// Ends Node, then Redis.
    pub(super) async fn stop(mut self) -> Result<()> {
        drop(self.orders);
        let status = self.node.wait().await?;
        ensure!(status.success(), "{}: {status}", self.name);
        Ok(())
    }
}
