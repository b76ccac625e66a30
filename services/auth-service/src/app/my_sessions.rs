//! Sessions as their owner manages them, and when they were last used.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::auth::{ListedSession, Principal};
use common::{PortResult, SessionId, Timestamp, UserId};

use super::sessions;
use crate::AuthService;

/// A use is written no sooner than so long after the one before.
const USES_APART: Duration = Duration::from_secs(5 * 60);
/// Uses that may wait to be written, for some 100 bytes each. More are forgotten: they come again with the next use.
const MAX_WAITING: usize = 50_000;
/// Uses written in one commit.
const USES_BATCH: usize = 500;

/// Uses of sessions that wait to be written. A session is noted here when some service resolves it anew, which each does a minute after it
/// did so before, so nothing of this is on the way of a request.
#[derive(Default)]
pub(crate) struct SessionUses(Mutex<HashMap<SessionId, Timestamp>>);

impl SessionUses {
    /// Notes a use.
    pub(crate) fn note(&self, session: SessionId, at: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING || waiting.contains_key(&session) {
            waiting.insert(session, at);
        }
    }

    fn take(&self) -> Vec<(SessionId, Timestamp)> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waiting).into_iter().collect()
    }
}

/// A page of somebody's live sessions.
pub(crate) struct SessionPage {
    /// Newest first.
    pub(crate) sessions: Vec<ListedSession>,
    /// Below which the next page begins, if there is one.
    pub(crate) next: Option<SessionId>,
    /// How many there are on all pages.
    pub(crate) total: u64,
}

/// Lists somebody's live sessions.
pub(crate) async fn list(
    service: &AuthService,
    user: UserId,
    before: Option<SessionId>,
    limit: u32,
) -> PortResult<SessionPage> {
    let now = service.accounts.clock.now();
    let store = &service.account_store;
    let mut sessions = store.list_sessions(user, before, limit + 1, now).await?;
    let more = sessions.len() > limit as usize;
    sessions.truncate(limit as usize);
    let next = sessions.last().filter(|_| more).map(|last| last.session.id);
    Ok(SessionPage { sessions, next, total: store.count_sessions(user, now).await? })
}

/// Ends a live session of somebody; false if they have no such one.
pub(crate) async fn end_one(service: &AuthService, user: UserId, session: SessionId) -> PortResult<bool> {
    let found = service.accounts.store.find_session(session).await?;
    if !found.is_some_and(|found| found.user == user && found.expires_at > service.accounts.clock.now()) {
        return Ok(false);
    }
    // one that was ended before is ended again, so that a client which got a 503 may repeat it
    sessions::end(service, session).await?;
    Ok(true)
}

/// Ends all of somebody's sessions but the one that asks.
pub(crate) async fn end_others(service: &AuthService, caller: &Principal) -> PortResult<()> {
    let at = service.accounts.clock.now();
    let ended = service.account_store.revoke_sessions(caller.user, caller.session(), at).await?;
    tracing::info!(user = %caller.user, ended, "other sessions ended");
    metrics::counter!("fm_auth_sessions_ended_total").increment(ended);
    forget(service, caller.user).await
}

/// Lets it be known that sessions of an account have ended. One tombstone on the account does for all of them: while it stands, each
/// request asks the store, and when it goes, nothing that was cached before is left.
pub(crate) async fn forget(service: &AuthService, user: UserId) -> PortResult<()> {
    service.cache.forget_user(user).await
}

/// Writes down the uses that wait. Those that cannot be written are dropped: they come again with the next use.
pub(crate) async fn write_uses(service: &AuthService) -> PortResult<()> {
    for batch in service.uses.take().chunks(USES_BATCH) {
        service.account_store.note_session_uses(batch, USES_APART).await?;
    }
    Ok(())
}
