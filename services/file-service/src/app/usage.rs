//! Numbers: what a space holds, what an upload may bring, how large and how well the product is.

use std::sync::Arc;
use std::time::Duration;

use common::files::{Usage, UsageByType};
use http_kit::health::{CHECK_DEADLINE, ReadyCheck};
use tokio::time::Instant;

use super::access::Authorized;
use crate::error::AppError;
use crate::state::FileService;

/// What the space of this node holds.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn usage(service: &FileService, root: &Authorized) -> Result<Usage, AppError> {
    Ok(service.store.usage(root.space()).await?)
}

/// Files and folders that are looked at for one answer: a second's work of a store, or some.
const COUNTED: u32 = 250_000;

/// What the space of this node holds by type.
///
/// # Errors
/// Those of the store alone.
pub(crate) async fn by_type(service: &FileService, root: &Authorized) -> Result<UsageByType, AppError> {
    Ok(service.store.usage_by_type(root.space(), COUNTED).await?)
}

/// How many more bytes the space takes; none is no limit.
pub(crate) fn free_bytes(usage: &Usage) -> Option<u64> {
    let taken = usage.used_bytes.saturating_add(usage.reserved_bytes);
    usage.quota_bytes.map(|quota| quota.saturating_sub(taken))
}

/// The numbers of the classic `/stats`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    /// Accounts, bootstrap administrators left out.
    pub(crate) users: u64,
    /// Files and folders, roots left out.
    pub(crate) files: u64,
}

/// Counts accounts and files, from counters.
///
/// # Errors
/// `unavailable` if either cannot be had: half an answer would be a wrong one.
pub(crate) async fn totals(service: &FileService) -> Result<Totals, AppError> {
    let (users, files) = tokio::try_join!(service.overview.users.count_users(), service.store.count_nodes())?;
    Ok(Totals { users, files })
}

/// What answers, as the classic `/status` tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alive {
    /// The cache of credentials.
    pub(crate) cache: bool,
    /// The stores of metadata, all of them.
    pub(crate) stores: bool,
}

/// For so long an answer is given again. The call wants no credential, and asking a store makes it write.
const ALIVE_LIFETIME: Duration = Duration::from_millis(500);

/// Tries the cache of credentials and the stores, or says what was found a moment ago.
pub(crate) async fn alive(service: &FileService) -> Alive {
    // held while the parts are tried: whoever comes meanwhile gets the same answer
    let mut last = service.last_alive.lock().await;
    if let Some((at, alive)) = *last
        && at.elapsed() < ALIVE_LIFETIME
    {
        return alive;
    }
    let (cache, stores) = tokio::join!(all_pass(&service.overview.cache), all_pass(&service.overview.stores));
    let alive = Alive { cache, stores };
    *last = Some((Instant::now(), alive));
    alive
}

async fn all_pass(checks: &[Arc<dyn ReadyCheck>]) -> bool {
    let checks = checks.iter().map(|check| async {
        match tokio::time::timeout(CHECK_DEADLINE, check.check()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(part = check.name(), %error, "part does not answer");
                false
            }
            Err(_) => {
                tracing::warn!(part = check.name(), "part does not answer in time");
                false
            }
        }
    });
    futures_util::future::join_all(checks).await.into_iter().all(|passes| passes)
}
