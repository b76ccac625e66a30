//! Every end-to-end case on the distributed form, through its gateway.

#![expect(clippy::unwrap_used, reason = "what cannot be started fails the test")]

use e2e::stack::{Options, Servers, Stack};
use tokio::sync::OnceCell;

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// A fresh installation on the servers of this run.
async fn fresh() -> Stack {
    let servers = SERVERS.get_or_init(|| async { Servers::start().await.unwrap() }).await;
    let options = Options::of_tests().unwrap();
    tokio::task::block_in_place(|| Stack::start(servers, &options)).unwrap()
}

e2e::all_cases!(crate::fresh);
