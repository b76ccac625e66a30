use std::borrow::Cow;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use common::auth::Address;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::{Mailbox, MultiPart};

use super::{Cause, MailError};

/// A mail, before it becomes a message.
#[derive(Debug, Clone)]
pub struct Mail {
    /// What sends it; names the message.
    pub cause: Cause,
    /// To whom.
    pub to: Address,
    /// Its subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML, everything foreign escaped.
    pub html: String,
}

/// Whom mails come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender(Mailbox);

/// A text that is no mailbox such as `Files Manager <files@example.org>`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a sender such as `Files Manager <files@example.org>`")]
pub struct InvalidSender(String);

impl FromStr for Sender {
    type Err = InvalidSender;

    fn from_str(text: &str) -> Result<Self, InvalidSender> {
        text.parse().map(Self).map_err(|_| InvalidSender(text.to_owned()))
    }
}

impl Default for Sender {
    /// For the development mailer, whose mails go nowhere.
    fn default() -> Self {
        "Files Manager <files-manager@localhost>".parse().expect("this is a mailbox")
    }
}

impl Mail {
    /// The message, with a text part, an HTML part, and a `Message-ID` that is the same each time.
    ///
    /// # Errors
    /// `Refused` if the address cannot stand in a message.
    pub fn to_message(&self, sender: &Sender) -> Result<Message, MailError> {
        let to: lettre::Address = quoted(self.to.as_str()).parse().map_err(MailError::refused)?;
        // from the head lettre would read a quoted local part without its quotes
        let envelope = Envelope::new(Some(sender.0.email.clone()), vec![to.clone()]);
        let millis = u64::try_from(self.cause.at.millis()).unwrap_or(0);
        Message::builder()
            .envelope(envelope.map_err(MailError::refused)?)
            .from(sender.0.clone())
            .to(Mailbox::new(None, to))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<{}@{}>", self.cause.job, sender.0.email.domain())))
            // tells auto-responders to keep quiet (RFC 3834, 5)
            .raw_header(lettre::message::header::HeaderValue::new(
                lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .subject(self.subject.clone())
            .multipart(MultiPart::alternative_plain_html(self.text.clone(), self.html.clone()))
            .map_err(MailError::refused)
    }
}

/// The address as it may stand in a message: dots at an end of the local part, or two in a row, only in quotes (RFC 5322, 3.4.1). To whoever has the mailbox it
/// is the same address.
fn quoted(address: &str) -> Cow<'_, str> {
    match address.rsplit_once('@') {
        Some((local, domain))
            if !local.starts_with('"')
                && (local.starts_with('.') || local.ends_with('.') || local.contains("..")) =>
        {
            Cow::Owned(format!("\"{local}\"@{domain}"))
        }
        _ => Cow::Borrowed(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::JobId;

    #[test]
    fn a_mail_goes_to_every_address_that_is_a_mailbox() {
        for text in include_str!("../../../../crates/common/src/auth/mailboxes.txt").lines() {
            let mail = Mail {
                to: Address::parse(text).unwrap(),
                subject: "Hello".to_owned(),
                text: "Hello".to_owned(),
                html: "Hello".to_owned(),
                cause: Cause { job: JobId::from_bytes([1; 12]), at: common::Timestamp::from_millis(0) },
            };
            let message =
                mail.to_message(&Sender::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(message.envelope().to().len(), 1, "{text}");
        }
        assert_eq!(quoted("a..b@c"), "\"a..b\"@c");
        assert_eq!(quoted("a.b@c"), "a.b@c");
    }
}
