use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use common::auth::CredentialSource;
use common::{Clock, PortError, PortResult, SigningKeyId, Timestamp};
use jsonwebtoken::DecodingKey;

/// After this time the keys are asked for again, so that a withdrawn one stops counting.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Unknown key ids, which anyone can send, make the keys be asked for no more often than this.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The keys of auth-service, kept for a minute.
pub(super) struct KeyRing {
    source: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    held: RwLock<Arc<Held>>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: HashMap<SigningKeyId, Arc<DecodingKey>>,
    /// When the source last answered, and when it was last asked.
    answered: Option<Timestamp>,
    asked: Option<Timestamp>,
}

impl Held {
    fn age(&self, now: Timestamp) -> Option<Duration> {
        self.answered.map(|at| now.since(at))
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked.is_none_or(|at| now.since(at) >= MIN_INTERVAL)
    }
}

impl KeyRing {
    pub(super) fn new(source: Arc<dyn CredentialSource>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, held: RwLock::default(), asking: tokio::sync::Mutex::new(()) }
    }

    /// The key with this id, or none if the source does not have it (any more).
    ///
    /// # Errors
    /// `Unavailable` if it is unknown here and the source does not answer. Keys that are known go on working then.
    pub(super) async fn find(&self, id: SigningKeyId) -> PortResult<Option<Arc<DecodingKey>>> {
        let held = self.held();
        match held.keys.get(&id) {
            Some(key) if held.age(self.clock.now()).is_some_and(|age| age < MAX_AGE) => {
                return Ok(Some(Arc::clone(key)));
            }
            Some(key) => {
                // refreshed by whoever comes first; nobody waits for it but that one
                let Ok(_asking) = self.asking.try_lock() else { return Ok(Some(Arc::clone(key))) };
                if !held.may_ask(self.clock.now()) {
                    return Ok(Some(Arc::clone(key)));
                }
                if let Err(error) = self.ask().await {
                    tracing::warn!(%error, "keys could not be refreshed; going on with those at hand");
                    return Ok(Some(Arc::clone(key)));
                }
            }
            None => {
                let _asking = self.asking.lock().await;
                let held = self.held();
                if !held.keys.contains_key(&id) {
                    if held.may_ask(self.clock.now()) {
                        self.ask().await?;
                    } else if held.answered < held.asked {
                        return Err(PortError::unavailable(
                            "auth",
                            "the keys could not be fetched a moment ago",
                        ));
                    }
                }
            }
        }
        Ok(self.held().keys.get(&id).cloned())
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
    }

    async fn ask(&self) -> PortResult<()> {
        let now = self.clock.now();
        match self.source.public_keys().await {
            Ok(keys) => {
                let keys = keys
                    .into_iter()
                    .map(|key| (key.id, Arc::new(DecodingKey::from_ed_der(&key.ed25519))))
                    .collect();
                self.hold(Held { keys, answered: Some(now), asked: Some(now) });
                Ok(())
            }
            Err(error) => {
                let held = self.held();
                self.hold(Held { keys: held.keys.clone(), answered: held.answered, asked: Some(now) });
                Err(error)
            }
        }
    }
}
