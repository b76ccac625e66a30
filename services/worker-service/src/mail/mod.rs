//! Sending mail: the port, its two adapters (a mail server, or a folder of `.eml` files), and the texts.

mod file;
mod invitation;
mod message;
mod smtp;
mod welcome;

use async_trait::async_trait;
use common::{JobId, Timestamp};

pub use file::FileMailer;
pub use invitation::invitation;
pub use message::{InvalidSender, Mail, Sender};
pub use smtp::{SmtpMailer, SmtpSettings, SmtpTls};
pub use welcome::welcome;

/// Delivers mails.
#[async_trait]
pub trait MailSender: Send + Sync {
    /// Hands one mail over for delivery. May run again with the same [`Mail::cause`] after a crash: the message then has the same `Message-ID`, so that
    /// a mailbox can tell, and an adapter that can remember does nothing.
    ///
    /// # Errors
    /// [`MailError`], by whether trying again could help.
    async fn send(&self, mail: &Mail) -> Result<Delivery, MailError>;

    /// Whether mails stay on this machine, for its developer to read. Only then may addresses stand in a job's log.
    fn is_development(&self) -> bool;
}

/// Where a mail went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A mail server took it.
    Sent,
    /// It stands in this file.
    Written(std::path::PathBuf),
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address is none that a message can have, or the server refused it for good.
    #[error("the address cannot get mail")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Trying later may help.
    #[error("mail cannot be sent now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl MailError {
    fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Refused(source.into())
    }

    fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// What every mail of a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The job that sends it.
    pub job: JobId,
    /// When that job was made: a second attempt sends the same message.
    pub at: Timestamp,
}
