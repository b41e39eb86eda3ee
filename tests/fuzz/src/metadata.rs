//! The peer's metadata.

use peer_exchange::{MAGIC, METADATA_KEY, TYPE_URL};
use prost::Message as _;
use tcp_peer_stats_core::host::Buffer;
use tcp_peer_stats_core::{Naming, Plugin};

use crate::host::FakeHost;
use crate::source::Source;
use crate::{exchange, stats};

const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/client";

/// For any metadata of a peer, no byte after its frame changes, the stats have valid labels, the
/// certificate's namespace takes precedence, and the published peer is a valid `Struct`.
pub fn metadata(input: &[u8]) {
    let mut source = Source::new(input);
    let depth = source.byte() % 3;
    let payload = wrap(depth, source.rest());
    let length = u32::try_from(payload.len()).unwrap();
    let frame = [&MAGIC, length.to_be_bytes().as_slice(), &payload].concat();

    let mut host = FakeHost::default();
    host.set("xds.listener_direction", 1_i64.to_le_bytes());
    host.set("connection.mtls", [1]);
    host.set("connection.tls_version", "TLSv1.3");
    host.set("connection.uri_san_peer_certificate", CLIENT);
    let plugin = Plugin::configure(&host, 1, b"{}").expect("the defaults");
    let stream = [&frame, b"payload".as_slice()].concat();
    let events = [
        (Buffer::Downstream, stream.as_slice(), false),
        (Buffer::Upstream, b"answer", false),
    ];
    let (to_server, to_client) = exchange::run(&plugin, &host, &events).expect("a connection");
    if length > peer_exchange::DEFAULT_MAX_PAYLOAD {
        assert!(to_server.is_empty() && host.closed.get());
    } else {
        assert_eq!(to_server, b"payload");
        assert!(to_client.ends_with(b"answer") && to_client.starts_with(&MAGIC));
    }

    let naming = Naming::default();
    stats::check(&host, &naming);
    let namespaces = stats::values(&host, &naming, "source_workload_namespace");
    assert!(
        namespaces.iter().all(|namespace| namespace == "default"),
        "{namespaces:?}"
    );
    if let Some(workload) = workload(&frame) {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let short = workload.len() <= naming.max_value_len;
        if !workload.is_empty() && short && workload.chars().all(plain) {
            assert!(stats::values(&host, &naming, "source_workload").contains(&workload));
        }
    }
    for published in host.published.borrow().iter() {
        peer_exchange::Struct::decode(published.as_slice()).expect("a Struct");
    }
    for metric in ["connections_opened_total", "connections_closed_total"] {
        assert_eq!(host.sum(metric), 1, "{metric}");
    }
}

/// The workload that a frame names.
fn workload(frame: &[u8]) -> Option<String> {
    match peer_exchange::Decoder::default().decode(frame).decoded {
        peer_exchange::Decoded::Frame(payload) => {
            Some(payload.frame().ok()?.metadata()?.workload_name)
        }
        _ => None,
    }
}

/// Wraps `content` as a frame's payload (depth 0), as the `Struct` in it (1) or as the metadata in
/// that `Struct` (2).
fn wrap(depth: u8, content: &[u8]) -> Vec<u8> {
    let content = match depth {
        0 => return content.to_vec(),
        1 => content.to_vec(),
        _ => {
            let value = field(5, content);
            field(
                1,
                &[field(1, METADATA_KEY.as_bytes()), field(2, &value)].concat(),
            )
        }
    };
    [field(1, TYPE_URL.as_bytes()), field(2, &content)].concat()
}

/// A length-delimited field.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut field).expect("room");
    field.extend(content);
    field
}
