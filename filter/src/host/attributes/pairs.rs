//! The host's encoding of maps: lists of pairs.

/// The members of a map; `None` if the bytes are no encoded map.
///
/// The encoding is `count, (key length, value length)*, (key NUL value NUL)*`, the lengths in 4
/// little-endian bytes. A map in a map is encoded the same way. Members whose key is not UTF-8 are
/// left out.
pub(crate) fn parse(raw: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let (count, mut lengths) = length(raw)?;
    let sizes = count.checked_mul(8)?;
    let mut bytes = lengths.get(sizes..)?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        let (key, rest) = length(lengths)?;
        let (value, rest) = length(rest)?;
        lengths = rest;
        let (key, rest) = member(bytes, key)?;
        let (value, rest) = member(rest, value)?;
        bytes = rest;
        pairs.extend(std::str::from_utf8(key).ok().map(|key| (key, value)));
    }
    bytes.is_empty().then_some(pairs)
}

/// The value of a key as text; `""` if there is none.
pub(crate) fn get<'a>(pairs: &[(&'a str, &'a [u8])], key: &str) -> &'a str {
    let pair = pairs.iter().find(|(known, _)| *known == key);
    pair.and_then(|(_, value)| std::str::from_utf8(value).ok())
        .unwrap_or_default()
}

fn length(raw: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = raw.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

/// The key or value of this length and what follows the NUL behind it.
fn member(raw: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (member, rest) = raw.split_at_checked(length)?;
    Some((member, rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: &[u8] =
        b"\x02\0\0\0\x08\0\0\0\x02\0\0\0\x03\0\0\0\x01\0\0\0workload\0v1\0app\0a\0";

    #[test]
    fn keys_have_their_values() {
        let pairs = parse(PAIRS).expect("pairs");
        assert_eq!(pairs, [("workload", b"v1".as_slice()), ("app", b"a")]);
        assert_eq!((get(&pairs, "app"), get(&pairs, "version")), ("a", ""));
    }

    #[test]
    fn a_value_that_is_not_text_is_none() {
        let raw = b"\x01\0\0\0\x01\0\0\0\x01\0\0\0k\0\xff\0";
        let pairs = parse(raw).expect("pairs");
        assert_eq!(pairs, [("k", b"\xff".as_slice())]);
        assert_eq!(get(&pairs, "k"), "");
    }

    #[test]
    fn a_key_that_is_not_text_is_left_out() {
        let raw = b"\x01\0\0\0\x01\0\0\0\x01\0\0\0\xff\0v\0";
        assert_eq!(parse(raw), Some(vec![]));
    }

    #[test]
    fn truncated_bytes_have_no_pairs() {
        for end in 0..PAIRS.len() {
            assert_eq!(parse(PAIRS.get(..end).expect("a part")), None, "{end}");
        }
        assert_eq!(parse(b"\xff\xff\xff\xff"), None);
    }
}
