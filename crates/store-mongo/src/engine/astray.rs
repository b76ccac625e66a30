//! What this process has asked for without hearing whether it got it: the answer was lost with the connection, or whoever asked has gone in the middle of
//! it. Leases are of this kind: what they hold would lie idle until they end.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

/// More are left to themselves.
const MOST: usize = 1024;

#[derive(Debug)]
pub(crate) struct Astray<T>(Mutex<Vec<T>>);

impl<T> Default for Astray<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Something that is being asked for. Dropped before it is known what became of it, it has gone astray.
#[derive(Debug)]
pub(crate) struct Attempt<'a, T> {
    astray: &'a Astray<T>,
    asked: Option<T>,
}

impl<T> Attempt<'_, T> {
    /// It is known what became of it, and somebody cares for what it brought.
    pub(crate) fn settle(mut self) {
        self.asked = None;
    }
}

impl<T> Deref for Attempt<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.asked.as_ref().expect("it is there until the value goes")
    }
}

impl<T> Drop for Attempt<'_, T> {
    fn drop(&mut self) {
        if let Some(asked) = self.asked.take() {
            let mut all = self.astray.all();
            if all.len() < MOST {
                all.push(asked);
            }
        }
    }
}

impl<T> Astray<T> {
    pub(crate) fn attempt(&self, asked: T) -> Attempt<'_, T> {
        Attempt { astray: self, asked: Some(asked) }
    }

    /// Those that are wanted; each stays astray until it is said to be known. What has ended is forgotten.
    pub(crate) fn take(
        &self,
        has_ended: impl Fn(&T) -> bool,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Vec<Attempt<'_, T>> {
        let mut all = self.all();
        all.retain(|asked| !has_ended(asked));
        all.extract_if(.., |asked| is_wanted(asked)).map(|asked| self.attempt(asked)).collect()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_unknown_is_astray_until_it_is_known_or_has_ended() {
        let astray = Astray::default();
        let all = || astray.take(|_| false, |_| true).into_iter().map(|attempt| *attempt).collect::<Vec<_>>();
        astray.attempt(1).settle();
        assert!(all().is_empty());
        drop([astray.attempt(2), astray.attempt(3), astray.attempt(4)]);
        assert_eq!(all(), [2, 3, 4]);
        for attempt in astray.take(|asked| *asked == 2, |asked| *asked == 3) {
            attempt.settle();
        }
        assert_eq!(all(), [4]);
        drop((0..2 * MOST).map(|n| astray.attempt(n)).collect::<Vec<_>>());
        assert_eq!(all().len(), MOST);
    }
}
