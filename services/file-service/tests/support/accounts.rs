use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use common::auth::{
    CredentialEnd, EndedBy, OpenAccounts, OwnCredential, OwnCredentialKind, OwnCredentials, UserCount,
};
use common::{ObjectId, PortError, PortResult, UserId};

/// Accounts that tests closed.
pub(crate) type ClosedAccounts = Arc<Mutex<HashSet<UserId>>>;

/// What tests say that accounts can be used by: tokens, then sessions.
pub(crate) type SharedCredentials = Arc<Mutex<Vec<(UserId, OwnCredential)>>>;

/// What auth-service says of accounts.
pub(super) struct Accounts {
    /// How many there are.
    pub(super) count: Arc<AtomicU64>,
    /// Nobody can be asked while this is set.
    pub(super) outage: Arc<AtomicBool>,
    /// Disabled, waiting to be deleted, or gone.
    pub(super) closed: ClosedAccounts,
    /// Tokens and sessions.
    pub(super) credentials: SharedCredentials,
    /// Nobody knows of those while this is set.
    pub(super) directory_outage: Arc<AtomicBool>,
}

impl Accounts {
    fn known(&self) -> PortResult<MutexGuard<'_, Vec<(UserId, OwnCredential)>>> {
        if self.directory_outage.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("auth", "cut off by the test"));
        }
        Ok(self.credentials.lock().unwrap())
    }

    fn answer<T>(&self, value: T) -> PortResult<T> {
        if self.outage.load(Ordering::SeqCst) {
            return Err(PortError::unavailable("auth", "cut off by the test"));
        }
        Ok(value)
    }
}

#[async_trait]
impl UserCount for Accounts {
    async fn count_users(&self) -> PortResult<u64> {
        self.answer(self.count.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl OpenAccounts for Accounts {
    async fn is_open(&self, user: UserId) -> PortResult<bool> {
        self.answer(!self.closed.lock().unwrap().contains(&user))
    }
}

#[async_trait]
impl OwnCredentials for Accounts {
    async fn list_credentials(&self, user: UserId) -> PortResult<Vec<OwnCredential>> {
        let all = self.known()?;
        self.answer(all.iter().filter(|(owner, _)| *owner == user).map(|(_, one)| one.clone()).collect())
    }

    async fn end_credential(
        &self,
        user: UserId,
        kind: OwnCredentialKind,
        id: ObjectId,
        _: EndedBy,
    ) -> PortResult<CredentialEnd> {
        let mut all = self.known()?;
        let found = all.iter().position(|(owner, one)| *owner == user && one.kind == kind && one.id == id);
        let Some(place) = found else { return Ok(CredentialEnd::Unknown) };
        // by this name tests call the one that nothing else stands beside
        if all[place].1.label.as_deref() == Some("the last way in") {
            return Ok(CredentialEnd::LastWayIn);
        }
        all.remove(place);
        Ok(CredentialEnd::Ended)
    }
}
