use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::auth::{OpenAccounts, UserCount};
use common::{PortError, PortResult, UserId};

/// Accounts that tests closed.
pub(crate) type ClosedAccounts = Arc<Mutex<HashSet<UserId>>>;

/// What auth-service says of accounts.
pub(super) struct Accounts {
    /// How many there are.
    pub(super) count: Arc<AtomicU64>,
    /// Nobody can be asked while this is set.
    pub(super) outage: Arc<AtomicBool>,
    /// Disabled, waiting to be deleted, or gone.
    pub(super) closed: ClosedAccounts,
}

impl Accounts {
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
