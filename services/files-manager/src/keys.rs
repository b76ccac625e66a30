//! The master key of the installation.

use std::fs;
use std::io;
use std::path::Path;

use program::Failure;
use runtime::data_dir::DataDir;
use runtime::lifecycle::Exit;
use runtime::secrets::{MasterKey, random_secret};

use crate::settings::Settings;

const NAME: &str = "master-key";

/// Why a folder has no master key that could be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// What is stored was sealed under one that is not here. Another one would open nothing of it.
    #[error("the master key of this installation is missing")]
    Missing,
    /// It is none.
    #[error("FM_MASTER_KEY (or secrets/master-key in the data folder): {0}")]
    Invalid(String),
    /// Its file cannot be read.
    #[error("secrets/master-key in the data folder: {0}")]
    Io(#[from] io::Error),
}

impl KeyError {
    /// What to do about it.
    pub(crate) const fn advice(&self) -> &'static str {
        match self {
            Self::Missing => {
                "put the key back into secrets/master-key, or set FM_MASTER_KEY. If it is lost for good, write 64 new hexadecimal digits there: \
                 what it sealed (second factors, secrets of webhooks) is then to be made anew"
            }
            Self::Invalid(_) => "it is 64 hexadecimal digits; FM_MASTER_KEY has precedence over the file",
            Self::Io(_) => "let the account that runs the product read it",
        }
    }
}

/// The master key for the data folder at `path`; none where the first start has yet to make it.
///
/// # Errors
/// [`KeyError`].
pub(crate) fn look(settings: &Settings, path: &Path) -> Result<Option<MasterKey>, KeyError> {
    let current = match &settings.master_key {
        Some(key) => key.clone(),
        None => match fs::read_to_string(path.join("secrets").join(NAME)) {
            Ok(key) => key.trim_end().to_owned(),
            // whoever has made a place for contents had a key before
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.join("store-id").exists() => {
                return Err(KeyError::Missing);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    MasterKey::parse(&current, settings.master_key_previous.as_deref())
        .map(Some)
        .map_err(|error| KeyError::Invalid(error.to_string()))
}

/// The master key; a folder that is used for the first time gets one.
///
/// # Errors
/// That it is missing, cannot be read, or is none.
pub(crate) fn master_key(settings: &Settings, data: &DataDir) -> Result<MasterKey, Failure> {
    let refused = |error: KeyError| {
        let exit = if matches!(error, KeyError::Invalid(_)) { Exit::Usage } else { Exit::DataFolder };
        Failure::other(exit, format!("{error}: {}", error.advice()))
    };
    if let Some(key) = look(settings, data.path()).map_err(refused)? {
        return Ok(key);
    }
    let made = data.secret(NAME, random_secret)?;
    MasterKey::parse(&made, settings.master_key_previous.as_deref())
        .map_err(|error| refused(KeyError::Invalid(error.to_string())))
}
