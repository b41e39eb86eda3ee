//! The features of Envoy that a network filter can see, and how the emulator has them.

use std::fmt::Write as _;

use crate::program::Program;

/// A feature of Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// The feature, as the page of the harness names it.
    pub name: &'static str,
    /// How the emulator has it, and what compares it with real Envoy.
    pub state: State,
}

/// How the emulator has a feature.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Random programs with this tag are compared with real Envoy.
    Programs(&'static str),
    /// Random scenarios of one proxy, or named ones, are compared with real Envoy; this script
    /// action or key occurs in them.
    Scenarios,
    /// Random exchanges of two sidecars are compared with real Envoy.
    Exchanges,
    /// It is emulated, and the tests of the model have it, but no run of real Envoy.
    Emulated,
    /// It is not emulated, for this reason.
    Missing(&'static str),
}

use State::{Emulated, Exchanges, Missing, Programs, Scenarios};

const fn feature(name: &'static str, state: State) -> Feature {
    Feature { name, state }
}

/// All features, in the order of the page.
pub const FEATURES: &[Feature] = &[
    feature("Contexts, callbacks and their order", Scenarios),
    feature(
        "Buffers: get, set, size, access outside of the callback",
        Scenarios,
    ),
    feature(
        "`Pause` and resumption (`proxy_continue_stream`)",
        Programs("pause-and-continue"),
    ),
    feature(
        "Closing by a filter (`proxy_close_stream`)",
        Programs("close-by-a-filter"),
    ),
    feature(
        "Properties, filter state, `declare_property`, CEL expressions",
        Scenarios,
    ),
    feature("Metrics", Scenarios),
    feature("Two sidecars in a row", Programs("two-sidecars")),
    feature("Different modules", Programs("another-module")),
    feature("Several filters in one chain", Programs("several-filters")),
    feature("`rbac` in the chain", Programs("rbac")),
    feature("`sni_cluster` in the chain", Programs("sni_cluster")),
    feature(
        "`set_filter_state` in the chain",
        Programs("set_filter_state"),
    ),
    feature(
        "`connection_limit` in the chain",
        Programs("connection_limit"),
    ),
    feature(
        "A cluster by the filter state `envoy.tcp_proxy.cluster`",
        Programs("cluster-by-filter-state"),
    ),
    feature("Several filter chains", Programs("filter-chains")),
    feature(
        "A chain by server name (SNI)",
        Programs("chain-by-server-name"),
    ),
    feature("A chain by ALPN", Programs("chain-by-alpn")),
    feature(
        "A chain by transport protocol",
        Programs("chain-by-transport-protocol"),
    ),
    feature(
        "A chain with a cluster of its own",
        Programs("cluster-of-a-chain"),
    ),
    feature("TLS between the sidecars", Programs("tls")),
    feature(
        "Certificates with several URI SANs",
        Programs("several-sans"),
    ),
    feature(
        "TLS without a client certificate",
        Programs("tls-without-client-certificate"),
    ),
    feature("SNI", Programs("sni")),
    feature("ALPN", Programs("alpn")),
    feature(
        "Data of a server before the TLS handshake is over",
        Exchanges,
    ),
    feature("JA4 fingerprints in the filter state", Exchanges),
    feature(
        "Overlapping connections",
        Programs("overlapping-connections"),
    ),
    feature(
        "`upstream_connect_mode`, `max_early_data_bytes`",
        Programs("connect-mode"),
    ),
    feature("Half close", Programs("half-close")),
    feature("Closed sockets", Programs("close")),
    feature("Resets", Programs("reset")),
    feature("Both applications write at once", Programs("both-at-once")),
    feature("Idle timeout of tcp_proxy", Programs("idle-timeout")),
    feature(
        "Limit of connections to a cluster (circuit breaker)",
        Programs("max-connections"),
    ),
    feature(
        "Limit of the read buffer (watermarks, `read_disable`)",
        Programs("buffer-limit"),
    ),
    feature("Ticks and changes of their period", Programs("ticks")),
    feature("Shared data between plugins", Programs("shared-data")),
    feature("Queues between plugins", Programs("queues")),
    feature("Failure policy FAIL_CLOSED", Programs("fail-closed")),
    feature("Failure policy FAIL_OPEN", Programs("fail-open")),
    feature("Failure policy FAIL_RELOAD", Programs("reload")),
    feature("Listener update", Programs("update")),
    feature("Drain after a listener update", Programs("drain")),
    feature("Capability restriction", Emulated),
    feature("An endpoint that refuses connections", Emulated),
    feature(
        "One VM for several plugins with the same `vm_id`, module and VM configuration",
        Missing("each plugin has VMs of its own"),
    ),
    feature(
        "Applications that do not read (write buffers, their watermarks)",
        Missing("the kernel holds an amount of bytes that depends on the system"),
    ),
    feature(
        "Half close switched off",
        Missing("tcp_proxy always has it on"),
    ),
    feature(
        "TLS handshakes that fail after the ClientHello, early data of TLS 1.3",
        Missing("TLS records are not emulated"),
    ),
    feature(
        "HTTP filters, HTTP and gRPC calls",
        Missing("the harness is for network filters"),
    ),
];

/// How many of the programs have each tag, in the order of [`FEATURES`].
#[must_use]
pub fn mix(programs: &[Program]) -> Vec<(&'static str, usize)> {
    let count = |tag| {
        programs
            .iter()
            .filter(|one| one.features.contains(tag))
            .count()
    };
    let tags = FEATURES.iter().filter_map(|feature| match feature.state {
        Programs(tag) => Some((tag, count(tag))),
        _ => None,
    });
    tags.collect()
}

/// The table of all features, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut text =
        "| Envoy feature | Emulated | Compared with real Envoy |\n| --- | --- | --- |\n".to_owned();
    for Feature { name, state } in FEATURES {
        let (emulated, compared) = match state {
            Programs(tag) => ("yes", format!("random programs, `{tag}`")),
            Scenarios => ("yes", "random and named scenarios".to_owned()),
            Exchanges => ("yes", "random exchanges".to_owned()),
            Emulated => ("yes", "no".to_owned()),
            Missing(reason) => ("no", format!("no: {reason}")),
        };
        let _infallible = writeln!(text, "| {name} | {emulated} | {compared} |");
    }
    text
}

const BEGIN: &str = "<!-- cargo differential --features -->\n";
const END: &str = "<!-- end of the features -->\n";

/// The page with the current table between its two marks; `None` without marks.
#[must_use]
pub fn with_table(page: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{}{END}{after}", table()))
}
