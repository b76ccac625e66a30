//! The program behind `cargo xtask up`: it refuses what makes no sense, and leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use testkit::wait::PATIENCE;

/// Three services, a broker and more are to be ready, on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(180);

fn up(replicas: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_up"));
    command.arg(replicas).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends it if the test fails in the middle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Looks until there is something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end_of(running: &mut Running) -> ExitStatus {
    until("its end", || running.0.try_wait().unwrap())
}

/// A process, with when it began: a number alone may be given to another one.
type Process = (u32, String);

/// The parent of a process and the process itself, if it is there and no corpse.
fn look_at(pid: u32) -> Option<(u32, Process)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the name may contain anything
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let began = (*fields.get(19)?).to_owned();
    (*fields.first()? != "Z").then_some((fields.get(1)?.parse().ok()?, (pid, began)))
}

fn children_of(parent: u32) -> BTreeSet<Process> {
    let all = std::fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(look_at).filter(|(of, _)| *of == parent).map(|(_, process)| process).collect()
}

#[test]
fn none_of_each_is_refused() {
    for wrong in ["0", "many", "-1"] {
        let mut running = Running(up(wrong).spawn().unwrap());
        assert!(!end_of(&mut running).success(), "{wrong}");
        let mut said = String::new();
        running.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.contains("replica"), "{wrong}: {said}");
    }
}

#[test]
fn sigterm_stops_all_that_was_started() {
    let mut command = up("1");
    command.stderr(Stdio::inherit());
    let mut running = Running(command.spawn().unwrap());
    let stdout = BufReader::new(running.0.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while !lines.recv_timeout(START).expect("it gets ready, or says why not").contains(" is ready at ") {}
    let started = children_of(running.0.id());
    assert!(started.len() >= 3, "{started:?}");
    kill_process(Pid::from_child(&running.0), Signal::TERM).unwrap();
    assert!(end_of(&mut running).success());
    for process in started {
        until(&format!("the end of {process:?}"), || {
            let is_there = look_at(process.0).is_some_and(|(_, found)| found == process);
            (!is_there).then_some(())
        });
    }
}
