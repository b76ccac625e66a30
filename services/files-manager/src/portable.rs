//! One portable folder of all that the data folder holds, and back.

use std::path::Path;
use std::sync::Arc;

use admin::doctor::{State, ownership};
use admin::portable::{self, Import, Imported, PortableError, Stores};
use common::portable::PortableFiles as _;
use program::{Failure, say};
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::secrets::MasterKey;
use store_sqlite::{AuthDb, FilesDb, JobsDb, OpenOptions};

use crate::keys::master_key;
use crate::parts;
use crate::settings::Settings;

/// Said instead of starting on a part of an installation.
pub(crate) const UNFINISHED: &str =
    "an import into this installation was cut: repeat it, or begin with empty stores";

struct Opened {
    auth: Arc<AuthDb>,
    files: Arc<FilesDb>,
    jobs: Arc<JobsDb>,
    stores: Stores,
    key: MasterKey,
}

impl Opened {
    async fn of(settings: &Settings, data: &DataDir) -> Result<Self, Failure> {
        let options = OpenOptions::default();
        let open = |name: &str| data.path().join(name);
        let key = master_key(settings, data)?;
        let auth = parts::auth_store(data)?;
        let files = FilesDb::open(open("files.db"), &options).map_err(|error| Failure::store(&error))?;
        let jobs = JobsDb::open(open("jobs.db"), &options).map_err(|error| Failure::store(&error))?;
        let (files, jobs) = (Arc::new(files), Arc::new(jobs));
        let blobs = Arc::new(parts::blobs(settings, data, &files).await?);
        let stores = Stores::new(&auth, &files, &jobs, blobs);
        Ok(Self { auth, files, jobs, stores, key })
    }

    fn close(&self) {
        self.auth.close();
        self.files.close();
        self.jobs.close();
    }
}

/// Writes the folder.
///
/// # Errors
/// That the product runs, or a sentence; also, after all that could be written was written, if contents were lost.
pub(crate) async fn export(settings: &Settings, target: &Path) -> Result<Exit, Failure> {
    if !settings.data_dir.join("auth.db").exists() {
        return Err(Failure::setting(format!(
            "{} is no data folder of the product: FM_DATA_DIR names it",
            settings.data_dir.display()
        )));
    }
    refuse_of_others(&settings.data_dir)?;
    let data = DataDir::open(&settings.data_dir)?;
    let whole = std::path::absolute(target);
    if whole.is_ok_and(|target| target.starts_with(data.path())) {
        return Err(Failure::setting("the folder must not lie in the data folder"));
    }
    let opened = Opened::of(settings, &data).await?;
    let version = env!("CARGO_PKG_VERSION");
    let exported =
        Box::pin(portable::export(&opened.stores, &opened.key, target, version, parts::clock().now())).await;
    opened.close();
    let exported = exported.map_err(|error| failure(&error))?;
    say(&format!(
        "{exported}. The master key (secrets/master-key, or FM_MASTER_KEY) is not among them: the other installation needs it\n"
    ));
    if exported.lost.is_empty() {
        return Ok(Exit::Stopped);
    }
    let text = format!("{} contents were damaged or missing: manifest.json names them", exported.lost.len());
    Err(Failure::other(Exit::Failed, text))
}

/// Reads a folder.
///
/// # Errors
/// That the product runs, that the data folder holds something, or that the folder is damaged.
pub(crate) async fn import(settings: &Settings, folder: &Path) -> Result<Exit, Failure> {
    refuse_of_others(&settings.data_dir)?;
    let (data, was_begun) = DataDir::open_to_fill(&settings.data_dir)?;
    if settings.master_key.is_none() && !data.path().join("secrets").join("master-key").exists() {
        return Err(Failure::setting(
            "the folder's secrets need the master key of the installation that it is of: put that into secrets/master-key of the data \
             folder, or set FM_MASTER_KEY",
        ));
    }
    let opened = Opened::of(settings, &data).await?;
    let imported = Box::pin(bring_in(&opened, &data, was_begun, folder)).await;
    opened.close();
    let imported = imported?;
    say(&imported.to_string());
    Ok(Exit::Stopped)
}

/// The data folder is unfinished meanwhile, so that no command takes it for a whole one. What tells the import of one folder from another is in its database.
async fn bring_in(
    opened: &Opened,
    data: &DataDir,
    was_begun: bool,
    folder: &Path,
) -> Result<Imported, Failure> {
    let mark = opened.files.import_mark().await.map_err(|error| Failure::store(&error))?;
    if was_begun && mark.is_none() {
        let text = "the data folder is unfinished, and what was to fill it was no import: move it away, or set FM_DATA_DIR to another one";
        return Err(Failure::other(Exit::DataFolder, text));
    }
    let import = Import::begin(&opened.stores, &opened.key, folder).await;
    let import = import.map_err(|error| failure(&error))?;
    data.begin_filling("an import")?;
    let imported = import.run().await.map_err(|error| failure(&error))?;
    data.end_filling()?;
    import.end().await.map_err(|error| failure(&error))?;
    Ok(imported)
}

/// What another account makes in the data folder is closed to the product, its lock before all. A folder that is not there yet will be this account's.
pub(crate) fn refuse_of_others(data: &Path) -> Result<(), Failure> {
    let owned = ownership(data);
    if owned.state == State::Wrong && data.exists() {
        let text = format!("{}: {}", owned.text, owned.advice.unwrap_or_default());
        return Err(Failure::other(Exit::DataFolder, text));
    }
    Ok(())
}

fn failure(error: &PortableError) -> Failure {
    let exit = match error {
        PortableError::Refused(_) => Exit::Usage,
        PortableError::Store(_) => Exit::Unavailable,
        PortableError::Io { .. } | PortableError::Damaged(_) => Exit::Failed,
    };
    Failure::new(exit, error)
}
