//! The distributed form on this machine, until Ctrl-C. `cargo xtask up` builds the programs, starts a MongoDB and runs this.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use e2e::stack::{Options, Servers, Stack};

#[expect(clippy::print_stdout, reason = "whoever started it reads this")]
#[tokio::main]
async fn main() -> Result<()> {
    let replicas =
        std::env::args().nth(1).map_or(Ok(1), |text| text.parse()).context("a number of replicas")?;
    let servers = Servers::start().await?;
    let options = Options {
        replicas,
        bcrypt_cost: 12,
        page: std::env::var_os("FM_TEST_PAGE").map(PathBuf::from),
        settings: Vec::new(),
        ..Options::of_tests()?
    };
    let stack = tokio::task::block_in_place(|| Stack::start(&servers, &options))?;
    println!("Set-up code of this fresh installation: {}", stack.setup_code());
    println!("Files Manager is ready at {}; Ctrl-C ends it and removes what it kept", stack.address());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
