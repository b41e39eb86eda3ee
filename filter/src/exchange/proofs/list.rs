//! A list of proofs as it is stored: per proof `END NAME` and NUL, where `END` is when it ends,
//! in milliseconds since the Unix epoch.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

/// How many proofs a list has.
const MAX: usize = 16;

/// The longest name, in bytes: Envoy limits the name of a cluster to less.
const MAX_NAME: usize = 1024;

/// Proofs by the name of the server, the latest at the end.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct List(VecDeque<Entry>);

#[derive(Debug, Eq, PartialEq)]
struct Entry {
    until: Duration,
    name: String,
}

impl List {
    /// Decodes a stored list. Anything else has no proofs.
    pub(super) fn decode(raw: &[u8]) -> Self {
        let entries = std::str::from_utf8(raw).ok().and_then(|text| {
            let entries = text.split_terminator('\0').map(Entry::decode);
            entries.collect::<Option<_>>()
        });
        Self(entries.unwrap_or_default())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = String::new();
        for entry in &self.0 {
            // Writing to a string does not fail.
            let _ = write!(text, "{} {}\0", entry.until.as_millis(), entry.name);
        }
        text.into_bytes()
    }

    /// How long the server's proof is valid from `now` on.
    pub(super) fn left(&self, name: &str, now: Duration) -> Option<Duration> {
        let entry = self.0.iter().find(|entry| entry.name == name)?;
        let left = entry.until.checked_sub(now)?;
        (!left.is_zero()).then_some(left)
    }

    /// Adds a proof, or renews it. A full list drops the one that was renewed first.
    pub(super) fn insert(&mut self, name: &str, now: Duration, until: Duration) {
        self.0
            .retain(|entry| entry.until > now && entry.name != name);
        if name.len() > MAX_NAME || name.contains('\0') {
            return;
        }
        if self.0.len() >= MAX {
            self.0.pop_front();
        }
        self.0.push_back(Entry {
            until,
            name: name.to_owned(),
        });
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|entry| entry.name != name);
    }
}

impl Entry {
    fn decode(text: &str) -> Option<Self> {
        let (until, name) = text.split_once(' ')?;
        Some(Self {
            until: Duration::from_millis(until.parse().ok()?),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_stored_list_is_decoded() {
        let mut list = List::default();
        list.insert("a cluster\n10.0.0.1:1", at(0), at(1));
        list.insert("b\n[::1]:1", at(0), at(2));
        assert_eq!(List::decode(&list.encode()), list);
        assert_eq!(List::decode(b""), List::default());
    }

    #[test]
    fn other_bytes_have_no_proofs() {
        for raw in [&b"x"[..], b"1 a\0x", b"-1 a\0", b"\xff", b"a b\0"] {
            assert_eq!(List::decode(raw), List::default(), "{raw:?}");
        }
    }

    #[test]
    fn a_proof_ends() {
        let mut list = List::default();
        list.insert("a", at(0), at(10));
        assert_eq!(list.left("a", at(4)), Some(at(6)));
        assert_eq!(list.left("a", at(10)), None);
        assert_eq!(list.left("a", at(11)), None);
        assert_eq!(list.left("b", at(0)), None);
        list.insert("b", at(10), at(20));
        assert_eq!(list.0.len(), 1, "ended proofs are dropped");
    }

    #[test]
    fn a_proof_is_renewed_and_removed() {
        let mut list = List::default();
        list.insert("a", at(0), at(10));
        list.insert("a", at(5), at(15));
        assert_eq!(list.left("a", at(10)), Some(at(5)));
        assert_eq!(list.0.len(), 1);
        list.remove("a");
        assert_eq!(list, List::default());
    }

    #[test]
    fn a_full_list_drops_the_oldest_proof() {
        let mut list = List::default();
        for number in 0..MAX {
            list.insert(&number.to_string(), at(0), at(10));
        }
        list.insert("0", at(0), at(10));
        list.insert("new", at(0), at(10));
        assert_eq!(list.0.len(), MAX);
        assert_eq!(list.left("1", at(0)), None);
        assert!(list.left("0", at(0)).is_some());
        assert!(list.left("new", at(0)).is_some());
    }

    #[test]
    fn a_name_that_cannot_be_stored_has_no_proof() {
        let mut list = List::default();
        list.insert("a\0b", at(0), at(10));
        list.insert(&"a".repeat(MAX_NAME + 1), at(0), at(10));
        assert_eq!(list, List::default());
    }
}
