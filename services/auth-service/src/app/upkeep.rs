//! What has to be done now and then, whoever calls or not.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use common::PortResult;
use tokio::time::MissedTickBehavior;

use crate::AuthService;

/// How often ended sessions are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);
/// How long an ended session is kept, for questions about it.
const KEEP_ENDED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Sessions removed in one commit.
const SWEEP_BATCH: u32 = 500;
/// How often uses of sessions are written.
const USES_EVERY: Duration = Duration::from_secs(60);
/// How often uses of API tokens are written.
const TOKENS_EVERY: Duration = Duration::from_secs(60);
/// How often accounts are looked for whose deletion is due.
const DELETIONS_EVERY: Duration = Duration::from_secs(60);
/// How long after the start, and how often, what the previous master key sealed is sealed anew: so long may replicas run that have the old key alone.
const RESEAL_EVERY: Duration = Duration::from_secs(10 * 60);
/// How often the signing keys are read again.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// Removes sessions that ended long ago, and codes that have expired; how many sessions. Safe to repeat and to run in every replica.
pub(crate) async fn sweep_sessions(service: &AuthService) -> PortResult<u64> {
    let before = service.accounts.clock.now() - KEEP_ENDED;
    let mut removed = 0;
    loop {
        let batch = service.accounts.store.remove_ended_sessions(before, SWEEP_BATCH).await?;
        removed += u64::from(batch);
        if batch < SWEEP_BATCH {
            break;
        }
    }
    metrics::counter!("fm_auth_sessions_removed_total").increment(removed);
    let now = service.accounts.clock.now();
    while service.account_store.remove_expired_codes(now, SWEEP_BATCH).await? == SWEEP_BATCH {}
    Ok(removed)
}

/// Removes lines of the audit log whose time is over, and invitations that ended long ago. Safe to repeat and to run in every replica.
pub(crate) async fn sweep_audit(service: &AuthService) -> PortResult<u64> {
    let now = service.accounts.clock.now();
    let before = now - service.settings.administration.audit_retention.duration();
    let mut removed = 0;
    loop {
        let batch = service.admin.audit.remove_audit(before, SWEEP_BATCH).await?;
        removed += u64::from(batch);
        if batch < SWEEP_BATCH {
            break;
        }
    }
    service.admin.invitations.remove_ended_invitations(now - KEEP_ENDED, SWEEP_BATCH).await?;
    metrics::counter!("fm_auth_audit_removed_total").increment(removed);
    Ok(removed)
}

/// Sweeps until it is dropped.
pub(crate) async fn keep_sweeping(service: Arc<AuthService>) {
    every(SWEEP_EVERY, || async {
        match sweep_sessions(&service).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "ended sessions removed"),
            Err(error) => tracing::warn!(%error, "ended sessions not removed; trying again later"),
        }
        if let Err(error) = super::export::sweep(&service).await {
            tracing::warn!(%error, "exports whose time is over not removed; trying again later");
        }
        if let Err(error) = sweep_audit(&service).await {
            tracing::warn!(%error, "old lines of the audit log not removed; trying again later");
        }
    })
    .await;
}

/// Writes when API tokens were last used, and removes those that ended long ago, until it is dropped.
pub(crate) async fn keep_token_uses(service: Arc<AuthService>) {
    every(TOKENS_EVERY, || async {
        if let Err(error) = service.write_token_uses().await {
            tracing::debug!(%error, "uses of tokens not written; trying again with the next ones");
        }
        let before = service.accounts.clock.now() - KEEP_ENDED;
        if let Err(error) = service.admin.tokens.remove_ended_tokens(before, SWEEP_BATCH).await {
            tracing::warn!(%error, "ended tokens not removed; trying again later");
        }
    })
    .await;
}

/// Writes uses of sessions until it is dropped.
pub(crate) async fn keep_writing_uses(service: Arc<AuthService>) {
    every(USES_EVERY, || async {
        if let Err(error) = super::my_sessions::write_uses(&service).await {
            tracing::warn!(%error, "uses of sessions not written");
        }
    })
    .await;
}

/// Deletes accounts whose time has come until it is dropped.
pub(crate) async fn keep_ending_accounts(service: Arc<AuthService>) {
    every(DELETIONS_EVERY, || async {
        if let Err(error) = super::deletion::end_due(&service).await {
            tracing::warn!(%error, "accounts whose deletion is due not deleted; trying again later");
        }
    })
    .await;
}

/// Seals anew what the previous master key sealed until it is dropped.
pub(crate) async fn keep_resealing(service: Arc<AuthService>) {
    if let Err(error) = super::reseal::tell_at_start(&service).await {
        tracing::warn!(%error, "cannot say how much the previous master key seals");
    }
    tokio::time::sleep(RESEAL_EVERY).await;
    every(RESEAL_EVERY, || async {
        if let Err(error) = super::reseal::reseal(&service).await {
            tracing::warn!(%error, "not all is sealed anew by the present master key; trying again later");
        }
    })
    .await;
}

/// Keeps the signing keys fresh until it is dropped.
pub(crate) async fn keep_keys(service: Arc<AuthService>) {
    every(KEYS_EVERY, || async {
        if let Err(error) = service.keys.refresh().await {
            tracing::warn!(%error, "signing keys not refreshed; going on with the one at hand");
        }
    })
    .await;
}

async fn every<F: Future<Output = ()>>(period: Duration, mut act: impl FnMut() -> F) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        act().await;
    }
}
