use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::group::Group;
use super::{ASK_AGAIN, Process, START_DEADLINE, Spec, find, free_port};

/// Debian's program on the path insists on its own user and folders; this one does not.
const FOLDERS: &[&str] = &["/usr/lib/rabbitmq/bin"];

/// A private RabbitMQ with an Erlang port mapper of its own. Runs as whatever user we are.
pub struct RabbitMq {
    process: Process,
    _port_mapper: Group,
}

impl RabbitMq {
    /// Starts one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn start() -> Result<Self> {
        // started by us, since the one that a node starts by itself outlives it
        let epmd = find("epmd", &[]).context("epmd is not installed: apt-get install erlang-base")?;
        let mapper_port = free_port()?;
        let mut command = Command::new(epmd);
        command.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let port_mapper = Group::spawn(command)?;
        let node_port = free_port()?;
        let spec = Spec {
            program: "rabbitmq-server",
            folders: FOLDERS,
            package: "rabbitmq-server",
            arrange: Box::new(move |command, folder, port| {
                arrange(command, folder, port, node_port, mapper_port);
            }),
            answers: |port| Box::pin(answers(port)),
        };
        Ok(Self { process: Process::start(spec).await?, _port_mapper: port_mapper })
    }

    /// The broker that tests of this run share, if there is one (`FM_TEST_AMQP_URL`), else a private one.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn shared() -> Result<(String, Option<Self>)> {
        match std::env::var("FM_TEST_AMQP_URL") {
            Ok(url) => Ok((url, None)),
            Err(_) => {
                let own = Self::start().await?;
                Ok((own.url(), Some(own)))
            }
        }
    }

    /// The port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.process.port())
    }

    /// Waits until the broker has written down that it has this quorum queue. It does so some half a second late (seen in 3.10), and a queue that
    /// it lost in between never works again until it is deleted, which is nothing that a client could help.
    pub async fn has_written_down(&self, queue: &str) {
        let node = format!("fm-test-{0}@localhost/quorum/fm-test-{0}@localhost", self.process.port());
        let register = data(self.process.folder()).join(node).join("names.dets");
        let written = || {
            let register = std::fs::read(&register).unwrap_or_default();
            register.windows(queue.len()).any(|window| window == queue.as_bytes())
        };
        let deadline = Instant::now() + START_DEADLINE;
        while !written() {
            assert!(Instant::now() < deadline, "the broker does not write down that it has {queue}");
            sleep(ASK_AGAIN).await;
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with its data.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.process.restart().await
    }

    /// Starts it again with nothing.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn restart_empty(&mut self) -> Result<()> {
        self.process.kill();
        std::fs::remove_dir_all(data(self.process.folder()))?;
        self.process.restart().await
    }

    /// Stops it without ending it.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.process.thaw();
    }
}

fn data(folder: &Path) -> std::path::PathBuf {
    folder.join("data")
}

fn arrange(command: &mut Command, folder: &Path, port: u16, node_port: u16, mapper_port: u16) {
    // what `man rabbitmq-env.conf` knows and would otherwise look for below /etc and /var
    let below = |name: &str| folder.join(name);
    let config = "loopback_users = none\ndisk_free_limit.absolute = 1MB\nlog.file.level = warning\n";
    std::fs::write(below("rabbitmq.conf"), config).expect("the folder can be written to");
    std::fs::write(below("enabled_plugins"), "[].\n").expect("the folder can be written to");
    command
        // the Erlang machine replaces the shell, so that signals to the group reach it and nothing else is left
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env_remove("NOTIFY_SOCKET")
        .env("HOME", folder)
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", format!("fm-test-{port}@localhost"))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", node_port.to_string())
        .env("RABBITMQ_CONF_ENV_FILE", below("rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", below("rabbitmq"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", below("advanced.config"))
        .env("RABBITMQ_GENERATED_CONFIG_DIR", below("config"))
        .env("RABBITMQ_SCHEMA_DIR", below("schema"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", below("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", data(folder))
        .env("RABBITMQ_LOG_BASE", below("log"))
        .env("RABBITMQ_PID_FILE", below("pid"))
        // two schedulers start quicker than one for each core, and tests run several brokers
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}");
}

/// A broker greets whoever says the protocol's name (AMQP 0-9-1, 4.2.2), once it has started all the rest.
async fn answers(port: u16) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        let method_frame = 1;
        std::io::Result::Ok(stream.read_u8().await? == method_frame)
    };
    matches!(timeout(Duration::from_secs(1), asked).await, Ok(Ok(true)))
}
