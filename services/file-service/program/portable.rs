//! One portable folder of all that an installation holds, and back. This service's program does it, since it knows where contents are; the stores of the other
//! services are in the same database.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::portable::{self, Import, PortableError, Stores};
use clap::{Arg, ArgMatches, Command, value_parser};
use common::Clock as _;
use common::routes::Service;
use distributed::{open_database, open_master_key};
use file_service::claim_blobs;
use program::{Failure, say};
use runtime::SystemClock;
use runtime::lifecycle::Exit;
use runtime::secrets::MasterKey;
use store_mongo::{AuthDb, FilesDb, JobsDb};

use crate::contents;
use crate::settings::Settings;

/// What can be typed.
pub(crate) fn commands() -> [Command; 2] {
    let folder = |help| Arg::new("folder").required(true).value_parser(value_parser!(PathBuf)).help(help);
    [
        Command::new("export")
            .about("Write all that the installation holds into a new folder, which either form of the product can import; while no service runs")
            .arg(folder("The folder; there must be nothing of this name")),
        Command::new("import")
            .about("Bring an exported folder into an installation without accounts and files, while no service runs")
            .arg(folder("The folder that an export has written, of this form of the product or the other")),
    ]
}

/// Does what was typed.
///
/// # Errors
/// A setting, a store that does not answer, or a sentence.
pub(crate) async fn run(settings: &Settings, matches: &ArgMatches) -> Result<Exit, Failure> {
    let (name, given) = matches.subcommand().expect("what was typed has been checked");
    let folder: &PathBuf = given.get_one("folder").expect("what was typed has been checked");
    if name == "import" {
        contents::refuse_root(settings)?;
    }
    let key = open_master_key(&settings.common)?;
    let mongo = open_database(Service::Files, &settings.common).await?;
    let blobs = contents::open(settings)?.blobs;
    let auth = Arc::new(AuthDb::new(&mongo));
    let files = Arc::new(FilesDb::new(&mongo));
    let jobs = Arc::new(JobsDb::new(&mongo));
    auth.migrate().await.map_err(|error| Failure::store(&error))?;
    files.migrate().await.map_err(|error| Failure::store(&error))?;
    jobs.migrate().await.map_err(|error| Failure::store(&error))?;
    claim_blobs(&*files, &*blobs).await.map_err(|error| Failure::store(&error))?;
    let stores = Stores::new(&auth, &files, &jobs, blobs);
    match name {
        "export" => export(&stores, &key, folder).await,
        _ => import(&stores, &key, folder).await,
    }
}

async fn export(stores: &Stores, key: &MasterKey, target: &Path) -> Result<Exit, Failure> {
    let written = portable::export(stores, key, target, env!("CARGO_PKG_VERSION"), SystemClock.now());
    let exported = Box::pin(written).await.map_err(|error| failure(&error))?;
    say(&format!(
        "{exported}. The master key (FM_MASTER_KEY) is not among them: the other installation needs it\n"
    ));
    if exported.lost.is_empty() {
        return Ok(Exit::Stopped);
    }
    let text = format!("{} contents were damaged or missing: manifest.json names them", exported.lost.len());
    Err(Failure::other(Exit::Failed, text))
}

async fn import(stores: &Stores, key: &MasterKey, folder: &Path) -> Result<Exit, Failure> {
    let bring_in = async {
        let import = Import::begin(stores, key, folder).await?;
        let imported = import.run().await?;
        import.end().await?;
        Ok(imported)
    };
    let imported = Box::pin(bring_in).await.map_err(|error| failure(&error))?;
    say(&imported.to_string());
    Ok(Exit::Stopped)
}

fn failure(error: &PortableError) -> Failure {
    let exit = match error {
        PortableError::Refused(_) => Exit::Usage,
        PortableError::Store(_) => Exit::Unavailable,
        PortableError::Io { .. } | PortableError::Damaged(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
