//! One process of a service, which may be ended and started again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use testkit::servers::Group;

/// How long a service may take to be ready: its database is migrated before.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one may take to end: more than the product's own deadline for it.
const END: Duration = Duration::from_secs(60);

/// A replica of a service. It keeps its addresses over a restart.
pub struct Replica {
    program: &'static str,
    folder: PathBuf,
    public: SocketAddr,
    internal: SocketAddr,
    environment: BTreeMap<String, String>,
    log: PathBuf,
    running: Option<Process>,
}

impl Replica {
    /// One that does not run yet. `folder` is what it works in.
    pub(super) fn new(
        program: &'static str,
        folder: &Path,
        (public, internal): (SocketAddr, SocketAddr),
    ) -> Self {
        Self {
            program,
            folder: folder.to_owned(),
            public,
            internal,
            environment: BTreeMap::new(),
            log: folder.join(format!("{program}-{}.log", public.port())),
            running: None,
        }
    }

    /// The name of its program.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// Its internal listener: health, metrics, what other services ask.
    pub fn internal(&self) -> SocketAddr {
        self.internal
    }

    /// What a setting is from the next start on.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// A setting for the next start.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Takes a setting back.
    pub fn unset(&mut self, name: &str) {
        self.environment.remove(name);
    }

    /// What it has logged so far, before restarts too.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// How its command `healthcheck` ends with the same environment, as containers and balancers run it. Blocks.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn healthcheck(&self, programs: &Path) -> Result<ExitStatus> {
        let mut command = self.command(programs);
        command.arg("healthcheck").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status()?)
    }

    /// How a command of its ends with the same environment, and what it says. Blocks.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn run(&self, programs: &Path, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(programs).args(arguments).stdin(Stdio::null()).output()?)
    }

    fn command(&self, programs: &Path) -> Command {
        let mut command = Command::new(programs.join(self.program));
        clean(&mut command)
            .current_dir(&self.folder)
            .envs(&self.environment)
            .env("FM_LISTEN", self.public.to_string())
            .env("FM_INTERNAL_LISTEN", self.internal.to_string());
        command
    }

    /// Starts it, of the programs in this folder. Does not wait.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn begin(&mut self, programs: &Path) -> Result<()> {
        ensure!(self.running.is_none(), "{} runs already", self.program);
        let mut command = self.command(programs);
        let log = std::fs::File::options().create(true).append(true).open(&self.log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut group = Group::spawn(command)?;
        let stdout = group.leader().stdout.take().context("its output is piped")?;
        self.running = Some(Process { group, lines: lines_of(stdout) });
        Ok(())
    }

    /// Waits until it is ready; the set-up code, if it shows one. Blocks.
    ///
    /// # Errors
    /// When it does not get ready, with what it logged.
    pub fn wait_until_ready(&mut self) -> Result<Option<String>> {
        let running = self.running.as_ref().context("it was not started")?;
        let mut code = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match running.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(" is ready at ") => return Ok(code),
                Ok(line) if line.starts_with("    ") => code = Some(line.trim().to_owned()),
                Ok(_) => {}
                Err(_) => bail!("{} does not get ready:\n{}", self.program, self.log()?),
            }
        }
    }

    /// Ends it as a power cut would. Safe to repeat.
    pub fn kill(&mut self) {
        self.running = None;
    }

    /// Lets it stand still, with its connections open. Blocks until it does.
    ///
    /// # Errors
    /// When it does not run.
    pub fn hang(&self) -> Result<()> {
        self.running.as_ref().context("it does not run")?.group.freeze();
        Ok(())
    }

    /// Lets one that hangs go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn go_on(&self) -> Result<()> {
        self.running.as_ref().context("it does not run")?.group.thaw();
        Ok(())
    }

    /// Ends it as an administrator would, by `SIGTERM`, and waits until it has ended well. Blocks.
    ///
    /// # Errors
    /// When it does not end in time, or badly; then with what it logged.
    pub fn stop(&mut self) -> Result<()> {
        let running = self.running.as_mut().context("it does not run")?;
        kill_process(Pid::from_child(running.group.leader()), Signal::TERM)?;
        let status = self.wait_for_end()?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.program, self.log()?);
        Ok(())
    }

    /// How it has ended by itself or by a signal; none while it goes on.
    ///
    /// # Errors
    /// When it was not started.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        let running = self.running.as_mut().context("it does not run")?;
        let status = running.group.leader().try_wait()?;
        if status.is_some() {
            self.running = None;
        }
        Ok(status)
    }

    fn wait_for_end(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = self.has_ended()? {
                return Ok(status);
            }
            ensure!(Instant::now() < deadline, "{} does not end:\n{}", self.program, self.log()?);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Without the settings of whoever runs this.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FM_") {
            command.env_remove(name);
        }
    }
    command
}

/// A process with those that it started; killed when this is dropped, and when whoever started it ends.
struct Process {
    group: Group,
    lines: mpsc::Receiver<String>,
}

/// Reads to the end, also when nobody listens any more: a full pipe would hold the process.
fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
