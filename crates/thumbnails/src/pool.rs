//! The pool of child processes, for an async parent.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::child::CHILD_ARGUMENT;
use crate::error::Error;
use crate::limits::Limits;
use crate::protocol::{MAX_REPLY_BYTES, Request, decode_reply};
use crate::render::{Made, Options};

/// What is kept of a child's standard error, to tell why it ended.
const MAX_COMPLAINT_BYTES: u64 = 4 << 10;

/// How a pool works.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// Children at the same time, at least 1. Default: one fewer than the machine has cores, at least 1.
    pub children: usize,
    /// The program to start, whose `main` calls [`run_child_if_asked`](crate::run_child_if_asked). Default
    /// `/proc/self/exe`, the running program, even if its file has been replaced by an update.
    pub program: PathBuf,
    /// Longest time for one picture from the start of its child, after which the child is killed. Default 60 s:
    /// children are polite to other work and may wait for the processor.
    pub timeout: Duration,
    /// Limits on each picture.
    pub limits: Limits,
}

impl Default for PoolConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            children: cores.saturating_sub(1).max(1),
            program: PathBuf::from("/proc/self/exe"),
            timeout: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

/// Makes thumbnails in child processes, a fresh one for each picture. Clones share the pool.
///
/// A child is not used twice: a picture that takes over its decoder can then spoil nobody else's thumbnails, no
/// state has to be kept in step, and starting one costs some 2 ms beside the 100 ms of a photo. Children have
/// resource limits, the lowest priority that still runs, an empty environment, and end with the pool's process.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: PoolConfig,
    slots: Semaphore,
    spawner: mpsc::Sender<Order>,
}

/// A child to be started.
struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Pool {
    /// Starts a pool. No child runs before there is a picture.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn new(config: PoolConfig) -> io::Result<Self> {
        let slots = Semaphore::new(config.children.max(1));
        let (spawner, orders) = mpsc::channel();
        // The kernel kills a child when the *thread* that started it ends, and threads of a runtime come and go.
        // So one thread starts them all and lives as long as the pool.
        std::thread::Builder::new()
            .name("thumbnail-spawner".to_owned())
            .spawn(move || start_children(&orders))?;
        Ok(Self { inner: Arc::new(Inner { config, slots, spawner }) })
    }

    /// Makes the thumbnails of `picture`, which must be a regular file and is read from its start; waits for a
    /// free child first, in order of arrival.
    ///
    /// Dropping the future kills the child. Repeating a call is safe, it has no effect but its result.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_permanent`] tells whether another try can help.
    ///
    /// # Panics
    /// If called outside a tokio runtime with I/O and time.
    pub async fn make(&self, picture: File, options: &Options) -> Result<Made, Error> {
        let inner = &*self.inner;
        let _slot = inner.slots.acquire().await.expect("the semaphore is never closed");
        let mut child = inner.start(picture, options).await.map_err(|error| Error::io(&error))?;
        let result = match tokio::time::timeout(inner.config.timeout, talk(&mut child, &inner.config)).await {
            Ok(result) => result,
            Err(_elapsed) => Err(Error::TimedOut { limit_ms: millis(inner.config.timeout) }),
        };
        // Ended already unless something went wrong; waits, so that the slot is not free before it is gone.
        let _ = child.kill().await;
        if let Err(error @ (Error::TimedOut { .. } | Error::OutOfMemory | Error::ChildDied { .. })) = &result
        {
            tracing::warn!(word = error.word(), %error, "thumbnail child failed");
        }
        result
    }
}

impl Inner {
    async fn start(&self, picture: File, options: &Options) -> io::Result<Child> {
        let request =
            Request { parent: std::process::id(), options: options.clone(), limits: self.config.limits };
        let mut command = Command::new(&self.config.program);
        command
            .arg(CHILD_ARGUMENT)
            .arg(serde_json::to_string(&request)?)
            // Secrets stand in the environment of a service.
            .env_clear()
            // Each arena of the allocator would reserve 64 MiB of the address space that the child may have.
            .env("MALLOC_ARENA_MAX", "1")
            .stdin(picture)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt from a terminal is for the service, which decides what becomes of running work.
            .process_group(0)
            .kill_on_drop(true);
        let (reply, child) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts children is gone");
        let order = Order { command, runtime: Handle::current(), reply };
        self.spawner.send(order).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

/// Starts children until the pool is gone.
fn start_children(orders: &mpsc::Receiver<Order>) {
    while let Ok(Order { mut command, runtime, reply }) = orders.recv() {
        // A runtime that is shutting down panics here; whoever asked is gone with it, others may not be.
        let child = catch_unwind(AssertUnwindSafe(|| {
            let _guard = runtime.enter();
            command.spawn()
        }));
        if let Ok(child) = child {
            // If nobody waits any more, dropping the child kills it.
            let _ = reply.send(child);
        }
    }
}

/// Reads the child's answer and how it ended.
async fn talk(child: &mut Child, config: &PoolConfig) -> Result<Made, Error> {
    let invariant = "both streams are piped and taken once";
    let answers = child.stdout.take().expect(invariant);
    let complaints = child.stderr.take().expect(invariant);
    let read = tokio::join!(
        read_up_to(answers, MAX_REPLY_BYTES as u64 + 1),
        read_up_to(complaints, MAX_COMPLAINT_BYTES)
    );
    let (reply, complaint) = (read.0.map_err(|error| Error::io(&error))?, read.1.unwrap_or_default());
    if reply.len() > MAX_REPLY_BYTES {
        return Err(Error::child_died("it said more than it may"));
    }
    let status = child.wait().await.map_err(|error| Error::io(&error))?;
    match decode_reply(&reply) {
        Some(result) if status.success() => result,
        _ => Err(why_it_ended(status, &complaint, &config.limits)),
    }
}

/// Reads until the end or `limit`, then closes the stream, so that a child that says more is not waited for.
async fn read_up_to(stream: impl AsyncRead + Unpin, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn why_it_ended(status: ExitStatus, complaint: &[u8], limits: &Limits) -> Error {
    // What the standard library writes before it aborts; there is no other sign of it.
    const ALLOCATION_FAILED: &[u8] = b"memory allocation of ";
    if complaint.windows(ALLOCATION_FAILED.len()).any(|part| part == ALLOCATION_FAILED) {
        return Error::OutOfMemory;
    }
    match status.signal() {
        Some(signal) if signal == Signal::XCPU.as_raw() => {
            Error::TimedOut { limit_ms: limits.cpu_seconds.saturating_mul(1000) }
        }
        Some(signal) => Error::child_died(format!("signal {signal}")),
        None => Error::child_died(format!("exit code {} and no answer", status.code().unwrap_or_default())),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_error() {
        let limits = Limits::default();
        let word =
            |status, complaint: &[u8]| why_it_ended(ExitStatus::from_raw(status), complaint, &limits).word();
        assert_eq!(word(6, b"memory allocation of 123 bytes failed\n"), "out_of_memory");
        assert_eq!(word(24, b""), "timed_out");
        assert_eq!(word(9, b""), "child_died");
        assert_eq!(word(0, b"thread overflowed its stack"), "child_died");
    }

    #[test]
    fn there_is_always_a_child() {
        assert!(PoolConfig::default().children >= 1);
    }
}
