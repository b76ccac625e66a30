//! A product, and programs that work for it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use e2e::product::id;
use e2e::wait::until;
use e2e::{Account, Product};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Running;

/// Where the workers are.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/worker")
}

/// A worker whose handler tells that it has begun, and ends when it is told to.
const SLOW: &str = r#"
import os, sys, time
from files_worker import GiveBack, Worker
here, lease, grace = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
worker = Worker.from_environment(lease=lease, name=f"slow-{lease}", grace=grace)
@worker.handles("slow")
def slow(job):
    open(os.path.join(here, f"begun-{job.attempt}"), "w").close()
    while not os.path.exists(os.path.join(here, "go")):
        if job.stopping:
            open(os.path.join(here, "stopping"), "w").close()
            if os.path.exists(os.path.join(here, "give-back")):
                raise GiveBack
        time.sleep(0.01)
    job.progress(90)
    return {"attempt": job.attempt}
worker.run()
"#;

/// A product with its administrator, a folder for programs, and the programs.
pub(crate) struct Scene {
    pub(crate) product: Product,
    pub(crate) admin: Account,
    folder: TempDir,
}

/// A program that ends with this value.
pub(crate) struct Program {
    child: Child,
    pub(crate) said: PathBuf,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended well; what it said.
    pub(crate) async fn ended(mut self) -> Result<String> {
        let status = until("a program to end", || {
            let status = self.child.try_wait();
            async { Ok(status?) }
        })
        .await?;
        let said = fs::read_to_string(&self.said)?;
        ensure!(status.success(), "{status}\n{said}");
        Ok(said)
    }
}

impl Scene {
    pub(crate) async fn of(running: &Running) -> Self {
        let product = running.product();
        let admin = product.set_up().await.unwrap();
        Self { product, admin, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a program that signs in as the administrator.
    pub(crate) fn start(&self, program: &str, arguments: &[&str], more: &[(&str, &str)]) -> Program {
        let number = fs::read_dir(self.folder.path()).unwrap().count();
        let said = self.path(&format!("said-{number}"));
        let output = File::create(&said).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", folder())
            .env("FILES_MANAGER_URL", &self.product.address)
            .env("FILES_MANAGER_EMAIL", &self.admin.email)
            .env("FILES_MANAGER_PASSWORD", &self.admin.password)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Program { child, said }
    }

    /// Starts [`SLOW`], which waits for its job when it is told to stop.
    pub(crate) fn start_slow(&self, lease: &str) -> Program {
        self.start_slow_with(lease, "600")
    }

    /// Starts [`SLOW`]; its job has so many seconds when it is told to stop.
    pub(crate) fn start_slow_with(&self, lease: &str, grace: &str) -> Program {
        let here = self.folder.path().to_str().unwrap();
        self.start("python3", &["-W", "error", "-c", SLOW, here, lease, grace], &[])
    }

    pub(crate) async fn make(&self, job: Value) -> Result<String> {
        id(&self.product.post(&self.admin, "/api/v1/jobs", &job).await?.expect(201)?.json()?)
    }

    pub(crate) async fn job(&self, job: &str) -> Result<Value> {
        self.product.get(&self.admin, &format!("/api/v1/jobs/{job}")).await?.expect(200)?.json()
    }

    pub(crate) async fn until_state(&self, job: &str, state: &str) -> Result<Value> {
        let mut last = Value::Null;
        let ended = until(state, || async {
            let job = self.job(job).await?;
            Ok((job["state"] == state).then_some(job))
        })
        .await;
        if ended.is_err() {
            last = self.job(job).await?;
        }
        ended.with_context(|| last.to_string())
    }

    pub(crate) async fn until_there(&self, name: &str) -> Result<()> {
        until(name, || async { Ok(self.path(name).exists().then_some(())) }).await
    }

    pub(crate) fn go(&self) {
        self.says("go");
    }

    /// Leaves a sign for handlers.
    pub(crate) fn says(&self, name: &str) {
        File::create(self.path(name)).unwrap();
    }
}
