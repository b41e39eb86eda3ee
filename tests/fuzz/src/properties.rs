//! The properties of the host.

use tcp_peer_stats_core::host::Buffer;
use tcp_peer_stats_core::{Naming, Plugin};

use crate::host::FakeHost;
use crate::source::Source;
use crate::{exchange, stats};

const PATHS: [&str; 19] = [
    "xds.node",
    "node",
    "filter_state.downstream_peer",
    "upstream_filter_state.upstream_peer",
    "xds.cluster_name",
    "cluster_name",
    "xds.cluster_metadata.filter_metadata.istio.services.0",
    "xds.upstream_host_metadata.filter_metadata.istio.workload",
    "filter_state.tcp_peer_stats.client_ja4",
    "connection.mtls",
    "connection.tls_version",
    "connection.uri_san_peer_certificate",
    "connection.uri_san_local_certificate",
    "connection.requested_server_name",
    "upstream.address",
    "upstream.uri_san_peer_certificate",
    "response.flags",
    "destination.port",
    "xds.filter_chain_name",
];

const CONFIGURATIONS: [&str; 4] = [
    r#"{"peer_exchange": {"mode": "off"}}"#,
    "{}",
    r#"{"peer_exchange": {"mode": "on"}, "extended_metrics": true}"#,
    r#"{"reporter": "SERVER_GATEWAY", "limits": {"max_label_length": 16}}"#,
];

/// For any values of properties, a plugin starts, passes all bytes on, has valid stats names and
/// counts its connection.
pub fn properties(input: &[u8]) {
    let mut source = Source::new(input);
    let configuration = source.one_of(&CONFIGURATIONS);
    let mut host = FakeHost::default();
    host.set(
        "xds.listener_direction",
        i64::from(source.byte()).to_le_bytes(),
    );
    while !source.is_empty() {
        let path = source.one_of(&PATHS);
        let length = usize::from(source.short());
        host.set(path, source.bytes(length));
    }
    let plugin =
        Plugin::configure(&host, 1, configuration.as_bytes()).expect("a valid configuration");
    let events = [
        (Buffer::Downstream, b"query".as_slice(), false),
        (Buffer::Upstream, b"answer", false),
        (Buffer::Downstream, b"", true),
    ];
    let (to_server, to_client) = exchange::run(&plugin, &host, &events).expect("a connection");
    assert!(to_server.ends_with(b"query"));
    assert!(to_client.ends_with(b"answer"));
    let mut naming = Naming::default();
    if configuration.contains("max_label_length") {
        naming.max_value_len = 16;
    }
    stats::check(&host, &naming);
    for (metric, count) in [
        ("istio_tcp_connections_opened_total", 1),
        ("istio_tcp_connections_closed_total", 1),
        ("istio_tcp_received_bytes_total", 5),
        ("istio_tcp_sent_bytes_total", 6),
    ] {
        assert_eq!(host.sum(metric), count, "{metric}");
    }
}
