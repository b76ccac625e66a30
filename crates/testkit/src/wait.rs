//! Waiting for a condition, never for a time. A deadline that passes is a failure, not a measure.

use std::future::Future;
use std::time::Duration;

use common::{PortError, PortResult};
use tokio::time::{sleep, timeout};

/// Longest wait, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// What a future gives, which must not hang.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens before the deadline")
}

/// Looks again and again until it holds.
///
/// # Panics
/// After [`PATIENCE`].
pub async fn until(mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            sleep(PAUSE).await;
        }
    })
    .await;
}

/// Calls again and again until a part that was away works again.
///
/// # Panics
/// If it says anything but that this part is unavailable, and after [`PATIENCE`].
pub async fn recovered<T>(part: &str, call: impl AsyncFn() -> PortResult<T>) -> T {
    soon(async {
        loop {
            match call().await {
                Ok(value) => return value,
                Err(error) => assert_unavailable(part, &error),
            }
            sleep(PAUSE).await;
        }
    })
    .await
}

/// # Panics
/// If the error says anything but that this part is unavailable.
#[track_caller]
pub fn assert_unavailable(part: &str, error: &PortError) {
    assert!(matches!(error, PortError::Unavailable { part: found, .. } if *found == part), "{error:?}");
}
