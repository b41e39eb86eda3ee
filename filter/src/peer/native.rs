//! The peer that a native exchange filter left in the filter state.
//!
//! Istio 1.24 and later, and Envoy contrib: a `google.protobuf.Struct` under `downstream_peer` in
//! the connection's filter state, or `upstream_peer` in its upstream connection's.

use std::collections::BTreeMap;

use peer_exchange::Struct;
use prost::Message as _;

use crate::host::Host;
use crate::labels::{Reporter, Workload};

/// The peer, if a native filter told of one.
pub(crate) fn read<H: Host>(host: &H, reporter: Reporter) -> Option<Workload> {
    let path = match reporter {
        Reporter::Source => ["upstream_filter_state", "upstream_peer"],
        Reporter::Destination | Reporter::Waypoint => ["filter_state", "downstream_peer"],
    };
    let mut fields = fields(&host.property(&path).ok()??)?;
    let mut field = |name| fields.remove(name).unwrap_or_default();
    Some(Workload {
        workload: field("workload"),
        canonical_service: field("service"),
        canonical_revision: field("revision"),
        namespace: field("namespace"),
        principal: field("identity"),
        app: field("app"),
        version: field("version"),
        cluster: field("cluster"),
    })
}

/// The strings of an object. The host gives one that it can walk as a list of pairs, any other,
/// such as one that another plugin left, as the message that it is.
fn fields(raw: &[u8]) -> Option<BTreeMap<String, String>> {
    pairs(raw).or_else(|| {
        let message = Struct::decode(raw).ok()?;
        let mut fields = BTreeMap::new();
        for (name, value) in &message.fields {
            fields.insert(name.clone(), value.as_str().to_owned());
        }
        Some(fields)
    })
}

/// Reads `count, (key length, value length)*, (key NUL value NUL)*`, the lengths in 4 little-endian
/// bytes. Values that are no text are left out.
fn pairs(raw: &[u8]) -> Option<BTreeMap<String, String>> {
    let (count, mut lengths) = length(raw)?;
    let sizes = count.checked_mul(8)?;
    let mut bytes = lengths.get(sizes..)?;
    let mut pairs = BTreeMap::new();
    for _ in 0..count {
        let (key, rest) = length(lengths)?;
        let (value, rest) = length(rest)?;
        lengths = rest;
        let (key, rest) = text(bytes, key)?;
        let (value, rest) = text(rest, value)?;
        bytes = rest;
        if let (Ok(key), Ok(value)) = (key, value) {
            pairs.insert(key.to_owned(), value.to_owned());
        }
    }
    bytes.is_empty().then_some(pairs)
}

fn length(raw: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = raw.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

/// The text of this length and what follows the NUL behind it.
fn text(raw: &[u8], length: usize) -> Option<(Result<&str, std::str::Utf8Error>, &[u8])> {
    let (text, rest) = raw.split_at_checked(length)?;
    Some((std::str::from_utf8(text), rest.strip_prefix(&[0])?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    const PAIRS: &[u8] =
        b"\x02\0\0\0\x08\0\0\0\x02\0\0\0\x03\0\0\0\x01\0\0\0workload\0v1\0app\0a\0";

    fn expected() -> Workload {
        Workload {
            workload: "v1".to_owned(),
            app: "a".to_owned(),
            ..Workload::default()
        }
    }

    #[test]
    fn a_map_and_a_message_say_the_same() {
        let message = Struct::from_iter([("workload", "v1"), ("app", "a")]).encode_to_vec();
        for raw in [PAIRS, &message] {
            let host = FakeHost::default();
            host.set("filter_state.downstream_peer", raw);
            assert_eq!(read(&&host, Reporter::Destination), Some(expected()));
            assert_eq!(read(&&host, Reporter::Source), None);
        }
    }

    #[test]
    fn what_is_cut_short_tells_nothing() {
        for end in 0..PAIRS.len() {
            let cut = PAIRS.get(..end).expect("a part");
            assert_eq!(pairs(cut), None, "{end}");
        }
        assert_eq!(pairs(b"\xff\xff\xff\xff"), None);
        assert_eq!(fields(b"\xff\xff\xff\xff"), None);
    }
}
