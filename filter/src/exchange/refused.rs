//! Upstream addresses that answered our frame with something else.
//!
//! Writing to them again would break one connection after the other, so they get no frame for a
//! while. The list is bounded and every entry ends by itself: a peer that learns the exchange is
//! found out about.

use hashbrown::HashMap;
use std::time::Duration;

/// How many addresses are remembered.
const MAX: usize = 1024;

/// The addresses and when each is tried again (time since the Unix epoch).
#[derive(Debug, Default)]
pub(crate) struct Refused {
    until: HashMap<Box<str>, Duration>,
}

impl Refused {
    pub(crate) fn is_empty(&self) -> bool {
        self.until.is_empty()
    }

    pub(crate) fn contains(&self, address: &str, now: Duration) -> bool {
        self.until.get(address).is_some_and(|until| now < *until)
    }

    /// Remembers an address for `period`. A full list forgets the one that ends first.
    pub(crate) fn insert(&mut self, address: Box<str>, now: Duration, period: Duration) {
        self.until.retain(|_, until| now < *until);
        if self.until.len() >= MAX && !self.until.contains_key(&address) {
            let first = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some(first) = first.map(|(address, _)| address.clone()) {
                self.until.remove(&first);
            }
        }
        self.until.insert(address, now.saturating_add(period));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(300);

    #[test]
    fn an_address_is_disabled_for_the_period() {
        let mut refused = Refused::default();
        assert!(refused.is_empty());
        refused.insert("a".into(), Duration::ZERO, PERIOD);
        assert!(refused.contains("a", PERIOD - Duration::from_nanos(1)));
        assert!(!refused.contains("a", PERIOD));
        assert!(!refused.contains("b", Duration::ZERO));
    }

    #[test]
    fn expired_entries_are_removed() {
        let mut refused = Refused::default();
        refused.insert("a".into(), Duration::ZERO, PERIOD);
        refused.insert("b".into(), PERIOD, PERIOD);
        assert_eq!(refused.until.len(), 1);
    }

    #[test]
    fn a_full_list_removes_the_entry_that_expires_first() {
        let mut refused = Refused::default();
        for index in 0..=MAX {
            refused.insert(
                index.to_string().into(),
                Duration::from_millis(index as u64),
                PERIOD,
            );
        }
        let now = Duration::from_secs(2);
        assert_eq!(refused.until.len(), MAX);
        assert!(!refused.contains("0", now));
        assert!(refused.contains("1", now));
        assert!(refused.contains(&MAX.to_string(), now));
    }
}
