//! The questions of the probe filter: properties and host calls, in every callback.

use std::fmt::Write as _;

/// The callbacks, in the order in which a connection has them. The first two are those of the root
/// context.
pub(crate) const MOMENTS: [&str; 10] = [
    "configure",
    "tick",
    "new_connection",
    "downstream_data",
    "upstream_data",
    "upstream_close",
    "downstream_close",
    "done",
    "log",
    "delete",
];

/// The part of an answer that is the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A text that differs between runs, such as an address or a digest.
    AnyText,
    /// An integer of 8 bytes.
    Number,
    /// An integer of 8 bytes that differs between runs.
    AnyNumber,
    /// One byte.
    Flag,
    /// The encoding of a message or a map: whether it is empty.
    Whole,
}

use Kind::{AnyNumber, AnyText, Flag, Number, Text, Whole};

/// Property paths with `/` between their parts. Envoy's documentation of attributes lists most;
/// some are of other proxies or of HTTP, and a network filter must not find them.
pub(crate) const PROPERTIES: &[(Kind, &[&str])] = &[
    (
        Whole,
        &[
            "source",
            "destination",
            "connection",
            "upstream",
            "request",
            "response",
            "xds",
        ],
    ),
    (AnyText, &["source/address", "destination/address"]),
    (AnyNumber, &["source/port", "destination/port"]),
    (AnyNumber, &["connection_id", "connection/id"]),
    (Flag, &["connection/mtls"]),
    (
        Text,
        &[
            "connection/requested_server_name",
            "connection/tls_version",
            "connection/dns_san_local_certificate",
            "connection/dns_san_peer_certificate",
            "connection/uri_san_local_certificate",
            "connection/uri_san_peer_certificate",
            "connection/termination_details",
            "connection/transport_failure_reason",
            "connection/alpn",
            "connection/ja3_fingerprint",
        ],
    ),
    (
        AnyText,
        &[
            "connection/subject_local_certificate",
            "connection/subject_peer_certificate",
        ],
    ),
    (
        AnyText,
        &[
            "upstream/subject_local_certificate",
            "upstream/subject_peer_certificate",
        ],
    ),
    (AnyText, &["connection/sha256_peer_certificate_digest"]),
    (AnyText, &["upstream/address", "upstream/local_address"]),
    (
        AnyNumber,
        &["upstream/port", "upstream/cx_pool_ready_duration"],
    ),
    (
        Number,
        &["upstream/num_endpoints", "upstream/request_attempt_count"],
    ),
    (Whole, &["upstream/locality"]),
    (
        Text,
        &[
            "upstream/transport_failure_reason",
            "upstream/tls_version",
            "upstream/dns_san_local_certificate",
            "upstream/dns_san_peer_certificate",
            "upstream/uri_san_local_certificate",
            "upstream/uri_san_peer_certificate",
            "upstream/alpn",
        ],
    ),
    (AnyText, &["upstream/sha256_peer_certificate_digest"]),
    (
        Whole,
        &[
            "xds/node",
            "xds/node/metadata",
            "xds/node/locality",
            "xds/node/user_agent_build_version",
        ],
    ),
    (
        Whole,
        &[
            "xds/node/dynamic_parameters",
            "xds/node/client_features",
            "xds/node/listening_addresses",
        ],
    ),
    (
        Text,
        &[
            "xds/node/id",
            "xds/node/cluster",
            "xds/node/metadata/key",
            "xds/node/locality/region",
            "xds/node/locality/zone",
            "xds/node/locality/sub_zone",
            "xds/node/user_agent_name",
            "xds/node/user_agent_version",
        ],
    ),
    (
        Number,
        &["xds/node/user_agent_build_version/version/minor_number"],
    ),
    (
        Text,
        &[
            "xds/cluster_name",
            "xds/filter_chain_name",
            "xds/route_name",
            "xds/virtual_host_name",
        ],
    ),
    (
        Text,
        &[
            "xds/cluster_metadata/filter_metadata/space/key",
            "xds/upstream_host_metadata/filter_metadata/space/key",
        ],
    ),
    (
        Whole,
        &[
            "xds/cluster_metadata",
            "xds/upstream_host_metadata",
            "xds/upstream_host_locality_metadata",
            "xds/listener_metadata",
            "xds/route_metadata",
            "xds/virtual_host_metadata",
        ],
    ),
    (Number, &["xds/listener_direction"]),
    (
        Whole,
        &[
            "node",
            "cluster_metadata",
            "upstream_host_metadata",
            "listener_metadata",
            "route_metadata",
        ],
    ),
    (
        Text,
        &[
            "node/id",
            "cluster_name",
            "route_name",
            "filter_chain_name",
            "virtual_host_name",
        ],
    ),
    (Number, &["listener_direction"]),
    (Text, &["plugin_name", "plugin_root_id", "plugin_vm_id"]),
    (
        Text,
        &[
            "request/path",
            "request/url_path",
            "request/host",
            "request/scheme",
            "request/method",
            "request/referer",
            "request/useragent",
            "request/id",
            "request/protocol",
            "request/query",
        ],
    ),
    (
        Whole,
        &["request/headers", "response/headers", "response/trailers"],
    ),
    (
        AnyNumber,
        &[
            "request/time",
            "request/duration",
            "response/backend_latency",
        ],
    ),
    (
        Number,
        &[
            "request/size",
            "request/total_size",
            "request/headers_bytes",
        ],
    ),
    (
        Number,
        &[
            "response/size",
            "response/total_size",
            "response/headers_bytes",
        ],
    ),
    (
        Number,
        &["response/code", "response/flags", "response/grpc_status"],
    ),
    (Text, &["response/code_details"]),
    (
        Whole,
        &[
            "metadata",
            "metadata/filter_metadata",
            "filter_state",
            "upstream_filter_state",
            "no",
            "no/such",
        ],
    ),
];

