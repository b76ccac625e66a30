//! Signals, which all of a process gets: alone in its process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use runtime::lifecycle::{Exit, Pace, Signals, Supervisor};
use rustix::process::{Signal, getpid, kill_process};
use testkit::wait::soon;

#[tokio::test]
async fn a_signal_that_comes_before_the_supervisor_runs_stops_it() {
    let signals = Signals::listen().unwrap();
    let mut supervisor = Supervisor::default();
    let shutdown = supervisor.shutdown();
    supervisor.part("steady", async move {
        shutdown.stopping().await;
        Ok::<_, std::io::Error>(())
    });
    kill_process(getpid(), Signal::TERM).unwrap();
    let pace = Pace { drain: Duration::ZERO, deadline: Duration::from_secs(30) };
    assert_eq!(soon(supervisor.run(signals, pace)).await, Exit::Stopped);
}
