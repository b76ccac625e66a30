//! Lines of the audit log, as they are shown.

use common::auth::{AuditCredential, AuditEntry};
use common::{Timestamp, UserId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditLine {
    /// 24 hexadecimal digits.
    id: String,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Which account did it; null for somebody unknown, and for the administrator's command.
    #[schema(value_type = Option<String>)]
    actor: Option<UserId>,
    /// By which session.
    session_id: Option<String>,
    /// By which API token.
    token_id: Option<String>,
    /// What was done, such as `user.changed`.
    action: &'static str,
    /// To what: an id.
    target: Option<String>,
    /// The client's network address.
    address: Option<String>,
    /// More about it.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl From<AuditEntry> for AuditLine {
    fn from(entry: AuditEntry) -> Self {
        let (session_id, token_id) = match entry.credential {
            Some(AuditCredential::Session(session)) => (Some(session.to_string()), None),
            Some(AuditCredential::Token(token)) => (None, Some(token.to_string())),
            None => (None, None),
        };
        Self {
            id: entry.id.to_string(),
            at: entry.at,
            actor: entry.actor,
            session_id,
            token_id,
            action: entry.action.word(),
            target: entry.target,
            address: entry.address,
            details: entry.details,
        }
    }
}

impl AuditLine {
    /// As a line of a file of such lines.
    pub(crate) fn in_json(&self) -> String {
        let mut text = serde_json::to_string(self).expect("a line of the log is plain data");
        text.push('\n');
        text
    }
}
