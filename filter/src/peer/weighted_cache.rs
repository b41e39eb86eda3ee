//! A cache with a limit on the sum of its entries' weights.

use std::hash::Hash;
use std::rc::Rc;

use hashbrown::{Equivalent, HashMap};

/// The limit, in bytes: several hundred peers.
const MAX_WEIGHT: usize = 1024 * 1024;

/// The weight of an entry without its value. It bounds the number of entries: peers choose the
/// keys, and may choose ones with equal hashes.
const ENTRY_WEIGHT: usize = 1024;

/// Values by key. A full cache drops all of them: its memory is bounded, whatever peers send, and
/// the values are computed again.
#[derive(Debug)]
pub(crate) struct WeightedCache<K, V> {
    entries: HashMap<K, Rc<V>>,
    weight: usize,
}

impl<K, V> Default for WeightedCache<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            weight: 0,
        }
    }
}

impl<K: Eq + Hash, V> WeightedCache<K, V> {
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Rc<V>> {
        self.entries.get(key).map(Rc::clone)
    }

    /// Adds a value of about `weight` bytes.
    pub(crate) fn insert(&mut self, key: K, weight: usize, value: V) -> Rc<V> {
        let value = Rc::new(value);
        let weight = weight.saturating_add(ENTRY_WEIGHT);
        if weight > MAX_WEIGHT {
            return value;
        }
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT {
            self.entries.clear();
            self.weight = weight;
        }
        self.entries.insert(key, Rc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_key() {
        let mut cache = WeightedCache::default();
        assert_eq!(cache.get(&1), None);
        let one = cache.insert(1, 1, "one");
        assert!(Rc::ptr_eq(&one, &cache.get(&1).expect("it was put there")));
    }

    #[test]
    fn a_full_cache_removes_all_other_entries() {
        let mut cache = WeightedCache::default();
        const ALL: usize = MAX_WEIGHT - ENTRY_WEIGHT;
        cache.insert(1, ALL, "one");
        cache.insert(2, ALL + 1, "too much");
        assert_eq!((cache.get(&2), cache.get(&1).is_some()), (None, true));
        cache.insert(3, 0, "three");
        assert_eq!((cache.get(&1), cache.get(&3).is_some()), (None, true));
        cache.insert(4, ALL - ENTRY_WEIGHT, "four");
        assert!(cache.get(&3).is_some());
    }
}
