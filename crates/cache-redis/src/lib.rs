//! Cached credentials and rate limits on Redis: what replicas of a service share, and what nobody misses when it is gone.
//!
//! All times are the server's own, so replicas whose clocks differ agree. Values are JSON with a version; what cannot be read counts as absent. Keys hold
//! ids and hashes, never a token or an address of a person.
//!
//! Run that Redis without snapshots (`save ""`): one that comes back with an old snapshot may know a session again whose tombstone it has lost, for the
//! rest of the entry's minute.

mod cache;
mod limiter;
mod link;
mod owed;

use std::fmt;
use std::time::Duration;

pub use cache::RedisCache;
pub use limiter::RedisLimiter;
pub use link::{InvalidUrl, RedisLink};

/// Where Redis is and how to use it.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://user:password@host:port/database`, or `rediss://…` for TLS by the system's certificates; then the process's cryptography provider of rustls
    /// must have been installed.
    pub url: String,
    /// Stands before all keys. Default `fm:`.
    pub prefix: String,
    /// Longest time for one call, a wait for the connection included. Default 300 ms: a request asks the source of credentials then, and must not have
    /// waited long for a cache.
    pub deadline: Duration,
    /// Longest time for one attempt to connect; nobody waits for it but at the start. Default 3 s.
    pub connect_deadline: Duration,
}

impl RedisSettings {
    /// The defaults, for this server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "fm:".to_owned(),
            deadline: Duration::from_millis(300),
            connect_deadline: Duration::from_secs(3),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // the URL has a password in it
        f.debug_struct("RedisSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
