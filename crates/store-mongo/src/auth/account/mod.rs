//! What people do with their own account.

mod codes;
mod password;
mod sessions;

use std::time::Duration;

use async_trait::async_trait;
use common::auth::{AccountStore, CodeKind, ListedSession, MailedCode, PasswordChange};
use common::jobs::NewJob;
use common::{PortError, PortResult, SessionId, Timestamp, UserId};

use super::AuthDb;
use crate::engine::{Abort, Index, Step};
use crate::value::ToOid as _;

use codes::CODES;

/// What the schema has for it.
pub(super) const STEPS: &[Step] = &[
    Step::Collection(CODES),
    Step::Index(Index::new(CODES, "user_1", &[("user", 1)])),
    Step::Index(Index::new(CODES, "expires_1", &[("expires_at", 1)])),
];

#[async_trait]
impl AccountStore for AuthDb {
    async fn list_sessions(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<Vec<ListedSession>> {
        self.engine.run(sessions::list(&self.engine, user.oid(), before, limit, now)).await
    }

    async fn count_sessions(&self, user: UserId, now: Timestamp) -> PortResult<u64> {
        self.engine.run(sessions::count(&self.engine, user.oid(), now)).await
    }

    async fn revoke_sessions(&self, user: UserId, keep: Option<SessionId>, at: Timestamp) -> PortResult<u64> {
        self.engine.run(sessions::revoke_all(&self.engine, user.oid(), keep, at)).await
    }

    async fn note_session_uses(&self, uses: &[(SessionId, Timestamp)], apart: Duration) -> PortResult<()> {
        self.engine.run(sessions::note_uses(&self.engine, uses, apart)).await
    }

    async fn add_code(&self, code: &MailedCode, jobs: &[NewJob]) -> PortResult<()> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[], |mut tx| async move {
                codes::insert(engine, tx.session(), code).await?;
                self.outbox.push(engine, tx.session(), jobs).await?;
                Ok::<_, Abort<PortError>>(())
            })
            .await
    }

    async fn find_code(
        &self,
        hash: &[u8; 32],
        kind: CodeKind,
        now: Timestamp,
    ) -> PortResult<Option<MailedCode>> {
        self.engine.run(codes::find(&self.engine, hash, kind, now)).await
    }

    async fn remove_expired_codes(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.run(codes::remove_expired(&self.engine, before, limit)).await
    }

    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool> {
        let _ring = self.outbox.ring_for(jobs);
        let engine = &self.engine;
        engine
            .transact(&[change.user.oid()], |mut tx| async move {
                let changed = password::change(engine, tx.session(), change).await?;
                if changed {
                    self.outbox.push(engine, tx.session(), jobs).await?;
                }
                Ok::<_, Abort<PortError>>(changed)
            })
            .await
    }
}
