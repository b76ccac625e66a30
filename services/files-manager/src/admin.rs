//! Administrator's commands on a data folder that no process uses.

use auth_service::{Accounts, AdminCommand, AdminCommandError};
use program::{Failure, read_password};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;

use crate::parts;
use crate::settings::Settings;

/// Does what was asked.
///
/// # Errors
/// What the command says, or that the data folder cannot be used.
pub(crate) async fn run(settings: &Settings, command: AdminCommand) -> Result<Exit, Failure> {
    let data = DataDir::open(&settings.data_dir)?;
    let store = parts::auth_store(&data)?;
    let accounts =
        Accounts::new(store.clone(), parts::password_hasher(settings)?, parts::clock(), parts::ids());
    let done = command.run(&accounts, read_password).await;
    store.close();
    program::told(done, AdminCommandError::is_usage)
}
