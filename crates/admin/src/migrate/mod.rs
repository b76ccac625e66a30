//! Takes over what the original “Files Manager” (Express, MongoDB) keeps: a `mongodump` of its database, and its folder of contents.
//!
//! Ids stay, so whatever is there already is known by its id: run twice, it changes nothing, and interrupted, it goes on.

mod bson;
mod contents;
mod dump;
mod files;
mod old;
mod plan;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use common::auth::internal::MAX_PEOPLE;
use common::auth::{AccountIntake, Address, CreateUserError, FormerAccount, FormerPassword, People};
use common::files::Intake;
use common::{PortError, UserId};
use futures_util::{StreamExt as _, stream};

use crate::report::Report;
use crate::source::blocking;

use bson::Document;
use contents::Contents;
use dump::Dump;
use files::FileIntake;
use old::{OldFile, OldUser, made_at};

pub use dump::DumpError;

/// Passwords that are hashed at a time: enough for the cores of most machines, few enough for any queue.
const AT_ONCE: usize = 8;

/// What to take over, and from where.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Migrate {
    /// The folder that `mongodump` wrote, with or without --gzip
    #[arg(long, value_name = "FOLDER")]
    pub dump: PathBuf,
    /// The folder in which the original kept contents (its FOLDER_PATH)
    #[arg(long, value_name = "FOLDER")]
    pub blobs: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// What of it to take over where accounts and files are in the hands of two programs: the accounts.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct MigrateAccounts {
    /// The folder that `mongodump` wrote, with or without --gzip
    #[arg(long, value_name = "FOLDER")]
    pub dump: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

