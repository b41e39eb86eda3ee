//! A list of proofs as it is stored. Per proof: when it ends, in milliseconds since the Unix epoch
//! (8 bytes), the length of the server's name (2 bytes), both little-endian, and the name.

/// How many proofs a list has.
const MAX: usize = 16;

/// The longest name, in bytes. A server with a longer one has no proof.
const MAX_NAME: usize = 1024;

/// Proofs by the name of the server, the latest at the end. Other bytes have no proofs.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct List(Vec<u8>);

#[derive(Clone, Copy, Debug)]
struct Entry<'a> {
    until: u64,
    name: &'a str,
}

impl List {
    /// The list in a stored value.
    pub(super) fn new(raw: Vec<u8>) -> Self {
        Self(raw)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How long the server's proof is valid from `now` on, in milliseconds.
    pub(super) fn left(&self, name: &str, now: u64) -> Option<u64> {
        let entry = self.entries().find(|entry| entry.name == name)?;
        let left = entry.until.checked_sub(now)?;
        (left > 0).then_some(left)
    }

    /// The list with a new or renewed proof. A full list drops the one that was renewed first.
    pub(super) fn with(&self, name: &str, now: u64, until: u64) -> Self {
        let others = self
            .entries()
            .filter(|entry| entry.until > now && entry.name != name);
        let surplus = (others.clone().count() + 1).saturating_sub(MAX);
        let entry = Entry { until, name };
        let entry = (name.len() <= MAX_NAME).then_some(entry);
        others.skip(surplus).chain(entry).collect()
    }

    /// The list without the server's proof.
    pub(super) fn without(&self, name: &str) -> Self {
        self.entries().filter(|entry| entry.name != name).collect()
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> + Clone {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (entry, behind) = Entry::decode(rest)?;
            rest = behind;
            Some(entry)
        })
    }
}

impl<'a> FromIterator<Entry<'a>> for List {
    fn from_iter<I: IntoIterator<Item = Entry<'a>>>(entries: I) -> Self {
        let mut raw = Vec::new();
        for entry in entries {
            entry.encode(&mut raw);
        }
        Self(raw)
    }
}

impl<'a> Entry<'a> {
    fn decode(raw: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (until, raw) = raw.split_first_chunk()?;
        let (len, raw) = raw.split_first_chunk()?;
        let (name, behind) = raw.split_at_checked(u16::from_le_bytes(*len).into())?;
        let entry = Self {
            until: u64::from_le_bytes(*until),
            name: std::str::from_utf8(name).ok()?,
        };
        Some((entry, behind))
    }

    fn encode(self, raw: &mut Vec<u8>) {
        let len = u16::try_from(self.name.len()).unwrap_or_default();
        raw.extend(self.until.to_le_bytes());
        raw.extend(len.to_le_bytes());
        raw.extend(self.name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> u64 {
        seconds * 1000
    }

    fn with(names: &[&str]) -> List {
        let list = List::default();
        let add = |list: List, name: &&str| list.with(name, at(0), at(10));
        names.iter().fold(list, add)
    }

    fn names(list: &List) -> Vec<&str> {
        list.entries().map(|entry| entry.name).collect()
    }

    #[test]
    fn other_bytes_have_no_proofs() {
        assert_eq!(names(&List::default()), [""; 0]);
        for raw in [&b"x"[..], &[0; 9], &[1; 20], b"01234567\x01\x00\xff"] {
            assert_eq!(names(&List(raw.to_vec())), [""; 0], "{raw:?}");
        }
    }

    #[test]
    fn a_proof_ends() {
        let list = with(&["a"]);
        assert_eq!(list.left("a", at(4)), Some(at(6)));
        assert_eq!(list.left("a", at(10)), None);
        assert_eq!(list.left("a", at(11)), None);
        assert_eq!(list.left("b", at(0)), None);
        let list = list.with("b", at(10), at(20));
        assert_eq!(names(&list), ["b"], "ended proofs are dropped");
    }

    #[test]
    fn a_proof_is_renewed_and_removed() {
        let list = with(&["a", "b"]).with("a", at(5), at(15));
        assert_eq!(names(&list), ["b", "a"]);
        assert_eq!(list.left("a", at(10)), Some(at(5)));
        assert_eq!(names(&list.without("a")), ["b"]);
        assert_eq!(list.without("c"), list);
    }

    #[test]
    fn a_full_list_drops_the_oldest_proof() {
        let all: Vec<_> = (0..MAX).map(|number| number.to_string()).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let list = with(&all);
        assert_eq!(names(&list), all);
        let list = list.with("0", at(0), at(10)).with("new", at(0), at(10));
        assert_eq!(names(&list), [&all[2..], &["0", "new"]].concat());
    }

    #[test]
    fn a_name_that_is_too_long_has_no_proof() {
        let longest = "a".repeat(MAX_NAME);
        assert_eq!(names(&with(&[&longest])), [&longest]);
        assert_eq!(names(&with(&["b", &format!("{longest}a")])), ["b"]);
    }
}
