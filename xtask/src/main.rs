//! Everything that is done to the repository by command: checks, tests, benchmarks, generated files.

mod bench;
mod ci;
mod compose;
mod gateway;
mod install;
mod openapi;
mod previous;
mod rules;
#[cfg(test)]
mod security;
mod servers;
mod shell;
mod stages;
mod suites;
mod test;
mod up;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks, tests and generates")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Format, lints, documentation and dependency rules
    Ci {
        /// Only stages whose name contains this
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// Install what the tests need, run all of them, stop what was started
    Test(test::Options),
    /// Measure the product beside other file servers
    Bench(bench::Options),
    /// Start the distributed form on this machine, until Ctrl-C
    Up(up::Options),
    /// Write the OpenAPI document and the settings' reference anew
    Openapi,
    /// Write the generated parts of the nginx configuration anew
    Gateway(gateway::Options),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Ci { only } => ci::run(only.as_deref()),
        Command::Test(options) => test::run_all(&options),
        Command::Bench(options) => bench::run_bench(&options),
        Command::Up(options) => up::run_up(&options),
        Command::Openapi => openapi::run(),
        Command::Gateway(options) => gateway::run(&options),
    }
}