/// Calls with a status that depends on the callback or the version, by a name.
pub(crate) const CALLS: &[(&str, &str)] = &[
    ("size of downstream data", "size downstream"),
    ("size of upstream data", "size upstream"),
    ("get downstream data", "get downstream 0 1"),
    ("get upstream data", "get upstream 0 1"),
    ("set upstream data, no change", "set upstream 0 0"),
    ("get VM configuration", "get vm_configuration 0 1"),
    ("get plugin configuration", "get plugin_configuration 0 1"),
    ("set property", "set_property survey v"),
    ("get unknown shared data", "get_shared none"),
    ("resolve unknown queue", "resolve_queue none none"),
    ("define metric", "define counter survey"),
];

/// Foreign functions: those of stock Envoy, and of other proxies. Each with an argument for which
/// it does not answer NotFound, which would look as if it did not exist.
pub(crate) const FUNCTIONS: &[(&str, &str)] = &[
    ("clear_route_cache", ""),
    ("clear_route_cluster", ""),
    ("compress", "x"),
    // `{name: "declared"}`
    ("declare_property", "hex:0a086465636c61726564"),
    ("expr_create", "plugin_name"),
    ("expr_delete", ""),
    ("expr_evaluate", ""),
    ("no_such_function", ""),
    ("refresh_route_cluster", ""),
    // `{path: "envoy.string", value: "v", span: DownstreamConnection}`
    (
        "set_envoy_filter_state",
        "hex:0a0c656e766f792e737472696e67120176 1802",
    ),
    ("sign", ""),
    ("uncompress", ""),
    ("verify_signature", ""),
];

/// The probe's action that calls a foreign function.
pub(crate) fn function((name, argument): (&str, &str)) -> String {
    let argument = argument.replace(' ', "");
    format!("foreign {name} {argument}").trim_end().to_owned()
}

/// The script that asks all questions in all callbacks.
pub(crate) fn script() -> String {
    let properties = PROPERTIES.iter().flat_map(|(_, paths)| *paths);
    let mut actions: Vec<_> = properties.map(|path| format!("property {path}")).collect();
    actions.extend(CALLS.iter().map(|(_, action)| (*action).to_owned()));
    actions.extend(FUNCTIONS.iter().copied().map(function));
    let actions = actions.join("; ");
    let mut script = String::new();
    for moment in MOMENTS {
        // A data callback comes twice, with the bytes and with the end.
        let first = if moment.ends_with("_data") { "#1" } else { "" };
        let _written = writeln!(script, "{moment}{first}: {actions}");
    }
    script + "configure: tick 100\ntick: tick 0\n"
}
