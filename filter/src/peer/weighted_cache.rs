//! What was found out once and need not be found out again.

use std::hash::Hash;
use std::rc::Rc;

use hashbrown::{Equivalent, HashMap};

/// How many bytes a cache holds, as the weights of its values count them: several hundred peers.
const MAX_WEIGHT: usize = 1024 * 1024;

/// What every entry weighs beside its value's own weight. It bounds how many there are: keys are
/// the peers' choice, and who knows the hash can have all of them collide.
const ENTRY_WEIGHT: usize = 1024;

/// Values by what they follow from. A full cache forgets all of them, so what peers can fill it
/// with is bounded, and only costs the time to find it out again.
#[derive(Debug)]
pub(crate) struct Cache<K, V> {
    known: HashMap<K, Rc<V>>,
    weight: usize,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self {
            known: HashMap::default(),
            weight: 0,
        }
    }
}

impl<K: Eq + Hash, V> Cache<K, V> {
    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Rc<V>> {
        self.known.get(key).map(Rc::clone)
    }

    /// Remembers a value of about `weight` bytes.
    pub(crate) fn insert(&mut self, key: K, weight: usize, value: V) -> Rc<V> {
        let value = Rc::new(value);
        let weight = weight.saturating_add(ENTRY_WEIGHT);
        if weight > MAX_WEIGHT {
            return value;
        }
        self.weight = self.weight.saturating_add(weight);
        if self.weight > MAX_WEIGHT {
            self.known.clear();
            self.weight = weight;
        }
        self.known.insert(key, Rc::clone(&value));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_key() {
        let mut cache = Cache::default();
        assert_eq!(cache.get(&1), None);
        let one = cache.insert(1, 1, "one");
        assert!(Rc::ptr_eq(&one, &cache.get(&1).expect("it was put there")));
    }

    #[test]
    fn a_full_cache_forgets_everything_else() {
        let mut cache = Cache::default();
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
