//! The places of the filter in the filter chains, and Istio's remaining native filters.

use std::collections::BTreeMap;

use manifests::pilot::{EXCHANGE, Sidecar};

use super::support::Install;

const PLUGIN: &str = "default.tcp-peer-stats";
const FILTER: &str = "tcp_peer_stats";
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
    for install in Install::ALL {
        let (client, server, hits) = install.sidecars_labelled("other");
        assert!(
            hits.values().all(|&count| count == 0),
            "{install:?}: {hits:?}"
        );
        let mut plain = Sidecar::client("other").unwrap();
        plain.apply(&[]).unwrap();
        assert_eq!(client.chains(), plain.chains());
        assert_eq!(
            server.chains(),
            Sidecar::server("other", install.mtls).unwrap().chains()
        );
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
                ("virtualInbound/27017/raw_buffer", tcp),
                ("virtualInbound/27017/tls", tcp),
                ("virtualInbound/9080/tls", &[EXCHANGE, HTTP]),
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
                ("10.96.0.27_27017", &[STATS, FILTER, PROXY]),
                ("virtualOutbound", &[STATS, PROXY]),
            ],
        );
        chains(
            &server,
            &[
                (
                    "virtualInbound/27017/raw_buffer",
                    &[EXCHANGE, RBAC, STATS, PROXY],
                ),
                (
                    "virtualInbound/27017/tls",
                    &[FILTER, EXCHANGE, RBAC, STATS, PROXY],
                ),
                ("virtualInbound/9080/tls", &[EXCHANGE, HTTP]),
            ],
        );
    }
}

#[test]
fn a_replacement_leaves_one_active_exchange_filter_per_stream() {
    for install in [Install::REPLACING, Install::REPLACING_STRICT] {
        let (client, server, _) = install.sidecars();
        let mtls = &server.chains()["virtualInbound/27017/tls"];
        assert_eq!(mtls, &[FILTER, RBAC, STATS, PROXY], "{install:?}");
        let exchanges = |sidecar: &Sidecar| -> Vec<(String, String)> {
            let natives = sidecar.natives().into_iter();
            let natives = natives.filter(|native| native.name == EXCHANGE);
            natives
                .map(|native| (native.place + &native.chain, native.protocol))
                .collect()
        };
        let (active, idle) = ("istio-peer-exchange", "disabled");
        let owned = |place: &str, protocol: &str| (place.to_owned(), protocol.to_owned());
        // No client negotiates the ALPN `disabled`, and other clusters and chains are unchanged.
        let clusters = [
            owned("outbound|27017||mongodb.default.svc.cluster.local", idle),
            owned("PassthroughCluster", active),
        ];
        assert_eq!(exchanges(&client), clusters);
        let chains = exchanges(&server);
        assert!(!chains.contains(&owned("virtualInbound27017/tls", active)));
        assert!(chains.contains(&owned("virtualInbound9080/tls", active)));
    }
}

/// Without `strict-mtls`, a server's patches do not match the only chain of the mode STRICT.
#[test]
fn strict_mtls_needs_the_component() {
    let without = Install {
        components: &[],
        ..Install::REPLACING_STRICT
    };
    let (_, server, hits) = without.sidecars();
    assert_eq!(
        server.chains()["virtualInbound/27017/tls"],
        [EXCHANGE, RBAC, STATS, PROXY]
    );
    assert_eq!(hits["tcp-peer-stats-server/0"], 0);
}
