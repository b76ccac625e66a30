use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::{Delivery, Mail, MailError, MailSender, Sender};

/// How long the server may take for one step of the conversation.
const STEP_DEADLINE: Duration = Duration::from_secs(10);
/// How long a whole delivery may take, connecting included.
const DEADLINE: Duration = Duration::from_secs(30);
/// Connections at most: mails come from jobs, few at a time, and small servers count their clients.
const MAX_CONNECTIONS: u32 = 4;

/// How the conversation with the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: for a relay on the same machine.
    None,
    /// Begins in clear and must change to TLS before anything is said (port 587).
    StartTls,
    /// TLS from the first byte (port 465).
    Tls,
}

/// Which mail server, and how to speak to it.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Its name, as in its certificate.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Protection.
    pub tls: SmtpTls,
    /// User and password, if it wants them.
    pub login: Option<(String, SecretString)>,
    /// Whom mails come from.
    pub sender: Sender,
}

/// Sends mails through a mail server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Sender,
}

impl SmtpMailer {
    /// Does not connect yet.
    ///
    /// # Errors
    /// If the system's trusted certificates cannot be used.
    pub fn new(settings: SmtpSettings) -> Result<Self, MailError> {
        let parameters = || TlsParameters::new(settings.host.clone()).map_err(MailError::unavailable);
        let tls = match settings.tls {
            SmtpTls::None => Tls::None,
            SmtpTls::StartTls => Tls::Required(parameters()?),
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(STEP_DEADLINE))
            .pool_config(PoolConfig::new().max_size(MAX_CONNECTIONS));
        if let Some((user, password)) = &settings.login {
            builder =
                builder.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), sender: settings.sender })
    }
}

#[async_trait]
impl MailSender for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<Delivery, MailError> {
        let message = mail.to_message(&self.sender)?;
        match timeout(DEADLINE, self.transport.send(message)).await {
            Err(elapsed) => Err(MailError::unavailable(elapsed)),
            Ok(Ok(_)) => Ok(Delivery::Sent),
            Ok(Err(error)) if concerns_the_mailbox(&error) => Err(MailError::refused(error)),
            Ok(Err(error)) => Err(MailError::unavailable(error)),
        }
    }

    fn is_development(&self) -> bool {
        false
    }
}

/// Whether the server said that this mailbox will never take it (RFC 5321, 4.2.3). Every other permanent answer, such as a refused login,
/// is our own settings' fault: once they are mended, trying again helps.
fn concerns_the_mailbox(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 550 | 551 | 553 | 556))
}