/// Why it ended before its end. What was taken stays; run again, it goes on.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The dump cannot be read. Nothing was changed.
    #[error("the dump cannot be read")]
    Dump(#[from] DumpError),
    /// The folder of contents cannot be read. Nothing was changed.
    #[error("the folder of contents {path} cannot be read")]
    Contents {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A store failed.
    #[error("it was interrupted; run it again, and it goes on")]
    Port(#[from] PortError),
}

impl MigrateError {
    /// Whether something else has to be typed.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Port(_))
    }
}

/// What it has done so far, for whoever waits: a word, how many, of how many.
pub type Progress<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// Takes everything over that can be. The report is true whenever it ends.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(
    asked: &Migrate,
    accounts: &dyn AccountIntake,
    files: &dyn Intake,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<(), MigrateError> {
    let contents = contents_of(asked).await?;
    let Collections { users, files: nodes, unread_users, unread_files } = read(&asked.dump).await?;
    unread_users.into_iter().chain(unread_files).for_each(|sentence| report.left(sentence));
    let owners = take_accounts(users, accounts, asked.dry_run, report, progress).await?;
    FileIntake::new(files, contents, asked.dry_run).take_all(nodes, &owners, report, progress).await
}

/// Takes the accounts over, as [`migrate`] does.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate_accounts(
    asked: &MigrateAccounts,
    accounts: &dyn AccountIntake,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<(), MigrateError> {
    let Collections { users, unread_users, .. } = read(&asked.dump).await?;
    unread_users.into_iter().for_each(|sentence| report.left(sentence));
    take_accounts(users, accounts, asked.dry_run, report, progress).await?;
    Ok(())
}

/// Takes files and folders over, as [`migrate`] does, of the accounts that are there by now.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate_files(
    asked: &Migrate,
    people: &dyn People,
    files: &dyn Intake,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<(), MigrateError> {
    let contents = contents_of(asked).await?;
    let Collections { files: nodes, unread_files, .. } = read(&asked.dump).await?;
    unread_files.into_iter().for_each(|sentence| report.left(sentence));
    let named: HashSet<UserId> = nodes.iter().map(|file| file.owner).collect();
    let named: Vec<UserId> = named.into_iter().collect();
    let mut owners = HashSet::new();
    for some in named.chunks(MAX_PEOPLE) {
        owners.extend(people.find_people(some).await?.into_iter().map(|person| person.id));
    }
    FileIntake::new(files, contents, asked.dry_run).take_all(nodes, &owners, report, progress).await
}

async fn contents_of(asked: &Migrate) -> Result<Contents, MigrateError> {
    let blobs = asked.blobs.clone();
    let contents = blocking(move || Contents::of(&blobs)).await;
    contents.map_err(|source| MigrateError::Contents { path: asked.blobs.clone(), source })
}

/// What a dump holds, and a sentence for each document that cannot be understood.
#[derive(Debug, Default)]
struct Collections {
    users: Vec<OldUser>,
    files: Vec<OldFile>,
    unread_users: Vec<String>,
    unread_files: Vec<String>,
}

/// Both collections, users by the age of their accounts.
async fn read(folder: &Path) -> Result<Collections, MigrateError> {
    fn documents<T>(
        path: Option<&PathBuf>,
        what: &str,
        read: impl Fn(&Document) -> Result<T, &'static str>,
    ) -> Result<(Vec<T>, Vec<String>), DumpError> {
        let (mut good, mut unread) = (Vec::new(), Vec::new());
        if let Some(path) = path {
            dump::read(path, |number, document| {
                let mut refuse =
                    |reason: String| unread.push(format!("{what} number {number} of the dump: {reason}"));
                match document.map(|document| read(&document)) {
                    Ok(Ok(value)) => good.push(value),
                    Ok(Err(reason)) => refuse(reason.to_owned()),
                    Err(error) => refuse(error.to_string()),
                }
            })?;
        }
        Ok((good, unread))
    }
    let folder = folder.to_owned();
    let read = blocking(move || {
        Ok(Dump::find(&folder).and_then(|dump| {
            let (mut users, unread_users) = documents(dump.users.as_ref(), "user", OldUser::read)?;
            let (files, unread_files) = documents(dump.files.as_ref(), "file", OldFile::read)?;
            users.sort_by_key(|user| user.id);
            Ok(Collections { users, files, unread_users, unread_files })
        }))
    });
    let read = read.await.map_err(|error| PortError::broken("dump", error))?;
    Ok(read?)
}

/// Takes the accounts; those that are there then.
async fn take_accounts(
    users: Vec<OldUser>,
    accounts: &dyn AccountIntake,
    dry: bool,
    report: &mut Report,
    progress: Progress<'_>,
) -> Result<HashSet<UserId>, MigrateError> {
    let (mut owners, mut seen, mut fresh) = (HashSet::new(), HashMap::<String, UserId>::new(), Vec::new());
    let mut ids = HashSet::new();
    for OldUser { id, email, password } in users {
        if !ids.insert(id) {
            report.left(format!("account {id} “{email}”: its id was in the dump before"));
            continue;
        }
        let address = match Address::parse(&email) {
            Ok(address) => address,
            Err(error) => {
                report.left(format!("account {id} “{email}”: {error}"));
                continue;
            }
        };
        let key = address.key();
        // the oldest account has the address, as if they had signed up here one after another
        if let Some(first) = seen.get(key.as_str()) {
            report.left(format!(
                "account {id} “{email}”: account {first} has the same address, whatever the case"
            ));
            continue;
        }
        if accounts.find_by_id(id).await?.is_some() {
            report.count("accounts that were there");
            owners.insert(id);
            seen.insert(key.as_str().to_owned(), id);
            continue;
        }
        if let Some(other) = accounts.find_by_address(&key).await? {
            report.left(format!("account {id} “{email}”: account {} has the address here", other.id));
            continue;
        }
        if password == FormerPassword::Unusable {
            report.changed(format!(
                "account {id} “{email}”: its password is no SHA-1, so its owner has to ask for a new one"
            ));
        }
        seen.insert(key.as_str().to_owned(), id);
        fresh.push(FormerAccount { id, address, password, created_at: made_at(id.bytes()) });
    }
    let all = fresh.len() as u64;
    let taken = stream::iter(fresh)
        .map(|account| async move {
            let outcome = if dry { Ok(()) } else { accounts.take(&account).await };
            (account, outcome)
        })
        .buffered(AT_ONCE);
    let mut taken = std::pin::pin!(taken);
    let mut done = 0;
    while let Some((account, outcome)) = taken.next().await {
        done += 1;
        progress("accounts", done, all);
        match outcome {
            Ok(()) => {
                report.count("accounts taken over");
                owners.insert(account.id);
            }
            Err(CreateUserError::Port(error)) => return Err(error.into()),
            Err(error) => {
                report.left(format!("account {} “{}”: {error}", account.id, account.address.as_str()))
            }
        }
    }
    Ok(owners)
}
