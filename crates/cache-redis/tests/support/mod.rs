use std::sync::Arc;
use std::time::Duration;

use cache_redis::{RedisLink, RedisSettings};

/// Keys of its own on a server that others use too. Patient: the machine is busy with tests, and what is tested here are answers.
pub(crate) fn settings(url: &str) -> RedisSettings {
    RedisSettings {
        prefix: format!("test-{:016x}:", rand::random::<u64>()),
        deadline: Duration::from_secs(10),
        ..RedisSettings::new(url)
    }
}

pub(crate) fn link(settings: &RedisSettings) -> Arc<RedisLink> {
    Arc::new(RedisLink::start(settings.clone()).unwrap())
}
