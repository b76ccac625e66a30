//! What can be said on the command line.

use std::path::PathBuf;

use admin::check::Check;
use admin::doctor::Doctor;
use admin::migrate::Migrate;
use admin::tree::Import;
use auth_service::AdminCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A private drive: files, folders, thumbnails, jobs; page and API in one program.
#[derive(Debug, Parser)]
#[command(name = "files-manager", version, about, after_help = after_help())]
pub(crate) struct CommandLine {
    /// Settings file in TOML form (or name it in FM_CONFIG)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the page and the API (what is done without a command)
    Serve,
    /// Administrator's commands, while the product is not running
    #[command(subcommand)]
    Admin(Admin),
    /// Look whether this installation can work, and say what to do where it cannot; whether the product runs or not
    Doctor(Doctor),
    /// Take a backup of the data folder, also while the product runs; run again into the same folder, it copies what is new
    Backup(BackupCommand),
    /// Fill an empty data folder from a backup, while the product is not running
    Restore {
        /// The folder that `backup` was given
        folder: PathBuf,
        /// Leave out contents that the backup has lost, and name them, instead of restoring nothing
        #[arg(long)]
        skip_damaged: bool,
    },
    /// Write all that the installation holds into a new folder, which either form of the product can import; while the product is not running
    Export {
        /// The folder; there must be nothing of this name
        folder: PathBuf,
    },
    /// Bring an exported folder into an installation without accounts and files, while the product is not running
    Import {
        /// The folder that `export` has written, of this form of the product or the other
        folder: PathBuf,
    },
    /// Print what is generated from the code
    Docs {
        /// What to print
        what: Docs,
    },
}

/// What is said to `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupCommand {
    /// Where the backup is kept: a new folder, or one with an earlier backup
    pub(crate) folder: PathBuf,
    /// Give contents a second name instead of copying them: at once, but only on the same disk
    #[arg(long)]
    pub(crate) hard_links: bool,
    /// Read again what is in the backup already, and copy anew what is not what it was
    #[arg(long)]
    pub(crate) verify: bool,
    /// Leave out the master key and the internal secret, which are then kept elsewhere
    #[arg(long)]
    pub(crate) without_secrets: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Admin {
    #[command(flatten)]
    Accounts(AdminCommand),
    /// Take over accounts, files, folders and public files of the original Files Manager; run twice, it changes nothing
    Migrate(Migrate),
    /// Bring a folder of this machine into somebody's space; what is there with the same bytes, or was changed there since, is passed over
    Import(Import),
    /// Look whether what is stored hangs together: contents, counters, folders
    Check(Check),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Docs {
    /// The OpenAPI document
    Openapi,
    /// The reference of settings
    Settings,
}

fn after_help() -> String {
    let settings = runtime::settings::help::<crate::settings::Settings>(&crate::settings::docs());
    format!(
        "{settings}\nExit codes: 0 stopped as asked, 1 a part failed or something could not be taken, 64 command line or settings, 69 a dependency cannot be used, 73 data folder."
    )
}
