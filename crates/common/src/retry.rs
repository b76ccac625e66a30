//! How long to wait before trying again.

use std::time::Duration;

/// Longest time after which all works again once what was away is back, wherever one loop of attempts waits for another's connection: the longest pause and
/// the longest wait for a connection are less together.
pub const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Growing pauses between attempts at something that fails: doubling from the first to the longest, with up to a quarter taken away at random, so that those
/// who failed together do not come back together.
#[derive(Debug, Clone)]
pub struct RetryDelay {
    first: Duration,
    next: Duration,
    most: Duration,
}

impl RetryDelay {
    /// First pause.
    pub const FIRST: Duration = Duration::from_millis(100);
    /// Longest pause: work goes on within [`BACK_WITHIN`] after whatever it needs is back.
    pub const MOST: Duration = Duration::from_secs(4);
    /// Longest pause before a connection is tried again that all calls share: short, since each of them fails or goes a longer way meanwhile.
    pub const MOST_FOR_CONNECTIONS: Duration = Duration::from_secs(2);

    /// Pauses that grow to `most`.
    pub const fn up_to(most: Duration) -> Self {
        Self { first: Self::FIRST, next: Self::FIRST, most }
    }

    /// Pauses between attempts to connect: from 50 ms to [`RetryDelay::MOST_FOR_CONNECTIONS`].
    pub const fn for_connections() -> Self {
        let first = Duration::from_millis(50);
        Self { first, next: first, most: Self::MOST_FOR_CONNECTIONS }
    }

    /// The next pause.
    pub fn next_delay(&mut self) -> Duration {
        let whole = self.next.min(self.most);
        self.next = (self.next * 2).min(self.most);
        whole.mul_f64(1.0 - 0.25 * rand::random::<f64>())
    }

    /// It worked: the next pause is a short one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Default for RetryDelay {
    fn default() -> Self {
        Self::up_to(Self::MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_start_over() {
        for (mut delay, first, most) in [
            (RetryDelay::default(), RetryDelay::FIRST, RetryDelay::MOST),
            (RetryDelay::for_connections(), Duration::from_millis(50), RetryDelay::MOST_FOR_CONNECTIONS),
        ] {
            let pauses: Vec<_> = (0..10).map(|_| delay.next_delay()).collect();
            assert!(pauses[0] <= first && pauses[0] >= first.mul_f64(0.75));
            assert!(pauses[9] <= most && pauses[9] >= most.mul_f64(0.75));
            delay.reset();
            assert!(delay.next_delay() <= first);
        }
    }
}
