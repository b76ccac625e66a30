//! a: one large file; b: a small file; c: random ranges.

use std::sync::Arc;

use anyhow::Result;

use super::{Sizes, load, noise, note_requests, one_file};
use crate::contestants::Contestants;
use crate::report::Report;

const GIB: f64 = (1_u64 << 30) as f64;

/// The whole large file, by 1 and by 16 connections.
pub(super) async fn large(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let content = noise(usize::try_from(sizes.large_bytes)?);
    let turns = one_file(contestants, "large.bin", &content, |_| Vec::new()).await?;
    drop(content);
    for _ in 0..sizes.rounds {
        for (connections, workload) in [(1, "a1 download, 1 connection"), (16, "a2 download, 16 connections")]
        {
            for turn in &turns {
                let load = load(turn, connections, connections, Arc::default()).await?;
                let client = &load.client;
                report.add(workload, "GiB/s", turn.server.name, client.bytes / GIB / client.seconds);
                report.add(
                    workload,
                    "server CPU s/GiB",
                    turn.server.name,
                    load.cpu_seconds / (client.bytes / GIB),
                );
            }
        }
    }
    Ok(())
}

/// 4 KiB, 64 connections.
pub(super) async fn small(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    let turns = one_file(contestants, "small.bin", &noise(4096), |_| Vec::new()).await?;
    for _ in 0..sizes.rounds {
        for turn in &turns {
            let load = load(turn, 64, 20_000, Arc::default()).await?;
            note_requests(report, "b GET 4 KiB, 64 connections", turn.server.name, &load);
        }
    }
    Ok(())
}

/// 64 KiB at random places of a large file, 16 connections.
pub(super) async fn ranges(contestants: &Contestants, sizes: &Sizes, report: &mut Report) -> Result<()> {
    const RANGE: u64 = 64 * 1024;
    let len = sizes.large_bytes.min(256 << 20);
    let places = len / RANGE;
    let fields = move |n: usize| {
        // a multiplicative walk visits the places in an order that read-ahead cannot guess
        let start = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) % places * RANGE;
        vec![("Range", format!("bytes={start}-{}", start + RANGE - 1))]
    };
    let turns = one_file(contestants, "ranges.bin", &noise(usize::try_from(len)?), fields).await?;
    for _ in 0..sizes.rounds {
        for turn in &turns {
            let load = load(turn, 16, 5_000, Arc::default()).await?;
            note_requests(report, "c 64 KiB ranges, 16 connections", turn.server.name, &load);
        }
    }
    Ok(())
}
