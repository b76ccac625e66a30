//! Tickets: addresses that let whoever has them read one content for a short time, without a credential.
//!
//! worker-service hands them to programs that work jobs, file-service honours them. A ticket is bound to its file, to one content of it if its maker knew
//! which, to the person in whose name it is read if there is one, and to its end; it is signed under a key that both derive from the master key.

use std::fmt;
use std::time::Duration;

use common::{BlobKey, FileId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::cursor::{self, CursorKey};

/// How long a ticket is good: long enough to fetch a large file, and to try again.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// For which use their key is derived from the master key: the same wherever tickets are made and honoured.
pub const TICKET_LABEL: &str = "content-ticket";

/// Name of the parameter that carries a ticket.
pub const PARAMETER: &str = "ticket";

/// What a ticket allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The file whose content may be read.
    pub file: FileId,
    /// Only while this is its content.
    pub blob: Option<BlobKey>,
    /// Only what this person may read. None: whatever file it is.
    pub user: Option<UserId>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// A ticket that says nothing good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTicket {
    /// Altered, of another installation, or for another file.
    #[error("the ticket is not good for this file")]
    Forged,
    /// Its time is over.
    #[error("the ticket has expired")]
    Expired,
}

/// What is signed beside the file.
#[derive(Serialize, Deserialize)]
struct Claims(i64, Option<BlobKey>, Option<UserId>);

/// The key that signs tickets; derived from the master key, with a label of its own.
#[derive(Clone)]
pub struct TicketKey(CursorKey);

impl TicketKey {
    /// The key made of these random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(CursorKey::new(bytes))
    }

    /// The value of the parameter.
    pub fn sign(&self, ticket: &Ticket) -> String {
        let claims = Claims(ticket.expires_at.millis(), ticket.blob, ticket.user);
        cursor::sign(&self.0, &subject(ticket.file), &claims)
    }

    /// The path of a content with its ticket.
    pub fn content_path(&self, ticket: &Ticket) -> String {
        format!("/api/v1/files/{}/content?{PARAMETER}={}", ticket.file, self.sign(ticket))
    }

    /// Reads the ticket that was presented for a file.
    ///
    /// # Errors
    /// [`BadTicket`].
    pub fn verify(&self, file: FileId, text: &str, now: Timestamp) -> Result<Ticket, BadTicket> {
        let Claims(expires, blob, user) =
            cursor::verify(&self.0, &subject(file), text).map_err(|_| BadTicket::Forged)?;
        let expires_at = Timestamp::from_millis(expires);
        if now < expires_at { Ok(Ticket { file, blob, user, expires_at }) } else { Err(BadTicket::Expired) }
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey(…)")
    }
}

fn subject(file: FileId) -> String {
    format!("content/{file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_its_file_until_its_end() {
        let (key, at) = (TicketKey::new(&[1; 32]), Timestamp::from_millis);
        let ticket = Ticket {
            file: FileId::from_bytes([1; 12]),
            blob: Some(BlobKey::from_bytes([2; 16])),
            user: Some(UserId::from_bytes([3; 12])),
            expires_at: at(1000),
        };
        let text = key.sign(&ticket);
        assert_eq!(key.verify(ticket.file, &text, at(999)), Ok(ticket));
        assert_eq!(key.verify(ticket.file, &text, at(1000)), Err(BadTicket::Expired));
        let other = FileId::from_bytes([4; 12]);
        assert_eq!(key.verify(other, &text, at(0)), Err(BadTicket::Forged));
        assert_eq!(TicketKey::new(&[2; 32]).verify(ticket.file, &text, at(0)), Err(BadTicket::Forged));
        assert_eq!(key.verify(ticket.file, "", at(0)), Err(BadTicket::Forged));
        let open = Ticket { blob: None, user: None, ..ticket };
        assert_eq!(key.verify(open.file, &key.sign(&open), at(0)), Ok(open));
        assert_eq!(
            key.content_path(&open),
            format!("/api/v1/files/{}/content?ticket={}", open.file, key.sign(&open))
        );
    }
}
