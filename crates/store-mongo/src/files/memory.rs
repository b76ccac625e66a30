//! What this process remembers to ask the database less. It may forget anything at any time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// The latest facts. When it is full, it begins anew and keeps the generation before for a while: what is in use is put in again.
pub(super) struct Recent<K, V> {
    generations: Mutex<[HashMap<K, V>; 2]>,
    /// Facts in a generation.
    limit: usize,
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { generations: Mutex::new([HashMap::new(), HashMap::new()]), limit }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        // nothing in here can fail half way
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = generations[0].get(key) {
            return Some(value.clone());
        }
        let (key, value) = generations[1].remove_entry(key)?;
        insert(&mut generations, self.limit, key, value.clone());
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        insert(&mut generations, self.limit, key, value);
    }
}

fn insert<K: Eq + Hash, V>(generations: &mut [HashMap<K, V>; 2], limit: usize, key: K, value: V) {
    if generations[0].len() >= limit {
        generations.swap(0, 1);
        generations[0].clear();
    }
    generations[0].insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_is_kept_and_the_rest_is_bounded() {
        let recent = Recent::new(10);
        recent.put(0, 'a');
        for key in 1..100 {
            recent.put(key, 'b');
            assert_eq!(recent.get(&0), Some('a'));
        }
        assert_eq!(recent.get(&1), None);
        let kept: usize = recent.generations.lock().unwrap().iter().map(HashMap::len).sum();
        assert!(kept <= 20);
    }
}
