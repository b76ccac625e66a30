//! Places for claims that wait: so many in all, and of one account, so that nobody's programs keep those of others out.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::UserId;

/// The places.
pub(crate) struct WaitingRoom {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    count: usize,
    /// Accounts without a place are not in it.
    of: HashMap<UserId, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// This account has as many as one may have.
    Own,
}

impl WaitingRoom {
    /// So many places in all, and at most so many of one account.
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, taken: Mutex::default() }
    }

    /// A place, until what is returned is dropped.
    ///
    /// # Errors
    /// Where there is none, why.
    pub(crate) fn enter(&self, user: UserId) -> Result<Place<'_>, NoPlace> {
        let mut taken = self.lock();
        let own = taken.of.get(&user).copied().unwrap_or(0);
        // first, since it is the account's own affair
        if own >= self.most_of_one {
            return Err(NoPlace::Own);
        }
        if taken.count >= self.most {
            return Err(NoPlace::Full);
        }
        taken.count += 1;
        taken.of.insert(user, own + 1);
        Ok(Place { room: self, user })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
pub(crate) struct Place<'r> {
    room: &'r WaitingRoom,
    user: UserId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.count -= 1;
        match taken.of.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.of.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_leaves_places_to_others() {
        let (ann, bea) = (UserId::from_bytes([1; 12]), UserId::from_bytes([2; 12]));
        let room = WaitingRoom::new(3, 2);
        let reason = |user| room.enter(user).err();
        let (one, two) = (room.enter(ann).unwrap(), room.enter(ann).unwrap());
        assert_eq!(reason(ann), Some(NoPlace::Own));
        let other = room.enter(bea).unwrap();
        assert_eq!((reason(ann), reason(bea)), (Some(NoPlace::Own), Some(NoPlace::Full)));
        drop(one);
        assert_eq!(reason(ann), None);
        drop((two, other));
        let taken = room.lock();
        assert!(taken.of.is_empty() && taken.count == 0);
    }
}
