//! Measures the product beside other file servers, in one run, interleaved: a figure counts only beside a peer.
//!
//! Each workload runs some rounds; in each round every contestant gets its turn. What is reported is the median, with the server's CPU time, which is
//! steadier than throughput, and its peak memory. The peers run as they come, without authentication and without syncing what they
//! store; the product with authentication and durable answers.

mod contestants;
#[cfg(feature = "distributed")]
mod distributed;
mod drive;
mod fill;
mod http;
#[cfg(feature = "distributed")]
mod jobs;
mod page;
mod process;
mod report;
mod workloads;

use anyhow::Result;
use clap::{Args, Parser};

use contestants::Contestants;
use report::Report;

/// How much of everything is done, whatever is measured.
#[derive(Args)]
struct Effort {
    /// Rounds of each workload
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Size of the large file in MiB
    #[arg(long, default_value_t = 1024)]
    large_mib: u64,
}

#[derive(Parser)]
#[command(name = "cargo xtask bench", about = "Measures the product beside other file servers")]
struct Arguments {
    /// Workloads: a download, b small downloads, c ranges, d upload, e small uploads, f lists, h thumbnails, i start, j sign-ins, k resumable uploads,
    /// m archives, n pages of lists and searches in stores of many files, o copies and the trash; none: all
    workloads: Vec<char>,
    #[command(flatten)]
    effort: Effort,
    /// Entries of the large folder
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// Files of the largest store of n
    #[arg(long, default_value_t = 1_000_000)]
    files: usize,
    /// The product's program
    #[arg(long)]
    program: std::path::PathBuf,
    /// A Python that has copyparty and Pillow
    #[arg(long)]
    python: std::path::PathBuf,
    /// Folder of the peer of k, with its packages
    #[arg(long)]
    tus: std::path::PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    #[cfg(feature = "distributed")]
    if std::env::args().nth(1).as_deref() == Some(distributed::WORD) {
        return distributed::run(std::env::args().skip(1)).await;
    }
    #[cfg(feature = "distributed")]
    if std::env::args().nth(1).as_deref() == Some(jobs::WORD) {
        return jobs::run(std::env::args().skip(1)).await;
    }
    if std::env::args().nth(1).as_deref() == Some(page::WORD) {
        return page::run(std::env::args().skip(1)).await;
    }
    let arguments = Arguments::parse();
    let sizes = workloads::Sizes {
        rounds: arguments.effort.rounds.max(1),
        large_bytes: arguments.effort.large_mib << 20,
        entries: arguments.entries.max(100),
        files: arguments.files.max(100),
    };
    let contestants = Contestants::start(&arguments.program, &arguments.python, &arguments.tus).await?;
    let mut report = Report::default();
    for workload in workloads::ALL {
        if arguments.workloads.is_empty() || arguments.workloads.contains(&workload.letter()) {
            workload.run(&contestants, &sizes, &mut report).await?;
        }
    }
    report.print();
    Ok(())
}
