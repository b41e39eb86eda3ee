//! What istiod configures for the overlays on proxies without Istio's own filters, and for the
//! overlays of telemetry on Istio's own proxy.

use std::collections::BTreeMap;

use manifests::golden::{EXCHANGE, Golden, STATS, Side, list};
use manifests::kustomize;
use mesh::workspace;
use serde_json::{Value, json};

/// The plugin as istiod names it, from a WasmPlugin and from a TrafficExtension.
const PLUGIN: &str =
    "extensions.istio.io/trafficextension/shop.tcp-peer-stats~istio-translated-wasmplugin";
const EXTENSION: &str = "extensions.istio.io/trafficextension/shop.tcp-peer-stats";
pub(super) const FILTER: &str = "tcp_peer_stats";
/// The network filter with the client's fingerprint, and the inspector that computes it.
pub(super) const JA4: &str = "tcp_peer_stats.client_ja4";
const ORIGINAL_DST: &str = "envoy.filters.listener.original_dst";
const TLS_INSPECTOR: &str = "envoy.filters.listener.tls_inspector";
const HTTP_INSPECTOR: &str = "envoy.filters.listener.http_inspector";
pub(super) const PROXY: &str = "envoy.filters.network.tcp_proxy";

pub(super) fn golden(name: &str) -> Golden {
    Golden::read(name).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) fn expect(side: &Side, expected: &[(&str, &[&str])]) {
    let expected: BTreeMap<_, _> = expected
        .iter()
        .map(|(chain, filters)| ((*chain).to_owned(), filters.to_vec()))
        .collect();
    assert_eq!(side.filters(), expected);
}

/// The modes of the filter in the chains that have it.
pub(super) fn modes(side: &Side) -> Vec<(String, String)> {
    let filters = side.named(FILTER).into_iter();
    let modes = filters.map(|(chain, filter)| {
        let text = filter.pointer("/typedConfig/config/configuration/value");
        let value: Value = serde_json::from_str(text.unwrap().as_str().unwrap()).unwrap();
        let mode = value["peer_exchange"]["mode"].as_str().unwrap().to_owned();
        (chain, mode)
    });
    modes.collect()
}

#[test]
fn telemetry_follows_istios_exchange_filter_on_the_selected_port_only() {
    for (name, plugin) in [
        ("native.telemetry-only", PLUGIN),
        ("native.telemetry-instead-of-native", PLUGIN),
        ("native.traffic-extension", EXTENSION),
    ] {
        let installed = golden(name);
        expect(
            &installed.client,
            &[
                ("10.96.0.27_27017", &[plugin, STATS, PROXY]),
                ("virtualOutbound", &[STATS, PROXY]),
            ],
        );
        let tcp: &[&str] = &[EXCHANGE, plugin, STATS, PROXY];
        expect(
            &installed.server,
            &[
                ("virtualInbound/tls/istio", tcp),
                ("virtualInbound/tls", tcp),
                ("virtualInbound/raw_buffer", tcp),
            ],
        );
    }
}

/// The values of `drop` in Istio's stats filters.
fn dropped(side: &Side) -> Vec<Vec<&str>> {
    let filters = side.named(STATS).into_iter();
    let dropped = filters.map(|(_, filter)| {
        let metrics = list(filter, "/typedConfig/metrics").iter();
        let off = metrics.filter(|metric| metric["drop"] == true);
        off.map(|metric| metric["name"].as_str().unwrap()).collect()
    });
    dropped.collect()
}

#[test]
fn istios_stats_filter_drops_its_four_metrics_where_this_filter_has_their_names() {
    let four = [
        "tcp_connections_closed_total",
        "tcp_connections_opened_total",
        "tcp_received_bytes_total",
        "tcp_sent_bytes_total",
    ];
    for (name, expected) in [
        ("native.telemetry-only", [].as_slice()),
        ("native.telemetry-instead-of-native", &four),
        ("native.exchange-instead-of-native", &four),
    ] {
        let installed = golden(name);
        for side in [&installed.client, &installed.server] {
            let dropped = dropped(side);
            assert!(dropped.len() >= 2, "{name}");
            assert!(
                dropped.iter().all(|own| own == expected),
                "{name}: {dropped:?}"
            );
        }
    }
}

#[test]
fn the_plugin_fails_open_and_has_its_own_names_of_metrics() {
    for name in ["stock.telemetry-only", "stock.traffic-extension"] {
        let installed = golden(name);
        for side in [&installed.client, &installed.server] {
            let [plugin] = list(side.document(), "/extensions") else {
                panic!("{name}");
            };
            let config = &plugin["typedConfig"]["config"];
            assert_eq!(config["failurePolicy"], "FAIL_OPEN", "{name}");
            let uri = "oci://registry.example.com/tcp-peer-stats:0.1.0";
            assert_eq!(config["vmConfig"]["code"]["remote"]["httpUri"]["uri"], uri);
            let own: Value =
                serde_json::from_str(config["configuration"]["value"].as_str().unwrap()).unwrap();
            let expected =
                json!({ "peer_exchange": { "mode": "off" }, "stat_prefix": "peer_stats" });
            assert_eq!(own, expected, "{name}");
        }
    }
}

