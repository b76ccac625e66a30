//! The distributed form on this machine, until Ctrl-C or `SIGTERM`. `cargo xtask up` builds the programs, starts a MongoDB and runs this.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use e2e::stack::{Options, Servers, Stack};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask it to stop. They end nothing by themselves from when this is made.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[expect(clippy::print_stdout, reason = "whoever started it reads this")]
#[tokio::main]
async fn main() -> Result<()> {
    let replicas =
        std::env::args().nth(1).map_or(Ok(1), |text| text.parse()).context("a number of replicas")?;
    ensure!(replicas > 0, "there must be a replica of each service, at least one");
    let mut stop = Stop::listen()?;
    let servers = tokio::select! {
        servers = Servers::start() => servers?,
        () = stop.asked() => return Ok(()),
    };
    let options = Options {
        replicas,
        bcrypt_cost: 12,
        page: std::env::var_os("FM_TEST_PAGE").map(PathBuf::from),
        settings: Vec::new(),
        ..Options::of_tests()?
    };
    // one that has begun to start is stopped when it has started
    let stack = tokio::task::block_in_place(|| Stack::start(&servers, &options))?;
    println!("Set-up code of this fresh installation: {}", stack.setup_code());
    println!("Files Manager is ready at {}; Ctrl-C ends it and removes what it kept", stack.address());
    stop.asked().await;
    Ok(())
}
