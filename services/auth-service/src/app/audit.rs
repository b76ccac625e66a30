//! Lines of the audit log.

use std::time::Duration;

use common::auth::{
    AuditAction, AuditCredential, AuditEntry, Principal, RateDecision, RateLimiter, RateRule, User,
};
use common::{AuditId, Clock, IdGen, SessionId, UserId};
use http_kit::customer_key;
use serde_json::{Map, Value, json};

use super::Client;
use crate::AuthService;

/// Failed sign-ins of one address that are written: the first of a volley, then one a minute.
const FAILURES: RateRule = RateRule { name: "audit_failures", burst: 10, refill: Duration::from_secs(60) };

/// Who does something that the log tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Author {
    /// The account; none for somebody unknown, and for the administrator's command.
    pub(crate) user: Option<UserId>,
    /// What speaks for it.
    pub(crate) credential: Option<AuditCredential>,
    /// The network address.
    pub(crate) address: Option<String>,
}

impl Author {
    /// Somebody with a credential.
    pub(crate) fn of(caller: &Principal, client: &Client) -> Self {
        Self { user: Some(caller.user), credential: Some(caller.credential), ..Self::unknown(client) }
    }

    /// Somebody without one.
    pub(crate) fn unknown(client: &Client) -> Self {
        Self { address: client.ip.map(|ip| ip.to_string()), ..Self::default() }
    }

    /// Somebody who just signed in.
    pub(crate) fn signed_in(user: UserId, session: SessionId, client: &Client) -> Self {
        let credential = Some(AuditCredential::Session(session));
        Self { user: Some(user), credential, ..Self::unknown(client) }
    }
}

/// A line of the log. `details` is a JSON object, or nothing.
pub(crate) fn entry(
    ids: &dyn IdGen,
    clock: &dyn Clock,
    by: &Author,
    action: AuditAction,
    target: Option<String>,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        id: AuditId(ids.object_id()),
        at: clock.now(),
        actor: by.user,
        credential: by.credential,
        action,
        target,
        address: by.address.clone(),
        details: match details {
            Value::Object(details) => details,
            _ => Map::new(),
        },
    }
}

impl AuthService {
    /// A line of the log. `details` is a JSON object, or nothing.
    pub(crate) fn audit_entry(
        &self,
        by: &Author,
        action: AuditAction,
        target: Option<String>,
        details: Value,
    ) -> AuditEntry {
        entry(&*self.accounts.ids, &*self.accounts.clock, by, action, target, details)
    }

    /// Writes a line about a sign-in, a sign-out or a change of one's own, which stand whether or not it can be written.
    async fn tell(&self, entry: AuditEntry) {
        if let Err(error) = self.admin.audit.write_audit(std::slice::from_ref(&entry)).await {
            metrics::counter!("fm_auth_audit_lost_total").increment(1);
            tracing::warn!(%error, action = entry.action.word(), "line of the audit log not written");
        }
    }

    /// Somebody signed in.
    pub(crate) async fn tell_signed_in(&self, user: UserId, session: SessionId, kind: &str, client: &Client) {
        let by = Author::signed_in(user, session, client);
        let target = Some(session.to_string());
        self.tell(self.audit_entry(&by, AuditAction::SignedIn, target, json!({ "kind": kind }))).await;
    }

    /// Somebody signed out.
    pub(crate) async fn tell_signed_out(&self, by: &Author, session: SessionId) {
        let target = Some(session.to_string());
        self.tell(self.audit_entry(by, AuditAction::SignedOut, target, Value::Null)).await;
    }

    /// A refresh token came a second time, whoever sent it, and its session was ended.
    pub(crate) async fn tell_reused(&self, user: UserId, session: SessionId) {
        let by = Author { user: Some(user), ..Author::default() };
        let target = Some(session.to_string());
        self.tell(self.audit_entry(&by, AuditAction::RefreshReused, target, Value::Null)).await;
    }

    /// Somebody changed what their own account is signed in to with.
    pub(crate) async fn tell_own(&self, by: &Author, action: AuditAction, user: UserId) {
        self.tell(self.audit_entry(by, action, Some(user.to_string()), Value::Null)).await;
    }

    /// Somebody set a password of their own.
    pub(crate) async fn tell_password(
        &self,
        by: &Author,
        user: UserId,
        tokens_ended: bool,
        identities_ended: u64,
    ) {
        let details = json!({ "tokensEnded": tokens_ended, "identitiesEnded": identities_ended });
        self.tell(self.audit_entry(by, AuditAction::OwnPassword, Some(user.to_string()), details)).await;
    }

    /// Somebody has ended a sign-in of theirs from another one, or all others.
    pub(crate) async fn tell_ended(&self, by: &Author, session: Option<SessionId>) {
        let target = session.map(|session| session.to_string());
        self.tell(self.audit_entry(by, AuditAction::SignedOut, target, Value::Null)).await;
    }

    /// A sign-in failed. So many are written of one address; the log must not grow as fast as somebody can guess.
    pub(crate) async fn tell_sign_in_failed(&self, account: Option<&User>, client: &Client) {
        let key = customer_key(client.ip);
        let decision = self.audit_limiter.hit(FAILURES, &key).await;
        if matches!(decision, Ok(RateDecision::Allowed { .. })) {
            let by = Author::unknown(client);
            let target = account.map(|user| user.id.to_string());
            self.tell(self.audit_entry(&by, AuditAction::SignInFailed, target, Value::Null)).await;
        }
    }
}
