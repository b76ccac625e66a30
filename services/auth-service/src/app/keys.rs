//! The keys that sign tokens: made here, kept sealed in the store, replaced every 90 days.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use common::auth::{AuthStore, SealedKey};
use common::{Clock, IdGen, PortError, SigningKeyId, Timestamp};
use http_kit::credentials::TokenSigner;
use runtime::secrets::MasterKey;

use super::sessions::LONGEST_TOKEN;

/// How long a key signs.
pub(crate) const ROTATION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A key is published for so long before it signs, if another one can sign meanwhile: twice the time for which services keep the key set.
const PUBLISHED_BEFORE: Duration = Duration::from_secs(2 * 60);

/// How late a rotation may be, as when the store is away, before tokens could outlive the key that signed them.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// The sealed bytes are bound to this purpose.
pub(crate) const SEAL_LABEL: &str = "signing-key";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The master key is another one than the key was sealed under.
    #[error("the signing key {0} cannot be opened: is this the master key of this installation?")]
    WrongMasterKey(SigningKeyId),
    /// The store could not say.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The signing keys of this process.
pub(crate) struct SigningKeys {
    store: Arc<dyn AuthStore>,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdGen>,
    signer: RwLock<TokenSigner>,
}

impl SigningKeys {
    /// Loads the keys, and makes one if there is none that may sign.
    pub(crate) async fn open(
        store: Arc<dyn AuthStore>,
        master: Arc<MasterKey>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGen>,
    ) -> Result<Self, KeysError> {
        let signer = current_signer(&*store, &master, &*clock, &*ids).await?;
        Ok(Self { store, master, clock, ids, signer: RwLock::new(signer) })
    }

    /// The key that signs now.
    pub(crate) fn signer(&self) -> TokenSigner {
        self.signer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up keys that other replicas made, and makes a new one when the newest has signed for [`ROTATION`]. Safe to repeat; two replicas
    /// that do it at once make two keys, which does no harm.
    pub(crate) async fn refresh(&self) -> Result<(), KeysError> {
        let signer = current_signer(&*self.store, &self.master, &*self.clock, &*self.ids).await?;
        *self.signer.write().unwrap_or_else(PoisonError::into_inner) = signer;
        Ok(())
    }
}

async fn current_signer(
    store: &dyn AuthStore,
    master: &MasterKey,
    clock: &dyn Clock,
    ids: &dyn IdGen,
) -> Result<TokenSigner, KeysError> {
    let now = clock.now();
    let mut keys = store.list_signing_keys(now).await?;
    if keys.first().is_none_or(|newest| newest.created_at + ROTATION <= now) {
        let key = new_key(master, ids, now);
        store.add_signing_key(&key).await?;
        metrics::counter!("fm_auth_signing_keys_made_total").increment(1);
        tracing::info!(key = %key.id, "signing key made");
        keys.insert(0, key);
    }
    let key = choose(&keys, now).expect("there is a key, or one was made");
    open_key(master, key)
}

/// The newest key that everybody has had time to learn of; while there is none, the newest that is left.
fn choose(newest_first: &[SealedKey], now: Timestamp) -> Option<&SealedKey> {
    let known = newest_first.iter().find(|key| key.created_at + PUBLISHED_BEFORE <= now);
    // a key that is about to retire would not outlive what it signs
    let lasting = known.filter(|key| key.retires_at.is_none_or(|end| now + LONGEST_TOKEN <= end));
    lasting.or(newest_first.first())
}

/// A key that is kept nowhere yet.
pub(super) fn new_key(master: &MasterKey, ids: &dyn IdGen, now: Timestamp) -> SealedKey {
    let signer = TokenSigner::generate(SigningKeyId(ids.object_id()));
    let public = signer.public_key();
    SealedKey {
        id: public.id,
        public: public.ed25519,
        sealed: master.seal(SEAL_LABEL, &signer.seed()),
        created_at: now,
        // known from the start: nothing has to be changed at the rotation
        retires_at: Some(now + ROTATION + LONGEST_TOKEN + SLACK),
    }
}

fn open_key(master: &MasterKey, key: &SealedKey) -> Result<TokenSigner, KeysError> {
    let signer = master
        .open(SEAL_LABEL, &key.sealed)
        .and_then(|seed| TokenSigner::from_seed(key.id, &seed).ok())
        .ok_or(KeysError::WrongMasterKey(key.id))?;
    if signer.public_key().ed25519 != key.public {
        return Err(PortError::broken("store", "a signing key does not fit its public part").into());
    }
    Ok(signer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, created_at: Timestamp) -> SealedKey {
        let retires_at = Some(created_at + ROTATION + LONGEST_TOKEN + SLACK);
        SealedKey {
            id: SigningKeyId::from_bytes([id; 12]),
            public: [0; 32],
            sealed: Vec::new(),
            created_at,
            retires_at,
        }
    }

    #[test]
    fn a_new_key_waits_until_it_is_known() {
        let start = Timestamp::from_millis(0);
        let old = key(1, start);
        let new = key(2, start + ROTATION);
        let keys = [new.clone(), old.clone()];
        assert_eq!(choose(&keys, start + ROTATION).unwrap().id, old.id);
        assert_eq!(choose(&keys, start + ROTATION + PUBLISHED_BEFORE).unwrap().id, new.id);
        assert_eq!(choose(&keys[..1], start + ROTATION).unwrap().id, new.id);
        assert!(choose(&[], start).is_none());
    }

    #[test]
    fn a_key_that_would_not_outlive_its_tokens_does_not_sign() {
        let start = Timestamp::from_millis(0);
        let old = key(1, start);
        let late = start + ROTATION + SLACK + Duration::from_secs(1);
        let new = key(2, late);
        assert_eq!(choose(&[new.clone(), old], late).unwrap().id, new.id);
    }
}
