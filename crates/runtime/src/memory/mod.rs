//! Adapters that keep everything in this process: the embedded form's cache, limits and bus, and what the distributed form falls back on.

mod bus;
mod credential_cache;
mod rate_limiter;

pub use bus::EmbeddedBus;
pub use credential_cache::MemoryCredentialCache;
pub use rate_limiter::MemoryRateLimiter;
