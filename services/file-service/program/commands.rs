//! Administrator's commands about files, while the services run.

use std::time::Duration;

use admin::migrate::{Migrate, MigrateError, migrate_files};
use admin::report::Report;
use admin::tree::{Import, ImportError, import};
use clap::{FromArgMatches as _, Subcommand};
use clients::AuthClient;
use common::auth::{Address, People as _};
use common::routes::Service;
use distributed::{Platform, ServiceProgram as _};
use program::{Failure, ProgressLine, reported};
use runtime::lifecycle::{Exit, Supervisor};

use crate::contents;
use crate::settings::Settings;
use crate::wiring::{FileProgram, Wired, wire};

/// How long whoever typed a command waits for the database and the contents.
const PATIENCE: Duration = Duration::from_secs(20);

/// Administrator's commands
#[derive(Debug, Subcommand)]
enum Admin {
    /// Take over files, folders and public files of the original Files Manager, after `auth-service admin migrate`; run twice, it changes nothing
    Migrate(Migrate),
    /// Bring a folder of this machine into somebody's space; what is there with the same bytes, or was changed there since, is passed over
    Import(Import),
}

/// The command line of the commands.
pub(crate) fn admin() -> clap::Command {
    let admin = clap::Command::new("admin")
        .about("Administrator's commands, while the services run")
        .subcommand_required(true)
        .arg_required_else_help(true);
    Admin::augment_subcommands(admin)
}

/// Does what was asked.
///
/// # Errors
/// What the command says, or what it needs and cannot reach.
pub(crate) async fn run(settings: Settings, matches: &clap::ArgMatches) -> Result<Exit, Failure> {
    let asked = matches.subcommand().and_then(|(_, admin)| Admin::from_arg_matches(admin).ok());
    let asked = asked.expect("there is no other command, and what was typed has been checked");
    contents::refuse_root(&settings)?;
    let reached = async {
        let shutdown = Supervisor::default().shutdown();
        let platform =
            Platform::connect(FileProgram::SERVICE, FileProgram::common(&settings), shutdown).await?;
        let wired = wire(&settings, &platform).await?;
        Ok::<_, Failure>((platform, wired))
    };
    let reached = tokio::time::timeout(PATIENCE, Box::pin(reached)).await;
    let (platform, Wired { service, .. }) = reached.unwrap_or_else(|_| {
        let what = "the database, or the place of contents, does not answer";
        Err(Failure::other(Exit::Unavailable, what))
    })?;
    let people = AuthClient::new(platform.client(Service::Auth)?);
    let line = ProgressLine::default();
    let done = match asked {
        Admin::Migrate(asked) => {
            let show = |what: &str, done: u64, all: u64| line.show(|| format!("{what}: {done} of {all}"));
            let mut report = Report::new(asked.dry_run);
            let done = migrate_files(&asked, &people, &**service, &mut report, &show).await;
            line.end();
            reported(&report, report.is_complete(), done, MigrateError::is_usage)
        }
        Admin::Import(asked) => {
            let show = |files: u64, bytes: u64| {
                line.show(|| format!("brought in: {files} files, {} MiB", bytes / (1024 * 1024)));
            };
            let address = Address::parse(&asked.user).map_err(|error| Failure::new(Exit::Usage, &error))?;
            let person = people.find_person(&address).await.map_err(|error| Failure::store(&error))?;
            let person = person
                .ok_or_else(|| Failure::other(Exit::Usage, "no account that is open has this address"))?;
            let mut report = Report::new(false);
            let done = import(&asked, person.id, &**service, &mut report, &show).await;
            line.end();
            reported(&report, report.is_complete(), done, ImportError::is_usage)
        }
    };
    service.finish_background().await;
    done
}
