//! The places of the filter in the filter chains, and Istio's remaining native filters.

use std::collections::BTreeMap;

use manifests::pilot::{EXCHANGE, Sidecar};
use serde_json::{Value, json};

use super::support::Install;

const PLUGIN: &str = "default.tcp-peer-stats";
const FILTER: &str = "tcp_peer_stats";
/// The network filter with the client's fingerprint, and the inspector that computes it.
const JA4: &str = "tcp_peer_stats.client_ja4";
const ORIGINAL_DST: &str = "envoy.filters.listener.original_dst";
const TLS_INSPECTOR: &str = "envoy.filters.listener.tls_inspector";
const STATS: &str = "istio.stats";
const RBAC: &str = "envoy.filters.network.rbac";
const PROXY: &str = "envoy.filters.network.tcp_proxy";
const HTTP: &str = "envoy.filters.network.http_connection_manager";

fn chains(sidecar: &Sidecar, expected: &[(&str, &[&str])]) {
    let expected: BTreeMap<String, Vec<String>> = expected
        .iter()
        .map(|(chain, filters)| {
            let filters = filters.iter().map(|&filter| filter.to_owned());
            ((*chain).to_owned(), filters.collect())
        })
        .collect();
    assert_eq!(sidecar.chains(), expected);
}

#[test]
fn every_patch_changes_the_configuration() {
    for install in Install::ALL {
        let (_, _, hits) = install.sidecars();
        assert!(!hits.is_empty());
        for (patch, count) in hits {
            assert!(count > 0, "{install:?}: {patch} changes nothing");
        }
    }
}

#[test]
fn a_pod_without_the_label_is_unchanged() {
    for install in Install::ALL.into_iter().chain(Install::OTHER_MODES) {
        let (client, server, hits) = install.sidecars_labelled("other");
        assert!(
            hits.values().all(|&count| count == 0),
            "{install:?}: {hits:?}"
        );
        let [plain_client, plain_server] = install.unpatched("other");
        assert_eq!(client.chains(), plain_client.chains());
        assert_eq!(server.chains(), plain_server.chains());
    }
}

#[test]
fn telemetry_follows_istios_exchange_filter_on_the_selected_port_only() {
    for install in [Install::TELEMETRY, Install::INSTEAD, Install::EXTENSION] {
        let (client, server, _) = install.sidecars();
        chains(
            &client,
            &[
                ("0.0.0.0_9080", &[HTTP]),
                ("10.96.0.27_27017", &[PLUGIN, STATS, PROXY]),
                ("virtualOutbound", &[STATS, PROXY]),
            ],
        );
        let tcp: &[&str] = &[EXCHANGE, RBAC, PLUGIN, STATS, PROXY];
        chains(
            &server,
            &[
                ("virtualInbound/27017/tls/istio", tcp),
                ("virtualInbound/27017/tls", tcp),
                ("virtualInbound/27017/raw_buffer", tcp),
                ("virtualInbound/9080/tls/istio", &[EXCHANGE, HTTP]),
                ("virtualInbound/9080/raw_buffer", &[EXCHANGE, HTTP]),
            ],
        );
    }
}

#[test]
fn the_exchange_filter_is_first_in_inbound_chains_and_last_in_outbound_chains() {
    for install in [Install::EXCHANGE, Install::UNINSTALL] {
        let (client, server, _) = install.sidecars();
        chains(
            &client,
            &[
                ("0.0.0.0_9080", &[HTTP]),
                ("10.96.0.27_27017", &[FILTER, PROXY]),
                ("virtualOutbound", &[PROXY]),
            ],
        );
        let tcp: &[&str] = &[JA4, FILTER, RBAC, PROXY];
        chains(
            &server,
            &[
                ("virtualInbound/27017/tls/istio", tcp),
                ("virtualInbound/27017/tls", tcp),
                ("virtualInbound/27017/raw_buffer", tcp),
                ("virtualInbound/9080/tls/istio", &[HTTP]),
                ("virtualInbound/9080/raw_buffer", &[HTTP]),
            ],
        );
        let inspectors = [ORIGINAL_DST, TLS_INSPECTOR, JA4];
        assert_eq!(server.listener_filters("virtualInbound"), inspectors);
    }
}

/// On any other port, which may be under DISABLE, the inspector would wait for the first bytes of a
/// client that waits for the server's.
#[test]
fn the_fingerprint_is_computed_on_the_ports_of_the_filter_only() {
    let manifests = Install::EXCHANGE.manifests();
    let server = manifests
        .iter()
        .find(|manifest| manifest.name() == "tcp-peer-stats-server")
        .unwrap();
    let patches = server.document["spec"]["configPatches"].as_array().unwrap();
    let ports: Vec<_> = patches
        .iter()
        .filter_map(|patch| patch.pointer("/match/listener/filterChain/destinationPort"))
        .collect();
    assert_eq!(ports, [27017, 27017, 27017]);
    let inspector = &patches.last().unwrap()["patch"]["value"];
    let range =
        json!({ "not_match": { "destination_port_range": { "start": 27017, "end": 27018 } } });
    assert_eq!(inspector["filter_disabled"], range);
}

