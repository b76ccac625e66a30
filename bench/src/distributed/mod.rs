//! Measures the distributed form beside the all-in-one, in one run, interleaved.
//!
//! The services, their gateway and their servers run on this machine, and the client too: throughput is what two or so processors give to all of
//! them together. What a request costs each part is the steadier figure.

mod counting;
pub(crate) mod forms;
mod loads;
mod pictures;
mod proxy;
mod replay;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::Effort;
use crate::report::Report;
use crate::workloads::say;
use forms::{Form, ONE, Replayed, SINGLE, Shared, TWO};

/// The word that chooses this.
pub(crate) const WORD: &str = "distributed";

#[derive(Parser)]
#[command(name = "cargo xtask bench distributed", about = "Measures the services beside the all-in-one")]
struct Arguments {
    /// Workloads: r requests, l large downloads, p pictures, n commands of MongoDB and Redis for each request; none: all
    workloads: Vec<char>,
    #[command(flatten)]
    effort: Effort,
    /// Pictures that are uploaded at once
    #[arg(long, default_value_t = 100)]
    pictures: usize,
    /// Folder of the programs of all forms, built for release
    #[arg(long)]
    programs: PathBuf,
    /// The services' programs of another build, as a third form beside: for a change and what was before it
    #[arg(long)]
    before: Option<PathBuf>,
    /// The process of the MongoDB that FM_TEST_MONGODB_URI names, if it runs here
    #[arg(long)]
    mongodb_pid: Option<u32>,
}

/// What every workload is given.
struct Run {
    arguments: Arguments,
    shared: Shared,
    forms: Vec<Form>,
    /// Where MongoDB takes no time, for reads.
    replayed: Vec<Replayed>,
    report: Report,
}

/// Runs it with the arguments after the word.
pub(crate) async fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let arguments = Arguments::parse_from(words);
    let wants = |letter| arguments.workloads.is_empty() || arguments.workloads.contains(&letter);
    let wanted = ['r', 'l', 'p', 'n'].map(wants);
    say("starting the servers and all forms");
    let shared = Shared::start(arguments.mongodb_pid).await?;
    let programs = &arguments.programs;
    let mut forms = vec![
        Form::single(programs).await?,
        Form::stack(ONE, programs, &shared, 1, Vec::new()).await?,
        Form::stack(TWO, programs, &shared, 2, Vec::new()).await?,
    ];
    let mut replayed = vec![Replayed::start(forms::REPLAYED, programs, &shared).await?];
    if let Some(before) = &arguments.before {
        forms.push(Form::stack(forms::BEFORE, before, &shared, 1, Vec::new()).await?);
        replayed.push(Replayed::start(forms::REPLAYED_BEFORE, before, &shared).await?);
    }
    let mut run = Run { arguments, shared, forms, replayed, report: Report::default() };
    let [requests, large, pictures, counts] = wanted;
    let loads = async {
        if requests {
            loads::requests(&mut run).await?;
        }
        if pictures {
            pictures::run(&mut run).await?;
        }
        if large {
            loads::large(&mut run).await?;
        }
        Ok(())
    };
    // what was measured before a failure took half an hour, too
    let measured: Result<()> = loads.await;
    run.forms.iter().for_each(|form| form.note_memory(&mut run.report));
    run.shared.note_memory(&mut run.report);
    run.report.print_columns(&[
        SINGLE,
        ONE,
        TWO,
        forms::BEFORE,
        forms::REPLAYED,
        forms::REPLAYED_BEFORE,
        loads::NGINX,
        forms::SERVERS,
    ]);
    measured?;
    if counts {
        counting::run(&run).await.context("counting")?;
    }
    Ok(())
}
