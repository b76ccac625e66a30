//! j: sign-ins, which bcrypt bounds, and what they do to others.

use std::sync::Arc;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Sizes, Turn, load, noise, one_file};
use crate::contestants::{Contestants, OURS};
use crate::http::head;
use crate::report::{Report, percentile};

pub(super) async fn run(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const WORKLOAD: &str = "j sign-ins (bcrypt cost 12), 8 connections";
    let basic = format!("Basic {}", STANDARD.encode("bench@example.org:password"));
    let sign_in = move |_| head("GET", "/connect", &[("Authorization", &basic)], None);
    let sign_ins = Turn { server: &contestants.ours, head: Arc::new(sign_in) };
    let turns = one_file(contestants, "beside.bin", &noise(4096), |_| Vec::new()).await?;
    let Some(reads) = turns.last() else { return Ok(()) };
    for _ in 0..sizes.rounds {
        let alone = load(reads, 8, 4_000, Arc::default()).await?;
        let (logins, beside) =
            tokio::try_join!(load(&sign_ins, 8, 40, Arc::default()), load(reads, 8, 4_000, Arc::default()))?;
        report.add(WORKLOAD, "sign-ins/s", OURS, logins.client.requests / logins.client.seconds);
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
