//! Start, supervise, drain, stop.
//!
//! A program hands its parts to a [`Supervisor`]. A part that ends before a stop was asked for ends the program with a failing code. A stop goes in
//! steps: not ready (and `Connection: close` on every answer) for a moment, so that balancers look elsewhere; then no new connections, and running work
//! ends or is given back; then, at the latest at the deadline, the end.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How a process ends, for whoever started it. The numbers are those of `sysexits.h` where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to stop, and did.
    Stopped = 0,
    /// A part failed.
    Failed = 1,
    /// The command line or a setting is wrong.
    Usage = 64,
    /// A store or another dependency cannot be used.
    Unavailable = 69,
    /// The data folder is in use or cannot be used.
    DataFolder = 73,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Tells parts that the process stops: first that it drains, then that it must end its work.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    stopping: CancellationToken,
}

impl Shutdown {
    /// Whether answers should say `Connection: close` and readiness should fail.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Returns when draining begins.
    pub async fn draining(&self) {
        self.draining.cancelled().await;
    }

    /// Returns when no new work may begin, and running work must end.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// The token behind [`Shutdown::draining`], for parts that take one.
    pub fn draining_token(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// The token behind [`Shutdown::stopping`], for parts that take one.
    pub fn stopping_token(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Whether no new work may begin.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Begins to drain. Safe to repeat.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Ends the time for draining. Safe to repeat.
    pub fn stop(&self) {
        self.draining.cancel();
        self.stopping.cancel();
    }
}

/// How a stop is paced.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long to answer with `Connection: close` before connections are refused.
    pub drain: Duration,
    /// How long running work may take after that.
    pub deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { drain: Duration::from_secs(2), deadline: Duration::from_secs(30) }
    }
}

/// The signals that ask a process to stop. From the moment when this is made none is lost: one that comes while nobody waits is there when somebody does.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on. The system's own reaction, the sudden end, is off from then on. Needs a Tokio runtime.
    ///
    /// # Errors
    /// The system allows no more listeners.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The name of the next one. May be dropped at any point.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Owns the parts of a process and notices when one ends.
#[derive(Default)]
pub struct Supervisor {
    parts: JoinSet<(&'static str, Result<(), PartError>)>,
    shutdown: Shutdown,
}

type PartError = Box<dyn std::error::Error + Send + Sync>;

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// What parts listen to.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Starts a part. It must run until [`Shutdown::stopping`] and end soon after.
    #[expect(clippy::disallowed_methods, reason = "the supervisor is the owner that the rule asks for")]
    pub fn part<E: Into<PartError>>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let work = tokio::spawn(async move { work.await.map_err(Into::into) });
        self.parts.spawn(async move {
            match work.await {
                Ok(result) => (name, result),
                Err(panicked) => (name, Err(panicked.into())),
            }
        });
    }

    /// Runs until a signal, the end of a part, or [`Shutdown::drain`]; then stops everything at this pace. A second signal ends the wait.
    pub async fn run(mut self, mut signals: Signals, pace: Pace) -> Exit {
        let mut exit = Exit::Stopped;
        tokio::select! {
            signal = signals.next() => tracing::info!(signal, "stopping"),
            () = self.shutdown.draining() => tracing::info!("stopping"),
            Some(ended) = self.parts.join_next() => {
                note_end(ended);
                exit = Exit::Failed;
            }
        }
        self.shutdown.drain();
        let wait = if exit == Exit::Stopped { pace.drain } else { Duration::ZERO };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = signals.next() => {}
        }
        self.shutdown.stop();
        let all_ended = async {
            while let Some(ended) = self.parts.join_next().await {
                if let Ok((name, Err(error))) = ended {
                    tracing::error!(part = name, error = %error, "a part failed while it stopped");
                }
            }
        };
        tokio::select! {
            () = all_ended => {}
            () = tokio::time::sleep(pace.deadline) => {
                tracing::warn!(deadline_s = pace.deadline.as_secs(), "the deadline has passed; what still runs is cut off");
            }
            _ = signals.next() => tracing::warn!("a second signal; what still runs is cut off"),
        }
        exit
    }
}

fn note_end(ended: Result<(&'static str, Result<(), PartError>), tokio::task::JoinError>) {
    match ended {
        Ok((name, Ok(()))) => tracing::error!(part = name, "a part ended unexpectedly"),
        Ok((name, Err(error))) => tracing::error!(part = name, error = %error, "a part failed"),
        Err(error) => tracing::error!(error = %error, "a part cannot be waited for"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> Signals {
        Signals::listen().unwrap()
    }

    fn quick() -> Pace {
        Pace { drain: Duration::from_secs(2), deadline: Duration::from_secs(5) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_ends_ends_the_process_with_a_failure() {
        let mut supervisor = Supervisor::default();
        let shutdown = supervisor.shutdown();
        supervisor.part("steady", async move {
            shutdown.stopping().await;
            Ok::<_, PartError>(())
        });
        supervisor.part("weak", async { Err::<(), PartError>("it broke".into()) });
        assert_eq!(supervisor.run(signals(), quick()).await, Exit::Failed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_in_a_part_ends_the_process_with_a_failure() {
        let mut supervisor = Supervisor::default();
        supervisor.part("panics", async {
            if true {
                panic!("on purpose");
            }
            Ok::<_, PartError>(())
        });
        assert_eq!(supervisor.run(signals(), quick()).await, Exit::Failed);
    }

    #[tokio::test(start_paused = true)]
    async fn draining_comes_before_stopping_and_the_deadline_ends_the_stubborn() {
        let mut supervisor = Supervisor::default();
        let shutdown = supervisor.shutdown();
        let seen = shutdown.clone();
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        supervisor.part("watcher", async move {
            seen.draining().await;
            told.send(("draining", seen.is_stopping())).map_err(|_| "nobody listens")?;
            seen.stopping().await;
            told.send(("stopping", true)).map_err(|_| "nobody listens")?;
            Ok::<_, PartError>(())
        });
        supervisor.part("stubborn", std::future::pending::<Result<(), PartError>>());
        shutdown.drain();
        assert_eq!(supervisor.run(signals(), quick()).await, Exit::Stopped);
        assert_eq!(order.recv().await, Some(("draining", false)));
        assert_eq!(order.recv().await, Some(("stopping", true)));
    }
}
