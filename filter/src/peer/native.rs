//! The peer that a native exchange filter left in the filter state.
//!
//! Istio 1.24 and later, and Envoy contrib: a `google.protobuf.Struct` under `downstream_peer` in
//! the connection's filter state, or `upstream_peer` in its upstream connection's. The host gives
//! one that it can walk as a list of pairs, any other, such as one that another plugin left, as the
//! message that it is.

use peer_exchange::Struct;
use prost::Message as _;

use crate::attributes::pairs;
use crate::labels::Workload;

/// The peer that the property's bytes tell of.
pub(crate) fn read(raw: &[u8]) -> Option<Workload> {
    match pairs::parse(raw) {
        Some(pairs) => Some(workload(|key| pairs::get(&pairs, key))),
        None => {
            let message = Struct::decode(raw).ok()?;
            Some(workload(|key| message.string(key)))
        }
    }
}

fn workload<'a>(field: impl Fn(&str) -> &'a str) -> Workload {
    let field = |name| field(name).to_owned();
    Workload {
        workload: field("workload"),
        canonical_service: field("service"),
        canonical_revision: field("revision"),
        namespace: field("namespace"),
        principal: field("identity"),
        app: field("app"),
        version: field("version"),
        cluster: field("cluster"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_and_a_message_say_the_same() {
        let pairs = b"\x02\0\0\0\x08\0\0\0\x02\0\0\0\x03\0\0\0\x01\0\0\0workload\0v1\0app\0a\0";
        let message = Struct::from_iter([("workload", "v1"), ("app", "a")]).encode_to_vec();
        for raw in [pairs.as_slice(), &message] {
            let peer = read(raw).expect("a peer");
            assert_eq!((peer.workload.as_str(), peer.app.as_str()), ("v1", "a"));
            assert_eq!(peer.version, "");
        }
        assert_eq!(read(b"\xff\xff\xff\xff"), None);
    }
}
