//! A new master key: what the previous one sealed is sealed anew, so that the previous one can go.

use common::{PortResult, UserId};

use super::keys::SEAL_LABEL;
use super::second_factor;
use crate::AuthService;

/// Second factors read at a time.
const BATCH: u32 = 500;

/// What was not sealed by the present master key when it was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OfPreviousKey {
    /// Signing keys.
    pub(crate) signing_keys: u64,
    /// Second factors.
    pub(crate) second_factors: u64,
}

impl OfPreviousKey {
    fn is_none(self) -> bool {
        self == Self::default()
    }

    fn tell(self) {
        #[expect(clippy::cast_precision_loss, reason = "nobody has so many accounts")]
        for (what, many) in [("signing_keys", self.signing_keys), ("second_factors", self.second_factors)] {
            metrics::gauge!("fm_sealed_by_previous_key", "what" => what).set(many as f64);
        }
    }
}

/// Says how much the previous key still seals, where there is one.
///
/// # Errors
/// `Unavailable`.
pub(crate) async fn tell_at_start(service: &AuthService) -> PortResult<()> {
    if service.master_key.has_previous() {
        let OfPreviousKey { signing_keys, second_factors } = walk(service, false).await?;
        tracing::info!(
            signing_keys,
            second_factors,
            "sealed by the previous master key, and to be sealed anew"
        );
    }
    Ok(())
}

/// Seals anew what the previous key sealed, where there is one; how much is left, which somebody changed just now or which neither key opens. Safe to repeat
/// and to run in every replica.
///
/// # Errors
/// `Unavailable`; what was sealed anew stays so.
pub(crate) async fn reseal(service: &AuthService) -> PortResult<OfPreviousKey> {
    if !service.master_key.has_previous() {
        return Ok(OfPreviousKey::default());
    }
    let before = walk(service, true).await?;
    if before.is_none() {
        return Ok(before);
    }
    let left = walk(service, false).await?;
    let OfPreviousKey { signing_keys, second_factors } = left;
    if left.is_none() {
        tracing::info!("nothing here is sealed by the previous master key any more");
    } else {
        tracing::warn!(
            signing_keys,
            second_factors,
            "still sealed by another master key; trying again later"
        );
    }
    Ok(left)
}

/// Counts what the present key did not seal, and seals it anew if that is wanted.
async fn walk(service: &AuthService, reseals: bool) -> PortResult<OfPreviousKey> {
    let (master, store) = (&service.master_key, &service.accounts.store);
    let mut found = OfPreviousKey::default();
    // those that have retired verify nothing any more
    for key in store.list_signing_keys(service.accounts.clock.now()).await? {
        if master.is_current(&key.sealed) {
            continue;
        }
        found.signing_keys += 1;
        if reseals && let Some(new) = master.reseal(SEAL_LABEL, &key.sealed) {
            store.reseal_signing_key(key.id, &key.sealed, &new).await?;
        }
    }
    let mut after: Option<UserId> = None;
    loop {
        let page = service.account_store.list_sealed_totp(after, BATCH).await?;
        for (user, sealed) in &page {
            if master.is_current(sealed) {
                continue;
            }
            found.second_factors += 1;
            if reseals && let Some(new) = master.reseal(&second_factor::label(*user), sealed) {
                service.account_store.reseal_totp(*user, sealed, &new).await?;
            }
        }
        after = page.last().map(|(user, _)| *user);
        if page.len() < BATCH as usize {
            break;
        }
    }
    if !reseals || found.is_none() {
        found.tell();
    }
    Ok(found)
}
