use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use common::JobId;

use super::{Delivery, Mail, MailError, MailSender, Sender};

/// Writes each mail into a folder as `<job id>.eml`, for whoever develops or tries the product without a mail server.
pub struct FileMailer {
    folder: PathBuf,
    sender: Sender,
}

impl FileMailer {
    /// Mails go into `folder`, which is made when the first one does.
    pub fn new(folder: impl Into<PathBuf>, sender: Sender) -> Self {
        Self { folder: folder.into(), sender }
    }
}

#[async_trait]
impl MailSender for FileMailer {
    /// Writes the file whole or not at all; one that is there already stays as it is.
    async fn send(&self, mail: &Mail) -> Result<Delivery, MailError> {
        let bytes = mail.to_message(&self.sender)?.formatted();
        let (folder, job) = (self.folder.clone(), mail.cause.job);
        let written = tokio::task::spawn_blocking(move || write_once(&folder, job, &bytes)).await;
        let path = written.map_err(MailError::unavailable)?.map_err(MailError::unavailable)?;
        tracing::info!(job = %job, path = %path.display(), "wrote a mail to a file instead of sending it");
        Ok(Delivery::Written(path))
    }

    fn is_development(&self) -> bool {
        true
    }
}

fn write_once(folder: &Path, job: JobId, bytes: &[u8]) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("{job}.eml"));
    // mode 0600 by tempfile: a mail may hold what is only for its reader
    let mut file = tempfile::Builder::new().prefix(".mail-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(path),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
        Err(refused) => Err(refused.error),
    }
}
