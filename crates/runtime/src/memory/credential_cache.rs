use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use common::auth::{Cached, CachedSession, CredentialCache, SessionState, TokenHash, TokenState, UserState};
use common::{Clock, PortResult, SessionId, SigningKeyId, Timestamp, UserId};

/// How long a resolved credential is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How long a tombstone stands: twice as long, so that no resolution that began before it can outlive it.
const TOMBSTONE: Duration = Duration::from_secs(120);
/// Most entries of each kind; some 100 bytes each. When it is full, what has expired goes, and if nothing has, all that is no tombstone.
const CAPACITY: usize = 20_000;

/// A [`CredentialCache`] in memory.
pub struct MemoryCredentialCache {
    clock: Arc<dyn Clock>,
    sessions: Mutex<Entries<SessionId, SessionState>>,
    tokens: Mutex<Entries<TokenHash, TokenState>>,
    users: Mutex<Entries<UserId, UserState>>,
    /// The key that replaced withdrawn ones, and until when that is told.
    keys_since: Mutex<Option<(SigningKeyId, Timestamp)>>,
}

struct Entries<K, V>(HashMap<K, (Timestamp, Option<V>)>);

impl MemoryCredentialCache {
    /// An empty one.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            sessions: Mutex::new(Entries(HashMap::new())),
            tokens: Mutex::new(Entries(HashMap::new())),
            users: Mutex::new(Entries(HashMap::new())),
            keys_since: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash, V: Clone> Entries<K, V> {
    fn get(&self, key: &K, now: Timestamp) -> Cached<V> {
        match self.0.get(key) {
            Some((until, value)) if now < *until => value.clone().map_or(Cached::Tombstone, Cached::Known),
            _ => Cached::Absent,
        }
    }

    fn put_if_absent(&mut self, key: K, value: V, now: Timestamp) {
        if matches!(self.get(&key, now), Cached::Absent) {
            self.make_room(now);
            self.0.insert(key, (now + REMEMBERED, Some(value)));
        }
    }

    fn bury(&mut self, key: K, now: Timestamp) {
        self.make_room(now);
        self.0.insert(key, (now + TOMBSTONE, None));
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() >= CAPACITY {
            self.0.retain(|_, (until, _)| now < *until);
            if self.0.len() >= CAPACITY {
                self.0.retain(|_, (_, value)| value.is_none());
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // the maps hold no invariant that a panic could break
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl CredentialCache for MemoryCredentialCache {
    async fn get(&self, session: SessionId, user: UserId) -> PortResult<CachedSession> {
        let now = self.clock.now();
        let keys_since = locked(&self.keys_since).filter(|(_, until)| now < *until).map(|(key, _)| key);
        Ok(CachedSession {
            session: locked(&self.sessions).get(&session, now),
            user: locked(&self.users).get(&user, now),
            keys_since,
        })
    }

    async fn put(
        &self,
        session: SessionId,
        user: UserId,
        states: (&SessionState, &UserState),
    ) -> PortResult<()> {
        let now = self.clock.now();
        locked(&self.sessions).put_if_absent(session, states.0.clone(), now);
        locked(&self.users).put_if_absent(user, states.1.clone(), now);
        Ok(())
    }

    async fn get_token(&self, hash: &TokenHash) -> PortResult<(Cached<TokenState>, Cached<UserState>)> {
        let now = self.clock.now();
        let token = locked(&self.tokens).get(hash, now);
        let user = match &token {
            Cached::Known(token) => locked(&self.users).get(&token.user, now),
            Cached::Absent | Cached::Tombstone => Cached::Absent,
        };
        Ok((token, user))
    }

    async fn put_token(&self, hash: &TokenHash, states: (&TokenState, &UserState)) -> PortResult<()> {
        let now = self.clock.now();
        locked(&self.tokens).put_if_absent(*hash, states.0.clone(), now);
        locked(&self.users).put_if_absent(states.0.user, states.1.clone(), now);
        Ok(())
    }

    async fn get_user(&self, user: UserId) -> PortResult<Cached<UserState>> {
        Ok(locked(&self.users).get(&user, self.clock.now()))
    }

    async fn put_user(&self, user: UserId, state: &UserState) -> PortResult<()> {
        locked(&self.users).put_if_absent(user, state.clone(), self.clock.now());
        Ok(())
    }

    async fn forget_token(&self, hash: &TokenHash) -> PortResult<()> {
        locked(&self.tokens).bury(*hash, self.clock.now());
        Ok(())
    }

    async fn forget_session(&self, session: SessionId) -> PortResult<()> {
        locked(&self.sessions).bury(session, self.clock.now());
        Ok(())
    }

    async fn forget_keys(&self, new: SigningKeyId) -> PortResult<()> {
        *locked(&self.keys_since) = Some((new, self.clock.now() + TOMBSTONE));
        Ok(())
    }

    async fn forget_user(&self, user: UserId) -> PortResult<()> {
        locked(&self.users).bury(user, self.clock.now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::IdGen as _;
    use testkit::{TestClock, TestIds};

    #[test]
    fn a_flood_stays_bounded_and_lifts_no_tombstone() {
        let (ids, now) = (TestIds::new(), TestClock::default().now());
        let mut entries = Entries(HashMap::new());
        let buried = ids.object_id();
        entries.bury(buried, now);
        for number in 0..3 * CAPACITY {
            entries.put_if_absent(ids.object_id(), number, now);
        }
        assert!(entries.0.len() <= CAPACITY);
        assert_eq!(entries.get(&buried, now), Cached::Tombstone);
    }
}
