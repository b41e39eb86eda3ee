//! The installations between which connections are made, and what both sidecars must report.

use manifests::golden::Golden;
use manifests::kustomize;
use manifests::pair::Route;
use mesh::exposition::Labels;
use mesh::labels::{self, Reporter};
use mesh::{Workload, native, workspace};
use serde_json::{Value, json};

use super::configured::golden;

/// The result of the exchange, and with it the labels of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peers {
    /// Both sides have all labels from the exchange.
    Exchanged,
    /// The client knows the server by its endpoint, the server knows the client by its certificate.
    Known,
    /// As `Known`, in plaintext.
    Nameless,
    /// Both sides have all labels from Istio's own exchange filters.
    Native,
    /// The sidecar of this side has no filter.
    None,
}

/// A client and a server, by the files of their installations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Installation {
    /// The name of the route.
    pub(super) name: &'static str,
    client: &'static str,
    server: &'static str,
    /// What the client's sidecar and the server's report.
    pub(super) peers: [Peers; 2],
    /// The results of the exchange at both sides.
    pub(super) results: [&'static str; 2],
}

const fn both(
    name: &'static str,
    file: &'static str,
    peers: Peers,
    result: &'static str,
) -> Installation {
    Installation {
        name,
        client: file,
        server: file,
        peers: [peers; 2],
        results: [result; 2],
    }
}

const fn mixed(
    name: &'static str,
    [client, server]: [&'static str; 2],
    peers: [Peers; 2],
    results: [&'static str; 2],
) -> Installation {
    Installation {
        name,
        client,
        server,
        peers,
        results,
    }
}

use Peers::{Exchanged, Known, Nameless, Native, None};

/// The route whose metrics have Istio's names.
pub(super) const EXCHANGE: &str = "exchange";

/// Each overlay, and the pairs that a rollout or a removal makes: proxies get a new configuration
/// one after the other. Servers are first in a rollout, clients are first in a removal.
pub(super) const INSTALLATIONS: &[Installation] = &[
    both(EXCHANGE, "stock.exchange", Exchanged, "exchanged"),
    both(
        "exchange_strict",
        "stock.exchange.strict",
        Exchanged,
        "exchanged",
    ),
    both(
        "exchange_disable",
        "stock.exchange.disable",
        Nameless,
        "not_attempted",
    ),
    both("uninstall", "stock.uninstall", Known, "absent"),
    both(
        "telemetry_only",
        "stock.telemetry-only",
        Known,
        "not_attempted",
    ),
    both(
        "traffic_extension",
        "stock.traffic-extension",
        Known,
        "not_attempted",
    ),
    both(
        "native_telemetry_only",
        "native.telemetry-only",
        Native,
        "not_attempted",
    ),
    both(
        "native_telemetry",
        "native.telemetry-instead-of-native",
        Native,
        "not_attempted",
    ),
    both(
        "replaced",
        "native.exchange-instead-of-native",
        Exchanged,
        "exchanged",
    ),
    mixed(
        "rolled_out",
        ["stock.telemetry-only", "stock.exchange"],
        [Known; 2],
        ["not_attempted", "absent"],
    ),
    mixed(
        "leaving",
        ["stock.uninstall", "stock.exchange"],
        [Known; 2],
        ["absent"; 2],
    ),
    mixed(
        "left",
        ["stock.exchange", "stock.uninstall"],
        [Known; 2],
        ["absent"; 2],
    ),
    // A client's frame would reach the application.
    mixed(
        "lost",
        ["stock.exchange", "stock.nothing"],
        [Known, None],
        ["absent"; 2],
    ),
    mixed(
        "lost_strict",
        ["stock.exchange.strict", "stock.nothing.strict"],
        [Known, None],
        ["absent"; 2],
    ),
    // A server's frame would reach the client.
    mixed(
        "other_client",
        ["stock.nothing", "stock.exchange"],
        [None, Known],
        ["absent"; 2],
    ),
    mixed(
        "other_client_strict",
        ["stock.nothing.strict", "stock.exchange.strict"],
        [None, Known],
        ["absent"; 2],
    ),
];

impl Installation {
    /// The route, with metrics of its name.
    pub(super) fn route(&self) -> Route {
        let mut sidecars = Golden {
            client: sidecars(self.client).client,
            server: sidecars(self.server).server,
        };
        if self.peers.contains(&Native) {
            let inbound = native::downstream_peer(&client());
            let outbound = native::upstream_peer(&server());
            sidecars.server.replace_inbound_exchange(&inbound);
            sidecars.client.replace_outbound_exchange(&outbound);
        }
        Route {
            name: self.name,
            sidecars,
            prefix: Some(self.prefix()),
        }
    }

    /// The prefix of its metrics.
    pub(super) fn prefix(&self) -> String {
        match self.name {
            EXCHANGE => "istio".into(),
            other => other.into(),
        }
    }
}

/// The sidecars of a file. Istio's proxy asks for the configuration of its plugins when it has
/// accepted their listeners, so the files for it have none: it is that of the same plugin for stock
/// Envoy, with the configuration of this overlay.
fn sidecars(file: &str) -> Golden {
    let mut sidecars = golden(file);
    if let Some(overlay) = file.strip_prefix("native.telemetry") {
        let stock = golden("stock.telemetry-only");
        let path = format!("envoy-config/istio/overlays/telemetry{overlay}");
        let plugin = kustomize::build(&workspace::root().join(path)).unwrap();
        let plugin = plugin
            .iter()
            .find(|each| each.kind() == "WasmPlugin")
            .unwrap();
        let text = plugin.document["spec"]["pluginConfig"].to_string();
        for (side, from) in [
            (&mut sidecars.client, &stock.client),
            (&mut sidecars.server, &stock.server),
        ] {
            let mut extensions: Value = from.document()["extensions"].clone();
            let place = "/0/typedConfig/config/configuration/value";
            *extensions.pointer_mut(place).unwrap() = json!(text);
            side.document_mut()["extensions"] = extensions;
        }
    }
    sidecars
}

fn in_namespace(workload: Workload) -> Workload {
    Workload {
        namespace: "shop".into(),
        ..workload
    }
}

/// The client's workload.
pub(super) fn client() -> Workload {
    in_namespace(Workload::ratings_v2())
}

/// The server's workload.
pub(super) fn server() -> Workload {
    in_namespace(Workload::bookinfo("mongodb", "v1"))
}

/// The labels that a reporter gives a connection between such peers.
pub(super) fn expected(peers: Peers, reporter: Reporter) -> Labels {
    let mut all = labels::exchanged(reporter, &client(), &server());
    let mut set = |names: &[&str], value: &str| {
        for name in names {
            all.insert((*name).to_owned(), value.to_owned());
        }
    };
    if [Known, Nameless].contains(&peers) {
        match reporter {
            Reporter::Source => set(&["destination_app", "destination_version"], "unknown"),
            Reporter::Destination => {
                let names = ["workload", "app", "version", "canonical_service", "cluster"];
                let names = names.map(|name| format!("source_{name}"));
                set(&names.each_ref().map(String::as_str), "unknown");
                set(&["source_canonical_revision"], "latest");
            }
        }
    }
    if peers == Nameless {
        set(&["source_principal", "destination_principal"], "unknown");
        if reporter == Reporter::Destination {
            set(&["source_workload_namespace"], "unknown");
            set(&["connection_security_policy"], "none");
        }
    }
    all
}
