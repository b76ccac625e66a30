//! Waiting for a condition, with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a condition may take on a busy machine before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; fails after [`PATIENCE`] with what was waited for.
///
/// # Errors
/// The first error of `ask`, or that the deadline has passed.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let began = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, ask()).await {
            Ok(answer) => {
                if let Some(answer) = answer? {
                    return Ok(answer);
                }
            }
            Err(_) => bail!("waited {} s in vain for {what}", PATIENCE.as_secs()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
