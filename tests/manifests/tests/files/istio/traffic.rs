//! Two real Envoys with the manifests of an overlay, and an application behind them.

use manifests::pilot::Sidecar;
use mesh::apps::{self, App};
use mesh::exposition::Labels;
use mesh::labels::{self, METRICS, Reporter};
use mesh::native;
use mesh::poll::{self, Look};
use mesh::testing::LIMIT;
use mesh::{Envoy, Workload};

use super::running::{Running, converse};
use super::support::Install;

/// The values of one connection: opened, closed, received, sent, as in [`METRICS`].
const ONE: [f64; 4] = [1.0, 1.0, 6.0, 12.0];
const EXCHANGES: &str = "tcp_peer_exchange_total";

/// Starts both sidecars of an installation and sends one connection through them.
fn run(install: Install) -> Running {
    mixed(install, install)
}

/// Starts a client and a server of different installations and sends one connection.
fn mixed(client: Install, server: Install) -> Running {
    let (client_sidecar, ..) = client.sidecars();
    let (_, server_sidecar, _) = server.sidecars();
    run_sidecars([client_sidecar, server_sidecar])
}

fn run_sidecars(sidecars: [Sidecar; 2]) -> Running {
    let running = Running::start(App::start(apps::hello).unwrap(), sidecars);
    assert_eq!(
        converse(running.connect(), b"world\n", 12),
        b"hello world\n"
    );
    running
}

/// Waits until each of a sidecar's four metrics has one series with the values of one connection,
/// and returns its labels. The names of the metrics begin with `prefix`.
fn settled(envoy: &Envoy, prefix: &str) -> Labels {
    let names = METRICS.map(|name| name.replacen("istio", prefix, 1));
    poll::until("the four metrics of one connection", LIMIT, || {
        let metrics = envoy.metrics()?;
        let values = names.each_ref().map(|name| metrics.sum(name, &[]));
        if values != ONE {
            return Ok(Look::NotYet(format!("{values:?}")));
        }
        let labels = metrics.one(&names[0], &[])?.labels.clone();
        for name in &names {
            assert_eq!(metrics.one(name, &[])?.labels, labels);
        }
        assert!(metrics.duplicates().is_empty());
        Ok(Look::Found(labels))
    })
    .unwrap()
}

fn exchanged(reporter: Reporter) -> Labels {
    let server = Workload::bookinfo("mongodb", "v1");
    labels::exchanged(reporter, &Workload::ratings_v2(), &server)
}

/// The result of the one exchange.
fn result(envoy: &Envoy, prefix: &str) -> String {
    let name = format!("{prefix}_{EXCHANGES}");
    poll::until("the exchange's result", LIMIT, || {
        let metrics = envoy.metrics()?;
        Ok(match metrics.one(&name, &[]) {
            Ok(series) if series.value == 1.0 => Look::Found(series.labels["result"].clone()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })
    .unwrap()
}

/// There is no exchange, and stock Envoy has no native filter of Istio: the client's labels of the
/// server are from istiod's endpoint metadata, the server's labels of the client are from the
/// certificate.
fn check_telemetry(install: Install, prefix: &str) {
    let running = run(install);
    let unknown: [(_, _, _, &[&str]); 2] = [
        (
            running.pair.client(),
            Reporter::Source,
            "destination",
            &["app", "version"],
        ),
        (
            running.pair.server(),
            Reporter::Destination,
            "source",
            &["workload", "app", "version", "canonical_service", "cluster"],
        ),
    ];
    for (envoy, reporter, peer, unknown) in unknown {
        let mut expected = exchanged(reporter);
        for label in unknown {
            expected.insert(format!("{peer}_{label}"), "unknown".into());
        }
        if reporter == Reporter::Destination {
            expected.insert("source_canonical_revision".into(), "latest".into());
        }
        assert_eq!(settled(envoy, prefix), expected, "{install:?}");
        assert_eq!(result(envoy, prefix), "not_attempted", "{install:?}");
    }
}

/// As in Istio: the peers come from its native exchange filters (here from replacements), and this
/// filter counts.
#[test]
fn telemetry_takes_both_peers_from_istios_exchange_filters() {
    for (install, prefix) in [
        (Install::TELEMETRY, "peer_stats"),
        (Install::INSTEAD, "istio"),
    ] {
        let (mut client, mut server, _) = install.sidecars();
        let inbound = native::downstream_peer(&Workload::ratings_v2());
        let outbound = native::upstream_peer(&Workload::bookinfo("mongodb", "v1"));
        for sidecar in [&mut client, &mut server] {
            sidecar.stand_in_for_exchange(&inbound, &outbound);
        }
        let running = run_sidecars([client, server]);
        let (client, server) = (running.pair.client(), running.pair.server());
        assert_eq!(settled(client, prefix), exchanged(Reporter::Source));
        assert_eq!(settled(server, prefix), exchanged(Reporter::Destination));
    }
}

#[test]
fn telemetry_only_uses_its_own_metric_names() {
    check_telemetry(Install::TELEMETRY, "peer_stats");
    check_telemetry(Install::EXTENSION, "peer_stats");
}

#[test]
fn telemetry_instead_of_native_uses_istios_metric_names() {
    check_telemetry(Install::INSTEAD, "istio");
}

#[test]
fn during_removal_no_frame_is_sent_and_all_bytes_arrive() {
    let running = run(Install::UNINSTALL);
    for envoy in [running.pair.client(), running.pair.server()] {
        settled(envoy, "istio");
        assert_eq!(result(envoy, "istio"), "absent");
    }
}

/// Proxies get a new configuration one after the other, so any two must work together. Servers are
/// first in a rollout, clients are first in a removal.
#[test]
fn during_rollout_and_removal_all_bytes_arrive() {
    // A client that only counts, on a proxy without Istio's exchange.
    let counting = Install {
        natives: false,
        ..Install::TELEMETRY
    };
    for (client, server) in [
        (counting, Install::EXCHANGE),
        (Install::UNINSTALL, Install::EXCHANGE),
        (Install::EXCHANGE, Install::UNINSTALL),
    ] {
        let running = mixed(client, server);
        let prefix = if client.workload == "telemetry" {
            "peer_stats"
        } else {
            "istio"
        };
        settled(running.pair.client(), prefix);
        settled(running.pair.server(), "istio");
    }
}
