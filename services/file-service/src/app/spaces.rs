//! The spaces of accounts, as administrators see them.

use std::sync::Arc;

use async_trait::async_trait;
use common::files::{FileStore, Space, UserSpaces, UserUsage};
use common::{Clock, FileId, IdGen, PortResult, SpaceId, UserId};

use crate::state::FileService;

/// The spaces over a store, without the rest of the service: for the administrator's command.
pub struct StoredSpaces {
    /// The store.
    pub store: Arc<dyn FileStore>,
    /// Fresh ids, for a space that is made now.
    pub ids: Arc<dyn IdGen>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The quota of a space that is made now; none is no limit.
    pub default_quota_bytes: Option<u64>,
}

impl StoredSpaces {
    /// The spaces of a service.
    pub(crate) fn of(service: &FileService) -> Self {
        Self {
            store: Arc::clone(&service.store),
            ids: Arc::clone(&service.ids),
            clock: Arc::clone(&service.clock),
            default_quota_bytes: service.settings.default_quota_bytes,
        }
    }

    pub(super) async fn space(&self, user: UserId) -> PortResult<Space> {
        let fresh = (SpaceId(self.ids.object_id()), FileId(self.ids.object_id()));
        self.store.ensure_space(user, fresh, self.default_quota_bytes, self.clock.now()).await
    }

    async fn usage(&self, space: &Space) -> PortResult<UserUsage> {
        let usage = self.store.usage(space.id).await?;
        Ok(UserUsage {
            used_bytes: usage.used_bytes,
            quota_bytes: usage.quota_bytes,
            node_count: usage.node_count,
        })
    }
}

#[async_trait]
impl UserSpaces for StoredSpaces {
    async fn usage_of(&self, user: UserId) -> PortResult<UserUsage> {
        let space = self.space(user).await?;
        self.usage(&space).await
    }

    async fn set_quota_of(&self, user: UserId, quota_bytes: Option<u64>) -> PortResult<UserUsage> {
        let space = self.space(user).await?;
        self.store.set_quota(space.id, quota_bytes).await?;
        self.usage(&space).await
    }
}
