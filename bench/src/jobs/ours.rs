//! What a program does with jobs over HTTP: makes them, works them, and waits for them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::drive::drive;
use crate::http::{Answer, Connection};
use crate::workloads::Api;

/// How long a claim waits for a job at low load.
const WAIT_MS: u64 = 30_000;

/// Long enough for a hundred results over a slow stand-in for a database.
const LEASE_MS: u64 = 600_000;

/// How often it is asked whether jobs of a built-in type have ended.
const LOOK: Duration = Duration::from_millis(20);

/// The jobs of a server, as an administrator reaches them.
pub(super) struct Jobs {
    pub(super) api: Api,
}

/// How the jobs of a load are made and worked.
#[derive(Clone, Copy)]
pub(super) struct Workers {
    /// Connections, each with claims and results of its own.
    pub(super) count: usize,
    /// Jobs of one claim.
    pub(super) each: usize,
    /// Results go one by one, and not together.
    pub(super) singly: bool,
}

impl Jobs {
    pub(super) fn new(address: SocketAddr, token: String) -> Self {
        Self { api: Api { address, token } }
    }

    /// Makes jobs by single calls; seconds.
    pub(super) async fn add(&self, kind: &str, count: usize, width: usize) -> Result<f64> {
        self.send(&json!({"type": kind, "data": {}}), count, width).await
    }

    /// Makes jobs by arrays; seconds.
    pub(super) async fn add_arrays(
        &self,
        kind: &str,
        count: usize,
        width: usize,
        size: usize,
    ) -> Result<f64> {
        let array: Vec<_> = (0..size).map(|_| json!({"type": kind, "data": {}})).collect();
        self.send(&Value::from(array), count / size, width).await
    }

    /// Sends the same body again and again; seconds.
    pub(super) async fn send(&self, body: &Value, count: usize, width: usize) -> Result<f64> {
        let body = body.to_string().into_bytes();
        let head = self.api.head("POST", "/api/v1/jobs", Some(body.len() as u64));
        let head = Arc::new(move |_| head.clone());
        Ok(drive(self.api.address, &(head as _), width, count, &Arc::new(body)).await?.seconds)
    }

    /// Works what is ready until nothing is; seconds. There must be `count` jobs.
    pub(super) async fn work(&self, kind: &str, count: usize, workers: Workers) -> Result<f64> {
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..workers.count {
            let caller = Caller::connect(&self.api).await?;
            tasks.spawn(work_until_none(caller, kind.to_owned(), format!("bench-{number}"), workers));
        }
        let mut done = 0;
        while let Some(ended) = tasks.join_next().await {
            done += ended??;
        }
        ensure!(done == count, "{done} of {count} jobs of {kind}");
        Ok(began.elapsed().as_secs_f64())
    }

    /// Milliseconds from the call that makes a job until a worker that waits has it, at an even pace.
    pub(super) async fn pick_up(&self, kind: &str, count: usize, per_second: f64) -> Result<Vec<f64>> {
        let called = Mutex::new(vec![None; count]);
        let add = async {
            let mut caller = Caller::connect(&self.api).await?;
            let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
            for n in 0..count {
                ticks.tick().await;
                called.lock().unwrap_or_else(PoisonError::into_inner)[n] = Some(Instant::now());
                caller.post("/api/v1/jobs", &json!({"type": kind, "data": {"n": n}})).await?;
            }
            anyhow::Ok(())
        };
        let work = async {
            let mut caller = Caller::connect(&self.api).await?;
            let mut millis = Vec::new();
            let claim = json!({"types": [kind], "workerId": "bench", "waitMs": WAIT_MS});
            while millis.len() < count {
                let claimed = caller.post("/api/v1/jobs/claim", &claim).await?;
                let Some(item) = claimed["items"].get(0) else { continue };
                let n = item["job"]["data"]["n"].as_u64().context("a job of another")?;
                let called = called.lock().unwrap_or_else(PoisonError::into_inner)[usize::try_from(n)?];
                millis.push(called.context("made before its call")?.elapsed().as_secs_f64() * 1000.0);
                caller.complete(item).await?;
            }
            anyhow::Ok(millis)
        };
        Ok(tokio::try_join!(add, work)?.1)
    }

    /// Waits until so many jobs of a type that the product works itself are complete.
    pub(super) async fn all_complete(&self, kind: &str, count: u64) -> Result<()> {
        let mut caller = Caller::connect(&self.api).await?;
        loop {
            let stats = caller.get(&format!("/api/v1/jobs/stats?type={kind}")).await?;
            if stats["counts"]["complete"].as_u64() >= Some(count) {
                return Ok(());
            }
            ensure!(stats["counts"]["failed"] == 0, "{stats}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A connection with a credential.
struct Caller {
    connection: Connection,
    api: Api,
}

impl Caller {
    async fn connect(api: &Api) -> Result<Self> {
        let connection = Connection::open(api.address).await?;
        Ok(Self { connection, api: Api { address: api.address, token: api.token.clone() } })
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let head = self.api.head("POST", path, Some(body.len() as u64));
        let answer = self.connection.send(&head, body.as_bytes(), true).await?;
        self.read(path, answer).await
    }

    async fn get(&mut self, path: &str) -> Result<Value> {
        let answer = self.connection.send(&self.api.head("GET", path, None), b"", true).await?;
        self.read(path, answer).await
    }

    async fn read(&mut self, path: &str, answer: Answer) -> Result<Value> {
        let text = String::from_utf8_lossy(&answer.body);
        ensure!((200..300).contains(&answer.status), "{path}: {} {text}", answer.status);
        // a gateway does after a thousand requests
        if answer.closes {
            self.connection = Connection::open(self.api.address).await?;
        }
        if answer.body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer.body)?) }
    }

    async fn complete(&mut self, item: &Value) -> Result<()> {
        let id = item["job"]["id"].as_str().context("a job without an id")?;
        let path = format!("/api/v1/jobs/{id}/complete");
        self.post(&path, &json!({"lease": item["lease"]})).await.map(drop)
    }
}

/// How many jobs it worked.
async fn work_until_none(
    mut caller: Caller,
    kind: String,
    worker: String,
    workers: Workers,
) -> Result<usize> {
    let claim = json!({"types": [kind], "workerId": worker, "max": workers.each, "leaseMs": LEASE_MS});
    let (mut done, mut claimed) = (0, Value::Null);
    loop {
        if claimed.is_null() {
            claimed = caller.post("/api/v1/jobs/claim", &claim).await?;
        }
        let items = claimed["items"].as_array().context("claimed jobs")?;
        if items.is_empty() {
            return Ok(done);
        }
        done += items.len();
        if workers.singly {
            for item in items {
                caller.complete(item).await?;
            }
            claimed = Value::Null;
        } else {
            // the next ones come with the answer, as they do for workers of BullMQ
            let result = |item: &Value| json!({"id": item["job"]["id"], "lease": item["lease"]});
            let results: Vec<_> = items.iter().map(result).collect();
            let body = json!({"results": results, "claim": claim});
            let mut taken = caller.post("/api/v1/jobs/results", &body).await?;
            claimed = taken["claimed"].take();
            let taken = taken["items"].as_array().context("results")?;
            let other = taken.iter().find(|item| item["outcome"] != "complete");
            ensure!(other.is_none(), "{other:?}");
        }
    }
}
