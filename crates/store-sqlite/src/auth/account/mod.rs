//! What people do with their own account.

mod codes;
mod password;
mod sessions;

use std::time::Duration;

use async_trait::async_trait;
use common::auth::{AccountStore, CodeKind, ListedSession, MailedCode, PasswordChange};
use common::jobs::NewJob;
use common::{PortResult, SessionId, Timestamp, UserId};

use super::AuthDb;
use crate::engine::Durability::{Durable, Relaxed};
use crate::outbox;

#[async_trait]
impl AccountStore for AuthDb {
    async fn list_sessions(
        &self,
        user: UserId,
        before: Option<SessionId>,
        limit: u32,
        now: Timestamp,
    ) -> PortResult<Vec<ListedSession>> {
        self.engine.read(move |connection| Ok(sessions::list(connection, user, before, limit, now)?)).await
    }

    async fn count_sessions(&self, user: UserId, now: Timestamp) -> PortResult<u64> {
        self.engine.read(move |connection| Ok(sessions::count(connection, user, now)?)).await
    }

    async fn revoke_sessions(&self, user: UserId, keep: Option<SessionId>, at: Timestamp) -> PortResult<u64> {
        self.engine.write(Durable, move |tx| Ok(sessions::revoke_all(tx, user, keep, at)?)).await
    }

    async fn note_session_uses(&self, uses: &[(SessionId, Timestamp)], apart: Duration) -> PortResult<()> {
        let uses = uses.to_vec();
        self.engine.write(Relaxed, move |tx| Ok(sessions::note_uses(tx, &uses, apart)?)).await
    }

    async fn add_code(&self, code: &MailedCode, jobs: &[NewJob]) -> PortResult<()> {
        let (code, jobs) = (code.clone(), jobs.to_vec());
        self.engine
            .write(Durable, move |tx| {
                codes::insert(tx, &code)?;
                Ok(outbox::push(tx, &jobs)?)
            })
            .await
    }

    async fn find_code(
        &self,
        hash: &[u8; 32],
        kind: CodeKind,
        now: Timestamp,
    ) -> PortResult<Option<MailedCode>> {
        let hash = *hash;
        self.engine.read(move |connection| Ok(codes::find(connection, &hash, kind, now)?)).await
    }

    async fn remove_expired_codes(&self, before: Timestamp, limit: u32) -> PortResult<u32> {
        self.engine.write(Durable, move |tx| Ok(codes::remove_expired(tx, before, limit)?)).await
    }

    async fn change_password(&self, change: &PasswordChange, jobs: &[NewJob]) -> PortResult<bool> {
        let (change, jobs) = (change.clone(), jobs.to_vec());
        self.engine
            .write(Durable, move |tx| {
                let changed = password::change(tx, &change)?;
                if changed {
                    outbox::push(tx, &jobs)?;
                }
                Ok(changed)
            })
            .await
    }
}
