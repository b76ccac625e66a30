//! Runs programs, says what it runs, and fails with what failed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;
use tokio::signal::unix::{self, SignalKind, signal};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.to_owned(), Path::to_owned)
}

/// A program to be run in the repository's root.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo, the one that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

/// Says what is run, runs it with our own output, and fails unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say(&format!("$ {shown}"));
    let status = command.status().with_context(|| format!("{shown}: cannot be started"))?;
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}

/// Outlives the signals that ask this process to stop, from when it is made: what was started is then stopped as it is at any end.
pub(crate) struct Stoppable {
    runtime: Runtime,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Stoppable {
    pub(crate) fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        drop(entered);
        Ok(Self { runtime, terminate, interrupt })
    }

    /// As [`run`], until it ends by itself or a signal has made it end.
    pub(crate) fn run(mut self, command: Command) -> Result<()> {
        let shown = show(&command);
        say(&format!("$ {shown}"));
        let status = self.runtime.block_on(async {
            let mut child = tokio::process::Command::from(command).spawn()?;
            let mut asked = false;
            loop {
                tokio::select! {
                    status = child.wait() => return std::io::Result::Ok((status?, asked)),
                    _ = self.terminate.recv() => {
                        asked = true;
                        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
                        if let Some(pid) = pid {
                            kill_process(pid, Signal::TERM)?;
                        }
                    }
                    // the terminal tells all that run in it
                    _ = self.interrupt.recv() => asked = true,
                }
            }
        });
        let (status, asked) = status.with_context(|| format!("{shown}: cannot be run"))?;
        ensure!(status.success() || asked, "{shown}: {status}");
        Ok(())
    }
}

/// Runs it and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("{shown}: cannot be started"))?;
    ensure!(
        output.status.success(),
        "{shown}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("{shown}: printed no UTF-8"))
}

/// Whether a program is on the path.
pub(crate) fn has(name: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()))
}

/// Tells the person who waits.
#[expect(clippy::print_stdout, reason = "the one place where xtask speaks")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

fn show(command: &Command) -> String {
    let mut shown = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}
