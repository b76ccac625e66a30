//! Administrator's commands on a data folder that no process uses.

use std::sync::Arc;

use admin::migrate::{Migrate, MigrateError, migrate};
use admin::report::Report;
use admin::tree::{Import, ImportError, import};
use auth_service::{Accounts, AdminCommand, AdminCommandError, AdminStores, Administration};
use common::auth::{AccountIntake as _, Address};
use file_service::StoredSpaces;
use program::{Failure, ProgressLine, read_password};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::memory::MemoryCredentialCache;
use runtime::socket_path::internal_socket;
use store_sqlite::{AuthDb, FilesDb, OpenOptions};

use crate::check;
use crate::command_line::Admin;
use crate::keys::master_key;
use crate::parts::{self, Parts};
use crate::portable::refuse_of_others;
use crate::settings::Settings;

/// Does what was asked.
///
/// # Errors
/// What the command says, or that the data folder cannot be used: another process uses it, most of all.
pub(crate) async fn run(settings: &Settings, command: Admin) -> Result<Exit, Failure> {
    if !makes_what_is_missing(&command) && !settings.data_dir.join("files.db").exists() {
        let text =
            format!("{} holds no installation; FM_DATA_DIR names the folder", settings.data_dir.display());
        return Err(Failure::other(Exit::DataFolder, text));
    }
    refuse_of_others(&settings.data_dir)?;
    let data = DataDir::open(&settings.data_dir)?;
    match command {
        Admin::Accounts(command) => accounts(settings, &data, command).await,
        Admin::Migrate(asked) => take_over(settings, &data, &asked).await,
        Admin::Import(asked) => bring_in(settings, &data, &asked).await,
        Admin::Check(asked) => check::run(settings, &data, asked).await,
    }
}

/// Whether a command may be the first thing that is done in a folder.
fn makes_what_is_missing(command: &Admin) -> bool {
    matches!(command, Admin::Accounts(AdminCommand::Create { .. }) | Admin::Migrate(_))
}

async fn accounts(settings: &Settings, data: &DataDir, command: AdminCommand) -> Result<Exit, Failure> {
    let store = parts::auth_store(data)?;
    let files = FilesDb::open(data.path().join("files.db"), &OpenOptions::default());
    let files = Arc::new(files.map_err(|error| Failure::store(&error))?);
    let administration = administration(settings, data, &store, &files)?;
    let done = command.run(&administration, read_password, &mut program::say).await;
    store.close();
    files.close();
    program::told(done.map(|()| String::new()), AdminCommandError::is_usage)
}

async fn take_over(settings: &Settings, data: &DataDir, asked: &Migrate) -> Result<Exit, Failure> {
    let parts = assembled(settings, data).await?;
    let line = ProgressLine::default();
    let show = |what: &str, done: u64, all: u64| line.show(|| format!("{what}: {done} of {all}"));
    let accounts = administration(settings, data, parts.stores.auth(), parts.stores.files())?;
    let mut report = Report::new(asked.dry_run);
    let done = migrate(asked, &accounts, &*parts.files, &mut report, &show).await;
    line.end();
    ended(&parts).await;
    program::reported(&report, report.is_complete(), done, MigrateError::is_usage)
}

async fn bring_in(settings: &Settings, data: &DataDir, asked: &Import) -> Result<Exit, Failure> {
    let parts = assembled(settings, data).await?;
    let line = ProgressLine::default();
    let show = |files: u64, bytes: u64| {
        line.show(|| format!("brought in: {files} files, {} MiB", bytes / (1024 * 1024)));
    };
    let accounts = administration(settings, data, parts.stores.auth(), parts.stores.files())?;
    let owner = Address::parse(&asked.user).map_err(|error| Failure::new(Exit::Usage, &error))?;
    let owner = accounts.find_by_address(&owner.key()).await.map_err(|error| Failure::store(&error))?;
    let mut report = Report::new(false);
    let done = match owner {
        Some(owner) => import(asked, owner.id, &*parts.files, &mut report, &show).await,
        None => return Err(Failure::other(Exit::Usage, "no account has this address")),
    };
    line.end();
    ended(&parts).await;
    program::reported(&report, report.is_complete(), done, ImportError::is_usage)
}

/// The services over the data folder. Nothing of them runs: jobs that come of this wait for the product's next start.
async fn assembled(settings: &Settings, data: &DataDir) -> Result<Parts, Failure> {
    let socket = internal_socket(data)?;
    parts::assemble(settings, data, &socket).await
}

/// What was begun ends before the databases are closed.
async fn ended(parts: &Parts) {
    parts.files.finish_background().await;
    parts.stores.close();
}

fn administration(
    settings: &Settings,
    data: &DataDir,
    store: &Arc<AuthDb>,
    files: &Arc<FilesDb>,
) -> Result<Administration, Failure> {
    let (clock, ids) = (parts::clock(), parts::ids());
    Ok(Administration {
        accounts: Accounts::new(
            store.clone(),
            parts::password_hasher(settings)?,
            Arc::clone(&clock),
            Arc::clone(&ids),
        ),
        stores: AdminStores::of(store),
        account_store: store.clone(),
        // no process runs that could remember anything
        cache: Arc::new(MemoryCredentialCache::new(Arc::clone(&clock))),
        spaces: Arc::new(StoredSpaces {
            store: files.clone(),
            ids,
            clock,
            default_quota_bytes: settings.files.settings().default_quota_bytes,
        }),
        master_key: Arc::new(master_key(settings, data)?),
        password_rules: settings.accounts.password_rules(),
        verify: settings.accounts.verify,
    })
}
