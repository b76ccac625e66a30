//! Gives a store a past: over HTTP, as programs would, so that it holds everything that belongs to such jobs.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::ours::{Jobs, Workers};
use crate::process;
use crate::workloads::say;

/// Jobs of one request.
const ARRAY: usize = 1000;
const TYPES: usize = 5;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// What is kept in the background is so for this long between two looks, at most.
const LOOK: Duration = Duration::from_secs(7);

/// Makes finished and delayed jobs, to the next thousand, and waits until the server has nothing more to do with them.
pub(super) async fn fill(jobs: &Jobs, pid: u32, finished: usize, delayed: usize) -> Result<()> {
    let began = Instant::now();
    let array = |kind: &str, delay: Option<u64>| {
        let one = |n: usize| {
            let mut job = json!({"type": kind, "data": {"path": format!("photos/2026/{n}.jpg"), "n": n}});
            if let Some(delay) = delay {
                job["delayMs"] = json!(delay);
            }
            job
        };
        Value::from((0..ARRAY).map(one).collect::<Vec<_>>())
    };
    for delayed_type in 0..TYPES {
        let arrays = delayed.div_ceil(ARRAY * TYPES);
        jobs.send(&array(&format!("later-{delayed_type}"), Some(DAY_MS)), arrays, 4).await?;
    }
    let workers = Workers { count: 4, each: 100, singly: false };
    for kind in 0..TYPES {
        let kind = format!("past-{kind}");
        let arrays = finished.div_ceil(ARRAY * TYPES);
        jobs.send(&array(&kind, None), arrays, 4).await?;
        jobs.work(&kind, arrays * ARRAY, workers).await?;
        say(&format!(
            "{kind}: {} jobs are finished, after {:.0} s",
            arrays * ARRAY,
            began.elapsed().as_secs_f64()
        ));
    }
    loop {
        let before = process::cpu_seconds(pid);
        tokio::time::sleep(LOOK).await;
        if process::cpu_seconds(pid) - before < 0.1 {
            break;
        }
    }
    say(&format!("the store is filled, after {:.0} s", began.elapsed().as_secs_f64()));
    Ok(())
}
