//! A cache with a limit on the sum of its entries' weights.

use std::hash::Hash;
use std::rc::Rc;

use hashbrown::{Equivalent, HashMap};

/// The weight of an entry without its value. It bounds the number of entries: peers choose the
/// keys, and may choose ones with equal hashes.
const ENTRY_WEIGHT: usize = 1024;

/// One of so many entries is removed from a full cache. All at once would take a callback too long.
const REMOVED: u32 = 8;

/// Values by key. A full cache removes some of them, chosen at random: its memory is bounded, whatever
/// peers send, and if there are more peers than it has room for, it still has some of them, in
/// whatever order they come.
#[derive(Debug)]
pub(crate) struct WeightedCache<K, V> {
    entries: HashMap<K, Entry<V>>,
    weight: usize,
    max_weight: usize,
    random: Random,
}

#[derive(Debug)]
struct Entry<V> {
    value: Rc<V>,
    weight: usize,
}

impl<K: Eq + Hash, V> WeightedCache<K, V> {
    /// A cache for about `max_weight` bytes.
    pub(crate) fn new(max_weight: usize) -> Self {
        Self {
            entries: HashMap::default(),
            weight: 0,
            max_weight,
            random: Random::default(),
        }
    }

    pub(crate) fn get<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<Rc<V>> {
        self.entries.get(key).map(|entry| Rc::clone(&entry.value))
    }

    /// Adds a value of about `weight` bytes.
    pub(crate) fn insert(&mut self, key: K, weight: usize, value: V) -> Rc<V> {
        let value = Rc::new(value);
        let weight = weight.saturating_add(ENTRY_WEIGHT);
        if weight > self.max_weight {
            return value;
        }
        let entry = Entry {
            value: Rc::clone(&value),
            weight,
        };
        while self.weight.saturating_add(weight) > self.max_weight && !self.entries.is_empty() {
            self.remove_some();
        }
        let replaced = self.entries.insert(key, entry);
        let replaced = replaced.map_or(0, |entry| entry.weight);
        self.weight = self.weight.saturating_sub(replaced).saturating_add(weight);
        value
    }

    fn remove_some(&mut self) {
        let Self {
            entries,
            weight,
            random,
            ..
        } = self;
        entries.retain(|_, entry| {
            let is_kept = random.next() % REMOVED != 0;
            if !is_kept {
                *weight = weight.saturating_sub(entry.weight);
            }
            is_kept
        });
    }
}

/// A sequence of numbers that depend on no input: a linear congruential generator.
#[derive(Debug, Default)]
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        // Of Numerical Recipes. Its high bits are the better ones.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0 >> 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64 * 1024;

    #[test]
    fn a_value_is_found_by_its_key() {
        let mut cache = WeightedCache::new(MAX);
        assert_eq!(cache.get(&1), None);
        let one = cache.insert(1, 1, "one");
        assert!(Rc::ptr_eq(&one, &cache.get(&1).expect("it was put there")));
    }

    #[test]
    fn the_weight_of_all_entries_is_limited() {
        let mut cache = WeightedCache::new(MAX);
        const ALL: usize = MAX - ENTRY_WEIGHT;
        cache.insert(1, ALL, "one");
        cache.insert(2, ALL + 1, "too much");
        assert_eq!((cache.get(&2), cache.get(&1).is_some()), (None, true));
        cache.insert(3, 0, "three");
        assert_eq!((cache.get(&1), cache.get(&3).is_some()), (None, true));
        cache.insert(4, ALL - ENTRY_WEIGHT, "four");
        assert!(cache.get(&3).is_some() && cache.get(&4).is_some());
        assert_eq!(cache.weight, MAX);
    }

    #[test]
    fn a_key_that_is_put_there_again_has_the_weight_of_its_last_value() {
        let mut cache = WeightedCache::new(MAX);
        for weight in [20, 10] {
            cache.insert(1, weight, "value");
        }
        assert_eq!(cache.weight, ENTRY_WEIGHT + 10);
    }

    #[test]
    fn a_full_cache_removes_some_of_its_entries() {
        let mut cache = WeightedCache::new(MAX);
        let room = MAX / ENTRY_WEIGHT;
        (0..=room).for_each(|key| {
            cache.insert(key, 0, ());
        });
        let left = (0..=room).filter(|key| cache.get(key).is_some()).count();
        assert!((room * 3 / 4..room).contains(&left), "{left} of {room}");
    }

    #[test]
    fn too_many_keys_in_turn_are_found_in_part() {
        let mut cache = WeightedCache::new(MAX);
        let room = MAX / ENTRY_WEIGHT;
        let mut turn = || {
            let keys = 0..room + room / 4;
            let is_known = |key: &usize| match cache.get(key) {
                Some(_) => true,
                None => {
                    cache.insert(*key, 0, ());
                    false
                }
            };
            keys.filter(is_known).count()
        };
        turn();
        let found: usize = (0..10).map(|_| turn()).sum();
        assert!(
            found > 10 * room / 2,
            "{found} of {}",
            10 * (room + room / 4)
        );
    }
}
