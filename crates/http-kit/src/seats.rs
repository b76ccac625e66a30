//! Places for streams of events: so many in all, and of one person. Whoever opens one too many is not refused, but loses the oldest one: a stream whose client
//! has gone without a word must not keep its person out.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::UserId;
use tokio_util::sync::CancellationToken;

/// Places for streams.
pub struct Seats {
    most: usize,
    most_of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Places that are taken, also by streams that were told to end and have not yet.
    count: usize,
    next: u64,
    of: HashMap<UserId, Own>,
}

/// The streams of one person.
#[derive(Default)]
struct Own {
    /// The oldest first.
    seated: VecDeque<(u64, CancellationToken)>,
    /// Streams that were told to end and have not yet: their clients take nothing.
    leaving: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSeat {
    /// All are taken.
    Full,
    /// This person's streams do not end although they were told to.
    Stuck,
}

impl Seats {
    /// So many places in all, and at most so many (at least one) of one person.
    pub fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one: most_of_one.max(1), taken: Mutex::default() }
    }

    /// A place, until what is returned is dropped. If the person has enough of them, their oldest stream is told to end.
    ///
    /// # Errors
    /// Where there is none, why.
    pub fn take(self: &Arc<Self>, user: UserId) -> Result<Seat, NoSeat> {
        let mut taken = self.lock();
        if taken.count >= self.most {
            return Err(NoSeat::Full);
        }
        let number = taken.next;
        let own = taken.of.entry(user).or_default();
        if own.seated.len() >= self.most_of_one {
            // bounded, or one who reads nothing could take all places
            if own.leaving >= self.most_of_one {
                return Err(NoSeat::Stuck);
            }
            if let Some((_, oldest)) = own.seated.pop_front() {
                oldest.cancel();
                own.leaving += 1;
            }
        }
        let ended = CancellationToken::new();
        own.seated.push_back((number, ended.clone()));
        taken.next += 1;
        taken.count += 1;
        Ok(Seat { seats: Arc::clone(self), user, number, ended })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
pub struct Seat {
    seats: Arc<Seats>,
    user: UserId,
    number: u64,
    ended: CancellationToken,
}

impl Seat {
    /// Comes when the place is somebody else's: the stream has to end.
    pub async fn lost(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        taken.count -= 1;
        let Some(own) = taken.of.get_mut(&self.user) else { return };
        match own.seated.iter().position(|(number, _)| *number == self.number) {
            Some(at) => drop(own.seated.remove(at)),
            None => own.leaving -= 1,
        }
        if own.seated.is_empty() && own.leaving == 0 {
            taken.of.remove(&self.user);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn user(byte: u8) -> UserId {
        UserId::from_bytes([byte; 12])
    }

    fn is_lost(seat: &Seat) -> bool {
        seat.lost().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_one_person_makes_room() {
        let seats = Arc::new(Seats::new(10, 2));
        let (one, two) = (seats.take(user(1)).unwrap(), seats.take(user(1)).unwrap());
        let other = seats.take(user(2)).unwrap();
        assert!(!is_lost(&one));
        let three = seats.take(user(1)).unwrap();
        assert_eq!([&one, &two, &three, &other].map(is_lost), [true, false, false, false]);
        // one that ends by itself makes room, too
        drop(two);
        let four = seats.take(user(1)).unwrap();
        assert_eq!([&three, &four].map(is_lost), [false, false]);
        drop((one, three, four, other));
        let taken = seats.lock();
        assert!(taken.of.is_empty() && taken.count == 0);
    }

    #[test]
    fn streams_that_do_not_end_are_bounded_for_all_and_for_one() {
        let seats = Arc::new(Seats::new(5, 2));
        let mut all: Vec<_> = (0..4).map(|_| seats.take(user(1)).unwrap()).collect();
        assert_eq!(seats.take(user(1)).err(), Some(NoSeat::Stuck));
        all.push(seats.take(user(2)).unwrap());
        assert_eq!(seats.take(user(3)).err(), Some(NoSeat::Full));
        // the first two are those that were told to end
        drop(all.remove(0));
        seats.take(user(1)).unwrap();
        drop(all);
        assert!(seats.lock().of.is_empty());
    }
}