/// The ALPN is appended to the list of the chain for mutual TLS. The chain that passes an
/// application's own TLS gets no transport socket.
#[test]
fn the_alpn_is_negotiated_where_a_chain_matches_it() {
    let (_, server, _) = Install::EXCHANGE.sidecars();
    let lists: [(&str, &[&str]); 2] = [
        (
            "virtualInbound/27017/tls/istio",
            &["h2", "http/1.1", "istio-peer-exchange"],
        ),
        ("virtualInbound/9080/tls/istio", &["h2", "http/1.1"]),
    ];
    let expected = lists.map(|(chain, list)| {
        let list = list.iter().map(|&protocol| protocol.to_owned());
        (chain.to_owned(), list.collect())
    });
    assert_eq!(server.alpn(), BTreeMap::from(expected));
}

/// No patch but that of the ALPN depends on the mode. Without a chain for TLS, there is no
/// fingerprint to compute.
#[test]
fn the_exchange_filter_is_in_the_only_chain_of_the_other_modes() {
    for (install, chain, inspectors) in [
        (
            Install::EXCHANGE_STRICT,
            "virtualInbound/27017/tls",
            [ORIGINAL_DST, TLS_INSPECTOR, JA4].as_slice(),
        ),
        (
            Install::EXCHANGE_DISABLE,
            "virtualInbound/27017/raw_buffer",
            &[ORIGINAL_DST],
        ),
    ] {
        let (_, server, hits) = install.sidecars();
        let mut chains = server.chains();
        assert_eq!(chains.remove(chain).unwrap(), [JA4, FILTER, RBAC, PROXY]);
        assert!(chains.keys().all(|chain| chain.contains("/9080/")));
        assert_eq!(server.listener_filters("virtualInbound"), inspectors);
        assert_eq!(hits["tcp-peer-stats-server/2"], 0, "the ALPN, {install:?}");
    }
    let (_, strict, _) = Install::EXCHANGE_STRICT.sidecars();
    let alpn = &strict.alpn()["virtualInbound/27017/tls"];
    assert_eq!(alpn, &["h2", "http/1.1"]);
}

#[test]
fn a_replacement_leaves_one_active_exchange_filter_per_stream() {
    let (client, server, _) = Install::REPLACING.sidecars();
    let counted: &[&str] = &[EXCHANGE, RBAC, STATS, FILTER, PROXY];
    chains(
        &server,
        &[
            (
                "virtualInbound/27017/tls/istio",
                &[FILTER, RBAC, STATS, PROXY],
            ),
            ("virtualInbound/27017/tls", counted),
            ("virtualInbound/27017/raw_buffer", counted),
            ("virtualInbound/9080/tls/istio", &[EXCHANGE, HTTP]),
            ("virtualInbound/9080/raw_buffer", &[EXCHANGE, HTTP]),
        ],
    );
    // Behind Istio's filter, this filter has no exchange.
    assert_eq!(
        modes(server),
        [
            ("virtualInbound/27017/raw_buffer", "off"),
            ("virtualInbound/27017/tls", "off"),
            ("virtualInbound/27017/tls/istio", "on"),
        ]
        .map(|(chain, mode)| (chain.to_owned(), mode.to_owned()))
    );
    let (_, strict, _) = Install::REPLACING_STRICT.sidecars();
    assert_eq!(strict.chains()["virtualInbound/27017/tls"], counted);
    let only = ("virtualInbound/27017/tls".to_owned(), "off".to_owned());
    assert_eq!(modes(strict), [only]);

    // No client negotiates the ALPN `disabled`, and other clusters are unchanged.
    let natives = client.natives().into_iter();
    let exchanges = natives.filter(|native| native.name == EXCHANGE);
    let clusters: Vec<_> = exchanges
        .map(|native| (native.place, native.protocol))
        .collect();
    assert_eq!(
        clusters,
        [
            (
                "outbound|27017||mongodb.default.svc.cluster.local",
                "disabled"
            ),
            ("PassthroughCluster", "istio-peer-exchange"),
        ]
        .map(|(place, protocol)| (place.to_owned(), protocol.to_owned()))
    );
}

/// The mode of the filter in every chain that has it, in the order of the chains' names.
fn modes(mut sidecar: Sidecar) -> Vec<(String, String)> {
    let mut modes = Vec::new();
    sidecar.wasm_filters(&mut |chain, filter| {
        let configuration = filter
            .pointer("/typed_config/config/configuration/value")
            .unwrap();
        let value: Value = serde_json::from_str(configuration.as_str().unwrap()).unwrap();
        let mode = value["peer_exchange"]["mode"].as_str().unwrap();
        modes.push((chain.to_owned(), mode.to_owned()));
    });
    modes.sort();
    modes
}

/// istiod would drop all patches of the proxy, and with them the filter that removes a client's
/// frame.
#[test]
fn a_patch_that_istiod_panics_on_is_an_error() {
    let mut manifests = Install::EXCHANGE.manifests();
    for manifest in &mut manifests {
        let text = manifest.document.to_string();
        let text = text.replace("INSERT_AFTER", "MERGE");
        manifest.document = serde_json::from_str(&text).unwrap();
    }
    let [_, mut server] = Install::EXCHANGE.unpatched("exchange");
    let error = server.apply(&manifests).unwrap_err().to_string();
    assert!(
        error.contains("tcp-peer-stats-server, patch 3: istiod panics"),
        "{error}"
    );
}
