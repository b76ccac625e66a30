//! j: sign-ins beside what bcrypt alone could do, what they do to others, how long those take that are refused, and what it costs to check a credential.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Sizes, Turn, checks, load, noise, one_file, sign_in_times};
use crate::contestants::{Contestants, OURS};
use crate::http::head;
use crate::report::{Report, percentile};

/// What sets the limit of sign-ins.
const BCRYPT: &str = "bcrypt alone";

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    sign_ins(contestants, sizes, report).await?;
    sign_in_times::run(contestants, sizes, report).await?;
    checks::run(contestants, sizes, report).await
}

async fn sign_ins(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "j sign-ins (bcrypt cost 12), 8 connections";
    let basic = format!("Basic {}", STANDARD.encode("bench@example.org:password"));
    let sign_in = move |_| head("GET", "/connect", &[("Authorization", &basic)], None);
    let sign_ins = Turn { server: &contestants.ours, head: Arc::new(sign_in) };
    let turns = one_file(contestants, "beside.bin", &noise(4096), |_| Vec::new()).await?;
    let Some(reads) = turns.last() else { return Ok(()) };
    for _ in 0..sizes.rounds {
        report.add(WORKLOAD, "sign-ins/s", BCRYPT, limit().await?);
        let logins = load(&sign_ins, 8, 40, Arc::default()).await?;
        report.add(WORKLOAD, "sign-ins/s", OURS, logins.client.requests / logins.client.seconds);
        let alone = load(reads, 8, 4_000, Arc::default()).await?;
        let (logins, beside) =
            tokio::try_join!(load(&sign_ins, 8, 40, Arc::default()), load(reads, 8, 4_000, Arc::default()))?;
        report.add(
            WORKLOAD,
            "sign-ins/s (with 100 reads each)",
            OURS,
            logins.client.requests / logins.client.seconds,
        );
        report.add(
            WORKLOAD,
            "CPU s/sign-in (with 100 reads each)",
            OURS,
            logins.cpu_seconds / logins.client.requests,
        );
        report.add(WORKLOAD, "p99 ms of reads alone", OURS, percentile(&alone.client.millis, 0.99));
        report.add(WORKLOAD, "p99 ms of reads beside", OURS, percentile(&beside.client.millis, 0.99));
    }
    Ok(())
}

/// Passwords that the library compares in a second on all cores, at the cost that the product has.
async fn limit() -> Result<f64> {
    const EACH: usize = 10;
    let threads = available_parallelism().map_or(1, usize::from);
    let hash = tokio::task::spawn_blocking(|| hashed("password")).await??;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let hash = hash.clone();
            tokio::task::spawn_blocking(move || (0..EACH).try_for_each(|_| compared("password", &hash)))
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    let many = (threads * EACH) as f64;
    Ok(many / begun.elapsed().as_secs_f64())
}

#[expect(clippy::disallowed_methods, reason = "the library itself is measured")]
fn hashed(password: &str) -> Result<String> {
    Ok(bcrypt::hash(password, 12)?)
}

#[expect(clippy::disallowed_methods, reason = "the library itself is measured")]
fn compared(password: &str, hash: &str) -> Result<()> {
    anyhow::ensure!(bcrypt::verify(password, hash)?, "a password fits its hash");
    Ok(())
}
