use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::UserId;
use crate::error::PortResult;

/// What an account's space holds, for administrators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserUsage {
    /// Bytes of all contents, old versions and the trash among them.
    pub used_bytes: u64,
    /// Most bytes that it may hold; none is no limit.
    pub quota_bytes: Option<u64>,
    /// Files and folders, the root left out.
    pub node_count: u64,
}

/// The spaces of accounts: file-service, in process or over its internal API. A space is made on its first use, which may be one of these calls.
#[async_trait]
pub trait UserSpaces: Send + Sync {
    /// What the space of an account holds.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn usage_of(&self, user: UserId) -> PortResult<UserUsage>;

    /// Sets or lifts the limit of an account's space; what it holds then. What is stored stays. Safe to repeat.
    ///
    /// # Errors
    /// [`crate::PortError::Unavailable`].
    async fn set_quota_of(&self, user: UserId, quota_bytes: Option<u64>) -> PortResult<UserUsage>;
}
