//! The peer in the filter state of a native exchange filter.
//!
//! Istio 1.24 and later, and Envoy contrib: a `google.protobuf.Struct` under `downstream_peer` in
//! the connection's filter state, or `upstream_peer` in its upstream connection's. The host returns
//! it as a list of pairs if it can select its fields, and otherwise as an encoded message.

use peer_exchange::Struct;
use prost::Message as _;

use crate::config::PEER_MAPS;
use crate::host::attributes::pairs;
use crate::labels::Workload;

/// The peer's labels in the property's bytes.
pub(crate) fn read(raw: &[u8]) -> Option<Workload> {
    let fields = fields(raw)?;
    Some(Workload {
        workload: fields.string("workload").to_owned(),
        canonical_service: fields.string("service").to_owned(),
        canonical_revision: fields.string("revision").to_owned(),
        namespace: fields.string("namespace").to_owned(),
        principal: fields.string("identity").to_owned(),
        app: fields.string("app").to_owned(),
        version: fields.string("version").to_owned(),
        cluster: fields.string("cluster").to_owned(),
    })
}

/// All fields of the peer in the property's bytes: the additional labels of Istio 1.25 and later
/// are in the map `labels`. A value that is no text is left out.
pub(crate) fn fields(raw: &[u8]) -> Option<Struct> {
    let Some(pairs) = pairs::parse(raw) else {
        return Struct::decode(raw).ok();
    };
    let mut fields = Struct::default();
    for (name, value) in pairs {
        if PEER_MAPS.contains(&name) {
            fields.insert(name, texts(&pairs::parse(value).unwrap_or_default()));
        } else if let Ok(text) = std::str::from_utf8(value) {
            fields.insert(name, text);
        }
    }
    Some(fields)
}

/// The members of a map that are texts.
fn texts(pairs: &[(&str, &[u8])]) -> Struct {
    let mut members = Struct::default();
    for (name, value) in pairs {
        if let Ok(text) = std::str::from_utf8(value) {
            members.insert(*name, text);
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's encoding of a map.
    fn map(members: &[(&str, &[u8])]) -> Vec<u8> {
        let len = |len: usize| u32::try_from(len).expect("short").to_le_bytes();
        let mut raw = len(members.len()).to_vec();
        for (key, value) in members {
            raw.extend([len(key.len()), len(value.len())].concat());
        }
        for (key, value) in members {
            raw.extend([key.as_bytes(), &[0], value, &[0]].concat());
        }
        raw
    }

    #[test]
    fn a_map_and_a_message_give_the_same_peer() {
        let long = "x".repeat(200);
        let labels = map(&[("role", b"primary"), ("long", long.as_bytes())]);
        let pairs = map(&[
            ("workload", b"v1"),
            ("app", b"a"),
            ("type", b"deployment"),
            ("labels", &labels),
        ]);
        let mut message =
            Struct::from_iter([("workload", "v1"), ("app", "a"), ("type", "deployment")]);
        let labels = Struct::from_iter([("role", "primary"), ("long", &long)]);
        message.insert("labels", labels);
        for raw in [pairs, message.encode_to_vec()] {
            let peer = read(&raw).expect("a peer");
            assert_eq!((peer.workload.as_str(), peer.app.as_str()), ("v1", "a"));
            assert_eq!(peer.version, "");
            assert_eq!(fields(&raw), Some(message.clone()));
        }
    }

    #[test]
    fn values_that_are_not_text_are_left_out() {
        let labels = map(&[("role", b"\xff"), ("zone", b"a")]);
        let raw = map(&[("name", b"\xff"), ("app", b"a"), ("labels", &labels)]);
        let mut expected = Struct::from_iter([("app", "a")]);
        expected.insert("labels", Struct::from_iter([("zone", "a")]));
        assert_eq!(fields(&raw), Some(expected));
        let no_map = map(&[("labels", b"a=b")]);
        let empty = Struct::from_iter([("labels", Struct::default())]);
        assert_eq!(fields(&no_map), Some(empty));
        assert_eq!(fields(b"\xff\xff\xff\xff"), None);
    }
}
