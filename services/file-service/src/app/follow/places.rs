//! Where somebody is in the trees that they follow.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::{SpaceId, UserId};
use http_kit::cursor::{self, CursorKey};

/// Trees that one stream follows at most, the person's own among them.
pub(super) const TREES: usize = 50;

/// Places in trees: all that happened up to these numbers has been told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(pub(super) BTreeMap<SpaceId, u64>);

impl Places {
    /// Reads [`Places::text`] of the same person; none if it is none.
    pub(crate) fn parse(key: &CursorKey, user: UserId, text: &str) -> Option<Self> {
        let of = bound_to(user);
        // until the version before, places were signed alone
        let text: String = cursor::decode(key, &of, text).or_else(|_| cursor::verify(key, &of, text)).ok()?;
        let mut places = BTreeMap::new();
        for part in text.split('.') {
            let (space, seq) = part.split_once('-')?;
            if places.insert(SpaceId::parse(space).ok()?, seq.parse().ok()?).is_some() || places.len() > TREES
            {
                return None;
            }
        }
        Some(Self(places))
    }

    /// The text by which a client comes back. It is sealed for this person, as cursors are: nobody chooses from where on they
    /// are told of others' files, nor reads how much happens to those that they do not see.
    pub(crate) fn text(&self, key: &CursorKey, user: UserId) -> String {
        let mut text = String::new();
        for (space, seq) in &self.0 {
            let dot = if text.is_empty() { "" } else { "." };
            let _ = write!(text, "{dot}{space}-{seq}");
        }
        cursor::encode(key, &bound_to(user), &text)
    }
}

fn bound_to(user: UserId) -> String {
    format!("events:{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_were_written_by_whose_they_are() {
        let key = CursorKey::new(&[1; 32]);
        let (ann, bob) = (UserId::from_bytes([3; 12]), UserId::from_bytes([4; 12]));
        let (one, two) = (SpaceId::from_bytes([1; 12]), SpaceId::from_bytes([2; 12]));
        for places in [vec![(one, 0)], vec![(one, 7), (two, u64::MAX)]] {
            let places = Places(places.into_iter().collect());
            let text = places.text(&key, ann);
            assert_eq!(Places::parse(&key, ann, &text), Some(places));
            assert_eq!(Places::parse(&key, bob, &text), None);
            assert_eq!(Places::parse(&CursorKey::new(&[2; 32]), ann, &text), None);
        }
        let many = (0..=TREES).map(|n| format!("{n:024x}-1")).collect::<Vec<_>>().join(".");
        let (no_number, twice) = (format!("{one}-"), format!("{one}-1.{one}-2"));
        for wrong in ["", "1", "x-1", &no_number, &twice, &many] {
            assert_eq!(Places::parse(&key, ann, &cursor::encode(&key, &bound_to(ann), &wrong)), None);
        }
        let older = cursor::sign(&key, &bound_to(ann), &format!("{one}-7"));
        assert_eq!(Places::parse(&key, ann, &older), Some(Places([(one, 7)].into())));
        assert_eq!(Places::parse(&key, bob, &older), None);
        // one that nobody sealed
        assert_eq!(Places::parse(&key, ann, &format!("{one}-0")), None);
    }
}
