//! What istiod configures for `exchange-instead-of-native` on Istio's own proxy, and what no
//! overlay changes.

use manifests::golden::{EXCHANGE, STATS, Side};
use serde_json::Value;

use super::configured::{FILTER, PROXY, expect, golden, modes};

#[test]
fn a_replacement_leaves_one_active_exchange_filter_per_stream() {
    let installed = golden("native.exchange-instead-of-native");
    let counted: &[&str] = &[EXCHANGE, STATS, FILTER, PROXY];
    expect(
        &installed.server,
        &[
            ("virtualInbound/tls/istio", &[FILTER, STATS, PROXY]),
            ("virtualInbound/tls", counted),
            ("virtualInbound/raw_buffer", counted),
        ],
    );
    // Behind Istio's filter, this filter has no exchange.
    let expected = [
        ("virtualInbound/raw_buffer", "off"),
        ("virtualInbound/tls", "off"),
        ("virtualInbound/tls/istio", "on"),
    ];
    let expected = expected.map(|(chain, mode)| (chain.to_owned(), mode.to_owned()));
    assert_eq!(modes(&installed.server), expected);

    let strict = golden("native.exchange-instead-of-native.strict").server;
    expect(&strict, &[("virtualInbound/tls", counted)]);
    let only = ("virtualInbound/tls".to_owned(), "off".to_owned());
    assert_eq!(modes(&strict), [only]);
}

/// The protocols of the exchange filters of clusters. A filter of a cluster cannot be removed.
fn protocols(side: &Side) -> Vec<(&str, &str)> {
    let clusters = side.cluster_filters().into_iter();
    let filters = clusters.flat_map(|(name, filters)| filters.iter().map(move |it| (name, it)));
    filters
        .map(|(name, filter)| {
            assert_eq!(filter["name"], EXCHANGE);
            let protocol = &filter["typedConfig"]["value"]["protocol"];
            (name, protocol.as_str().unwrap())
        })
        .collect()
}

/// No client negotiates the ALPN `disabled`, and other clusters are unchanged.
#[test]
fn a_replacement_turns_the_filter_of_the_clients_cluster_off() {
    let database = "outbound|27017||mongodb.shop.svc.cluster.local";
    let other = ("PassthroughCluster", "istio-peer-exchange");
    for (name, protocol) in [
        ("native.nothing", "istio-peer-exchange"),
        ("native.exchange-instead-of-native", "disabled"),
    ] {
        let client = golden(name).client;
        assert_eq!(protocols(&client), [other, (database, protocol)], "{name}");
    }
}

/// Replaces what an overlay may change.
fn mask(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("extensions");
            for (name, member) in members {
                match name.as_str() {
                    "filters" | "listenerFilters" | "alpnProtocols" => *member = Value::Null,
                    _ => mask(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

/// The listeners, chains, matches, clusters and TLS contexts are those of a pod without an overlay.
#[test]
fn overlays_change_nothing_but_filters_and_the_alpn_of_the_server() {
    for (name, without) in [
        ("stock.exchange", "stock.nothing"),
        ("stock.uninstall", "stock.nothing"),
        ("stock.telemetry-only", "stock.nothing"),
        ("stock.traffic-extension", "stock.nothing"),
        ("stock.exchange.strict", "stock.nothing.strict"),
        ("stock.exchange.disable", "stock.nothing.disable"),
        ("native.exchange-instead-of-native", "native.nothing"),
        ("native.telemetry-only", "native.nothing"),
        ("native.telemetry-instead-of-native", "native.nothing"),
        ("native.traffic-extension", "native.nothing"),
        (
            "native.exchange-instead-of-native.strict",
            "native.nothing.strict",
        ),
    ] {
        let [with, without] = [name, without].map(|name| {
            let mut own = golden(name);
            for side in [&mut own.client, &mut own.server] {
                // A client's cluster without filters has no such member.
                for cluster in side.document_mut()["clusters"].as_array_mut().unwrap() {
                    cluster.as_object_mut().unwrap().remove("filters");
                }
                mask(side.document_mut());
            }
            own
        });
        assert_eq!(with, without, "{name}");
    }
}

/// Chains for other ports, of which the files have the names of the filters.
#[test]
fn overlays_do_not_change_chains_for_other_ports() {
    let others = |name: &str| -> Vec<Value> {
        let server = golden(name).server;
        let chains = server.document()["listeners"][0]["filterChains"].clone();
        let mut chains = chains.as_array().unwrap().clone();
        chains.retain(|chain| chain["name"] != "0.0.0.0_27017");
        assert!(!chains.is_empty(), "{name}");
        chains
    };
    for (name, without) in [
        ("stock.exchange", "stock.nothing"),
        ("stock.telemetry-only", "stock.nothing"),
        ("native.exchange-instead-of-native", "native.nothing"),
        ("native.telemetry-only", "native.nothing"),
    ] {
        assert_eq!(others(name), others(without), "{name}");
    }
}
