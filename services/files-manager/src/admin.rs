//! Administrator's commands on a data folder that no process uses.

use std::sync::Arc;

use auth_service::{Accounts, AdminCommand, AdminCommandError, AdminStores, Administration};
use file_service::StoredSpaces;
use program::{Failure, read_password};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::memory::MemoryCredentialCache;
use store_sqlite::{FilesDb, OpenOptions};

use crate::parts;
use crate::settings::Settings;

/// Does what was asked.
///
/// # Errors
/// What the command says, or that the data folder cannot be used.
pub(crate) async fn run(settings: &Settings, command: AdminCommand) -> Result<Exit, Failure> {
    let data = DataDir::open(&settings.data_dir)?;
    let store = parts::auth_store(&data)?;
    let files = FilesDb::open(data.path().join("files.db"), &OpenOptions::default());
    let files = Arc::new(files.map_err(|error| Failure::store(&error))?);
    let (clock, ids) = (parts::clock(), parts::ids());
    let administration = Administration {
        accounts: Accounts::new(
            store.clone(),
            parts::password_hasher(settings)?,
            Arc::clone(&clock),
            Arc::clone(&ids),
        ),
        stores: AdminStores::of(&store),
        account_store: store.clone(),
        // no process runs that could remember anything
        cache: Arc::new(MemoryCredentialCache::new(Arc::clone(&clock))),
        spaces: Arc::new(StoredSpaces {
            store: files.clone(),
            ids,
            clock,
            default_quota_bytes: settings.files.settings().default_quota_bytes,
        }),
    };
    let done = command.run(&administration, read_password).await;
    store.close();
    files.close();
    program::told(done, AdminCommandError::is_usage)
}
