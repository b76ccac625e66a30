//! Private servers for tests: real ones, each on a free port in a folder of its own, gone when they are dropped.
//!
//! Nothing is ever skipped: a program that is not there is an error, and it names the Debian package that brings it.

mod group;
mod mongo;
mod ports;
mod provider;
mod proxy;
mod rabbitmq;
mod redis;
#[cfg(feature = "s3")]
pub mod s3;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub use group::Group;
pub use mongo::Mongo;
pub use ports::free_port;
pub use provider::IdentityProvider;
pub use proxy::{Fault, FaultProxy};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;

/// Longest time that a server may take to answer. RabbitMQ needs seconds on an idle machine, and tests share theirs.
const START_DEADLINE: Duration = Duration::from_secs(120);
/// How often a server that does not answer yet is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(25);
/// Starts on other ports, should somebody take the one that was free a moment ago.
const STARTS: u32 = 3;

/// How one kind of server is started.
pub struct Spec {
    /// The program, as a file name.
    pub program: &'static str,
    /// Where to look for it before the folders of `PATH`.
    pub folders: &'static [&'static str],
    /// The Debian package that has it.
    pub package: &'static str,
    /// Sets arguments and environment: the server must run in the foreground, keep its data below the folder and listen on this port of `127.0.0.1`.
    pub arrange: Arrange,
    /// Whether it answers on this port.
    pub answers: fn(u16) -> Answer,
}

/// A function of [`Spec::arrange`].
pub type Arrange = Box<dyn Fn(&mut Command, &Path, u16) + Send + Sync>;
/// A future of [`Spec::answers`].
pub type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A server under test.
pub struct Process {
    // first, so that it has ended before its folder is removed
    group: Option<Group>,
    folder: TempDir,
    spec: Spec,
    program: PathBuf,
    port: u16,
}

impl Process {
    /// Starts a server with an empty folder, and waits until it answers.
    ///
    /// # Errors
    /// If its program is missing, or it does not answer in time; then with the end of what it said.
    pub async fn start(spec: Spec) -> Result<Self> {
        let program = find(spec.program, spec.folders).with_context(|| {
            format!("{} is not installed: apt-get install {}", spec.program, spec.package)
        })?;
        let folder = tempfile::Builder::new().prefix("fm-test-").tempdir()?;
        let mut process = Self { group: None, folder, spec, program, port: 0 };
        let mut starts = 0;
        loop {
            process.port = free_port()?;
            starts += 1;
            match process.spawn().await {
                Ok(()) => return Ok(process),
                Err(error) if starts == STARTS => return Err(error),
                Err(_) => process.kill(),
            }
        }
    }

    /// The port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its data are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a power cut would, with everything that it started. Safe to repeat.
    pub fn kill(&mut self) {
        self.group = None;
    }

    /// Starts it again, on the same port and data, after a kill if it runs; waits until it answers.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        self.spawn().await
    }

    /// Stops it without ending it: connections stay, nothing is answered.
    pub fn freeze(&self) {
        self.group.as_ref().expect("it runs").freeze();
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.group.as_ref().expect("it runs").thaw();
    }

    async fn spawn(&mut self) -> Result<()> {
        let log_path = self.folder.path().join("output.log");
        let log = std::fs::File::options().create(true).append(true).open(&log_path)?;
        let mut command = Command::new(&self.program);
        (self.spec.arrange)(&mut command, self.folder.path(), self.port);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let group = self.group.insert(Group::spawn(command)?);
        let deadline = Instant::now() + START_DEADLINE;
        while !(self.spec.answers)(self.port).await {
            let ended = group.ended()?;
            if ended || Instant::now() > deadline {
                let said = std::fs::read_to_string(&log_path).unwrap_or_default();
                let end: Vec<_> = said.lines().rev().take(20).collect();
                let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
                let what = if ended { "ended" } else { "did not answer" };
                bail!("{} {what}; it said:\n{end}", self.spec.program);
            }
            sleep(ASK_AGAIN).await;
        }
        Ok(())
    }
}

/// A program in these folders or on the path.
fn find(program: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().map(PathBuf::from).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
