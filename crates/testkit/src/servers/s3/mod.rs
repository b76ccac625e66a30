//! An S3 server in this process: `s3s-fs`, with what it lacks of S3 added.

mod store;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use store::Store;

/// Longest time that a port may stay taken after its server was stopped.
const PORT_DEADLINE: Duration = Duration::from_secs(30);

/// What a server does, and what tests make it do.
#[derive(Debug)]
pub(super) struct Controls {
    /// Bucket and key of each unfinished upload, by its id.
    uploads: Mutex<BTreeMap<String, (String, String)>>,
    /// Tags of parts, by upload and number.
    part_tags: Mutex<BTreeMap<(String, i32), s3s::dto::ETag>>,
    /// Held while an object comes to be if it must not be there: `s3s-fs` looks first and writes then.
    creating: AsyncMutex<()>,
    received: AtomicU64,
    sent: AtomicU64,
    taking: watch::Sender<bool>,
    overwrites: AtomicBool,
    hides_uploads: AtomicBool,
    refusals: Mutex<Vec<(u16, String)>>,
    lost_answers: AtomicU64,
}

/// A private S3 server that keeps its objects over a restart. It runs on the runtime of the test.
pub struct S3Server {
    folder: TempDir,
    port: u16,
    controls: Arc<Controls>,
    running: JoinSet<()>,
}

impl S3Server {
    /// Name of the key that the server knows.
    pub const ACCESS_KEY: &'static str = "test-access-key";
    /// The key itself.
    pub const SECRET_KEY: &'static str = "test-secret-key";

    /// Starts one without a bucket.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("fm-test-s3-").tempdir()?;
        let controls = Controls {
            uploads: Mutex::default(),
            part_tags: Mutex::default(),
            creating: AsyncMutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            taking: watch::Sender::new(true),
            overwrites: AtomicBool::new(false),
            hides_uploads: AtomicBool::new(false),
            refusals: Mutex::default(),
            lost_answers: AtomicU64::new(0),
        };
        let mut server = Self { folder, port: 0, controls: Arc::new(controls), running: JoinSet::new() };
        for _ in 0..100 {
            // below the range of which systems give ports to outgoing connections: there, a client that goes on trying to reach a stopped
            // server may be given the server's own port, and talk to itself
            let port = rand::random_range(15_000..32_000);
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                server.port = port;
                server.serve(listener)?;
                return Ok(server);
            }
        }
        bail!("no port is free")
    }

    fn serve(&mut self, listener: TcpListener) -> Result<()> {
        let store = Store::new(self.folder.path(), Arc::clone(&self.controls))?;
        let mut builder = S3ServiceBuilder::new(store);
        builder.set_auth(SimpleAuth::from_single(Self::ACCESS_KEY, Self::SECRET_KEY));
        let service = builder.build();
        self.running.spawn(async move {
            // dropped with this task, and all connections with it
            let mut connections = JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                while connections.try_join_next().is_some() {}
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
                // a client may break off at any time
                connections.spawn(async move { drop(connection.await) });
            }
        });
        Ok(())
    }

    /// Ends it as a power cut would: connections break, the port is closed. Safe to repeat.
    pub async fn stop(&mut self) {
        self.running.shutdown().await;
    }

    /// Starts it again, on the same port and data.
    ///
    /// # Errors
    /// If somebody has taken the port meanwhile.
    pub async fn start_again(&mut self) -> Result<()> {
        self.stop().await;
        let deadline = Instant::now() + PORT_DEADLINE;
        loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await {
                Ok(listener) => return self.serve(listener),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| format!("port {} is taken", self.port));
                }
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients find it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        std::fs::create_dir(self.folder.path().join(name)).unwrap();
    }

    /// The folder whose files are the objects of a bucket.
    pub fn objects(&self, bucket: &str) -> PathBuf {
        self.folder.path().join(bucket)
    }

    /// Files of unfinished uploads: one for each, and one for each of its parts.
    pub fn unfinished(&self) -> Vec<PathBuf> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| file_name(path).starts_with(".upload")).collect()
    }

    /// Makes all unfinished uploads older, with their parts.
    pub fn age_unfinished(&self, by: Duration) {
        for path in self.unfinished() {
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            let at = file.metadata().unwrap().modified().unwrap();
            file.set_modified(at.checked_sub(by).unwrap_or(SystemTime::UNIX_EPOCH)).unwrap();
        }
    }

    /// Bytes of objects and parts that it has taken in since it was made.
    pub fn received_bytes(&self) -> u64 {
        self.controls.received.load(Ordering::Relaxed)
    }

    /// Bytes of objects that it has given to the network since it was made.
    pub fn sent_bytes(&self) -> u64 {
        self.controls.sent.load(Ordering::Relaxed)
    }

    /// Whether bodies are taken in. While not, writers wait in the middle of theirs.
    pub fn take_bodies(&self, taking: bool) {
        self.controls.taking.send_replace(taking);
    }

    /// Whether conditions of writes are ignored, as by servers that do not know them.
    pub fn overwrite(&self, overwrites: bool) {
        self.controls.overwrites.store(overwrites, Ordering::Relaxed);
    }

    /// Whether unfinished uploads cannot be listed.
    pub fn hide_uploads(&self, hides: bool) {
        self.controls.hides_uploads.store(hides, Ordering::Relaxed);
    }

    /// Answers the next requests with a failure instead of doing them.
    pub fn refuse(&self, times: usize, status: u16, code: &str) {
        let refusals = &mut *self.controls.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.extend(std::iter::repeat_n((status, code.to_owned()), times));
    }

    /// Does the next writes of objects, and says that they failed.
    pub fn lose_answers(&self, times: u64) {
        self.controls.lost_answers.store(times, Ordering::Relaxed);
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}