// Shows: envoy-config/istio/README.md, "The server's filter is in every chain of the port"
#[test]
fn the_exchange_filter_is_first_in_inbound_chains_and_last_in_outbound_chains() {
    for (name, mode) in [("stock.exchange", "auto"), ("stock.uninstall", "receive")] {
        let installed = golden(name);
        expect(
            &installed.client,
            &[
                ("10.96.0.27_27017", &[FILTER, PROXY]),
                ("virtualOutbound", &[PROXY]),
            ],
        );
        let tcp: &[&str] = &[JA4, FILTER, PROXY];
        expect(
            &installed.server,
            &[
                ("virtualInbound/tls/istio", tcp),
                ("virtualInbound/tls", tcp),
                ("virtualInbound/raw_buffer", tcp),
            ],
        );
        for side in [&installed.client, &installed.server] {
            assert!(modes(side).iter().all(|(_, own)| own == mode), "{name}");
        }
        let inspectors = [ORIGINAL_DST, TLS_INSPECTOR, JA4, HTTP_INSPECTOR];
        assert_eq!(installed.server.listener_filters(), inspectors);
    }
}

/// On any other port, which may be under DISABLE, the inspector would wait for the first bytes of a
/// client that waits for the server's.
#[test]
fn the_fingerprint_is_computed_on_the_port_of_the_filter_only() {
    let server = golden("stock.exchange").server;
    let filters = list(server.document(), "/listeners/0/listenerFilters").iter();
    let [inspector] = filters.filter(|it| it["name"] == JA4).collect::<Vec<_>>()[..] else {
        panic!("no inspector");
    };
    let range = json!({ "notMatch": { "destinationPortRange": { "start": 27017, "end": 27018 } } });
    assert_eq!(inspector["filterDisabled"], range);
}

/// The ALPN list of every chain with a TLS context.
fn alpn(side: &Side) -> BTreeMap<String, Vec<&str>> {
    let chains = side.chains().into_iter();
    let with_tls = chains.filter(|(_, chain)| chain.get("transportSocket").is_some());
    let place = "/transportSocket/typedConfig/commonTlsContext/alpnProtocols";
    with_tls
        .map(|(name, chain)| {
            let protocols = list(chain, place).iter().filter_map(Value::as_str);
            (name, protocols.collect())
        })
        .collect()
}

/// The ALPN is appended to the list of the chain for mutual TLS. The chain that passes an
/// application's own TLS gets no transport socket.
#[test]
fn the_alpn_is_negotiated_where_a_chain_matches_it() {
    for (name, chain, expected) in [
        (
            "stock.exchange",
            "virtualInbound/tls/istio",
            ["h2", "http/1.1", "istio-peer-exchange"].as_slice(),
        ),
        (
            "stock.exchange.strict",
            "virtualInbound/tls",
            &["h2", "http/1.1"],
        ),
    ] {
        let server = golden(name).server;
        let expected = BTreeMap::from([(chain.to_owned(), expected.to_vec())]);
        assert_eq!(alpn(&server), expected, "{name}");
    }
}

/// No patch but that of the ALPN depends on the mode. Without a chain for TLS, there is no
/// fingerprint to compute.
#[test]
fn the_exchange_filter_is_in_the_only_chain_of_the_other_modes() {
    for (name, chain, inspectors) in [
        (
            "stock.exchange.strict",
            "virtualInbound/tls",
            [ORIGINAL_DST, TLS_INSPECTOR, JA4].as_slice(),
        ),
        (
            "stock.exchange.disable",
            "virtualInbound/raw_buffer",
            &[ORIGINAL_DST, HTTP_INSPECTOR],
        ),
    ] {
        let installed = golden(name);
        expect(&installed.server, &[(chain, &[JA4, FILTER, PROXY])]);
        assert_eq!(installed.server.listener_filters(), inspectors, "{name}");
        expect(
            &installed.client,
            &[
                ("10.96.0.27_27017", &[FILTER, PROXY]),
                ("virtualOutbound", &[PROXY]),
            ],
        );
    }
}

/// The JSON names of protobuf's fields, as istiod writes them.
fn camel_case(value: &Value) -> Value {
    let name = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |mut whole, word| {
            let (head, tail) = word.split_at(1);
            whole.push_str(&head.to_uppercase());
            whole + tail
        })
    };
    match value {
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, member)| (name(key), camel_case(member)));
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(camel_case).collect(),
        other => other.clone(),
    }
}

/// The files are as old as the overlays. Each filter is there as often as there are chains for it.
#[test]
fn the_filters_are_those_of_the_patches() {
    for (file, overlay) in [
        ("stock.exchange", "exchange"),
        ("stock.uninstall", "uninstall"),
        (
            "native.exchange-instead-of-native",
            "exchange-instead-of-native",
        ),
    ] {
        let installed = golden(file);
        let path = format!("envoy-config/istio/overlays/{overlay}");
        let manifests = kustomize::build(&workspace::root().join(path)).unwrap();
        let mut checked = 0;
        for manifest in manifests.iter().filter(|it| it.kind() == "EnvoyFilter") {
            for patch in manifest.document["spec"]["configPatches"]
                .as_array()
                .unwrap()
            {
                let value = &patch["patch"]["value"];
                if patch["applyTo"] != "NETWORK_FILTER" || value.is_null() {
                    continue;
                }
                let is_inbound = patch["match"]["context"] == "SIDECAR_INBOUND";
                let side = if is_inbound {
                    &installed.server
                } else {
                    &installed.client
                };
                let found = side.named(value["name"].as_str().unwrap());
                let expected = camel_case(value);
                let equal = found.iter().any(|(_, filter)| **filter == expected);
                assert!(equal, "{file}: {expected} is not in {found:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 3, "{file}");
    }
}
