//! How long to wait before trying again.

use std::time::Duration;

/// Growing pauses between attempts at something that fails: doubling from 100 ms to 4 s, with up to a quarter taken away at random, so that those
/// who failed together do not come back together.
#[derive(Debug, Clone)]
pub struct RetryDelay {
    next: Duration,
    most: Duration,
}

impl RetryDelay {
    /// First pause.
    pub const FIRST: Duration = Duration::from_millis(100);
    /// Longest pause: work goes on within ten seconds after whatever it needs is back, also where one such loop waits for another.
    pub const MOST: Duration = Duration::from_secs(4);

    /// Pauses that grow to `most`.
    pub const fn up_to(most: Duration) -> Self {
        Self { next: Self::FIRST, most }
    }

    /// The next pause.
    pub fn next_delay(&mut self) -> Duration {
        let whole = self.next.min(self.most);
        self.next = (self.next * 2).min(self.most);
        whole.mul_f64(1.0 - 0.25 * rand::random::<f64>())
    }

    /// It worked: the next pause is a short one again.
    pub fn reset(&mut self) {
        self.next = Self::FIRST;
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
        let mut delay = RetryDelay::default();
        let pauses: Vec<_> = (0..10).map(|_| delay.next_delay()).collect();
        assert!(pauses[0] <= RetryDelay::FIRST && pauses[0] >= RetryDelay::FIRST.mul_f64(0.75));
        assert!(pauses[9] <= RetryDelay::MOST && pauses[9] >= RetryDelay::MOST.mul_f64(0.75));
        delay.reset();
        assert!(delay.next_delay() <= RetryDelay::FIRST);
    }
}
