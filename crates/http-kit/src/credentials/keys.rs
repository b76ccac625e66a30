use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use common::auth::CredentialSource;
use common::{Clock, PortError, PortResult, SigningKeyId, Timestamp, allowance};
use jsonwebtoken::DecodingKey;
use tokio::task::JoinSet;

/// After this time the keys are asked for again, so that a withdrawn one stops counting.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Unknown key ids, which anyone can send, make the keys be asked for no more often than this.
const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The keys of auth-service, kept for a minute. Who comes after it starts their being asked for, and goes on with those at hand: a source that hangs must not
/// hold up requests that could be answered.
pub(super) struct KeyRing {
    shared: Arc<Shared>,
    refreshing: Mutex<JoinSet<()>>,
}

struct Shared {
    source: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    held: RwLock<Arc<Held>>,
    /// Held by whoever asks the source: one at a time.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Held {
    keys: HashMap<SigningKeyId, Arc<DecodingKey>>,
    /// When the source last answered, and when it was last asked.
    answered: Option<Timestamp>,
    asked: Option<Timestamp>,
    /// The key in whose favour others were withdrawn, as far as these keys are from after that.
    since: Option<SigningKeyId>,
}

impl Held {
    fn age(&self, now: Timestamp) -> Option<Duration> {
        self.answered.map(|at| now.since(at))
    }

    /// The last question was answered, or is some time ago.
    fn may_ask_again(&self, now: Timestamp) -> bool {
        self.answered == self.asked || self.may_ask(now)
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        self.asked.is_none_or(|at| now.since(at) >= MIN_INTERVAL)
    }
}

impl KeyRing {
    pub(super) fn new(source: Arc<dyn CredentialSource>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared { source, clock, held: RwLock::default(), asking: Arc::default() };
        Self { shared: Arc::new(shared), refreshing: Mutex::default() }
    }

    /// The key with this id, or none if the source does not have it (any more). Waits for the source only if it is unknown here. Needs a Tokio runtime.
    ///
    /// # Errors
    /// `Unavailable` if it is unknown here and the source does not answer. Keys that are known go on working then.
    pub(super) async fn find(&self, id: SigningKeyId) -> PortResult<Option<Arc<DecodingKey>>> {
        let held = self.shared.held();
        match held.keys.get(&id) {
            Some(key) => {
                if held.age(self.shared.clock.now()).is_none_or(|age| age >= MAX_AGE) {
                    self.refresh_behind();
                }
                Ok(Some(Arc::clone(key)))
            }
            None => self.shared.find_unknown(id).await,
        }
    }

    /// Whether the source has the key `id` since keys were withdrawn in favour of `new`. Waits for the source the first time.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer: the key may be one of those.
    pub(super) async fn has_since(&self, new: SigningKeyId, id: SigningKeyId) -> PortResult<bool> {
        if self.shared.held().since != Some(new) {
            let _asking = self.shared.turn_to_ask().await?;
            if self.shared.held().since != Some(new) {
                if !self.shared.held().may_ask_again(self.shared.clock.now()) {
                    return Err(PortError::unavailable("auth", "the keys could not be fetched a moment ago"));
                }
                self.shared.ask().await?;
                let held = self.shared.held();
                let Held { answered, asked, .. } = *held;
                self.shared.hold(Held { keys: held.keys.clone(), answered, asked, since: Some(new) });
            }
        }
        Ok(self.shared.held().keys.contains_key(&id))
    }

    /// Has the source asked, unless that is under way or was tried a moment ago.
    fn refresh_behind(&self) {
        let Ok(asking) = Arc::clone(&self.shared.asking).try_lock_owned() else { return };
        if !self.shared.held().may_ask(self.shared.clock.now()) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let mut refreshing = self.refreshing.lock().unwrap_or_else(PoisonError::into_inner);
        while refreshing.try_join_next().is_some() {}
        refreshing.spawn(async move {
            let _asking = asking;
            if let Err(error) = shared.ask().await {
                tracing::warn!(%error, "keys could not be refreshed; going on with those at hand");
            }
        });
    }
}

impl Shared {
    /// Waits until nobody else asks, within the request's allowance: whoever asks may wait for long.
    async fn turn_to_ask(&self) -> PortResult<tokio::sync::MutexGuard<'_, ()>> {
        match self.asking.try_lock() {
            Ok(asking) => Ok(asking),
            Err(_) => {
                let asking = allowance::wait(Duration::MAX, self.asking.lock()).await;
                asking.map_err(|late| PortError::unavailable("auth", late))
            }
        }
    }

    async fn find_unknown(&self, id: SigningKeyId) -> PortResult<Option<Arc<DecodingKey>>> {
        let _asking = self.turn_to_ask().await?;
        let held = self.held();
        if !held.keys.contains_key(&id) {
            if held.may_ask(self.clock.now()) {
                self.ask().await?;
            } else if held.answered < held.asked {
                return Err(PortError::unavailable("auth", "the keys could not be fetched a moment ago"));
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
                let since = self.held().since;
                self.hold(Held { keys, answered: Some(now), asked: Some(now), since });
                Ok(())
            }
            Err(error) => {
                let held = self.held();
                let Held { answered, since, .. } = *held;
                self.hold(Held { keys: held.keys.clone(), answered, asked: Some(now), since });
                Err(error)
            }
        }
    }
}
