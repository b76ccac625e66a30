//! How mails leave: through a mail server, or into a folder.

use std::sync::Arc;

use runtime::data_dir::DataDir;
use secrecy::SecretString;
use worker_service::mail::{FileMailer, MailSender, Sender, SmtpMailer, SmtpSettings};

use crate::failure::Failure;
use crate::settings::{Mail, SmtpTls};

/// The sender of mails that the settings ask for.
///
/// # Errors
/// A setting that is wrong, by name.
pub(crate) fn mailer(settings: &Mail, data: &DataDir) -> Result<Arc<dyn MailSender>, Failure> {
    let sender: Sender =
        settings.from.parse().map_err(|error| Failure::setting(format!("FM_MAIL__FROM: {error}")))?;
    let Some(host) = settings.smtp_host.clone() else {
        return Ok(Arc::new(FileMailer::new(data.path().join("mail"), sender)));
    };
    let login = match (&settings.smtp_user, &settings.smtp_password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user.clone(), SecretString::from(password.clone()))),
        (Some(_), None) => return Err(Failure::setting("FM_MAIL__SMTP_PASSWORD: a user needs a password")),
        (None, Some(_)) => return Err(Failure::setting("FM_MAIL__SMTP_USER: a password needs its user")),
    };
    // submission, submission with TLS from the start, and relay: RFC 6409, RFC 8314, RFC 5321
    let (tls, usual_port) = match settings.smtp_tls {
        SmtpTls::None => (worker_service::mail::SmtpTls::None, 25),
        SmtpTls::StartTls => (worker_service::mail::SmtpTls::StartTls, 587),
        SmtpTls::Tls => (worker_service::mail::SmtpTls::Tls, 465),
    };
    let port = settings.smtp_port.unwrap_or(usual_port);
    let mailer = SmtpMailer::new(SmtpSettings { host, port, tls, login, sender })
        .map_err(|error| Failure::setting(format!("FM_MAIL__SMTP_TLS: {}", common::Causes(&error))))?;
    Ok(Arc::new(mailer))
}
