//! istio/proxy's end-to-end tests in Go, `tcp_metadata_exchange`.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::apps::{self, App};
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT};
use mesh::testing::Result;
use mesh::{Builder, Counts, Filter, Hop, Service};
use serde_json::{Value, json};

use super::{becomes, outcomes, unknown_endpoint, workload};
use crate::pair::{Pair, at, canonical, greet, mode, route_to};
use crate::table::Table;

/// productpage calls ratings, and both sidecars exchange their metadata over mutual TLS.
const PRODUCTPAGE: Table = Table(
    "
    reporter                        source                                       destination
    source_workload                 productpage-v1                               productpage-v1
    source_workload_namespace       default                                      default
    source_canonical_service        productpage-v1                               productpage-v1
    source_canonical_revision       version-1                                    version-1
    source_principal                spiffe://cluster.local/ns/default/sa/client  spiffe://cluster.local/ns/default/sa/client
    source_app                      productpage                                  productpage
    source_version                  v1                                           v1
    source_cluster                  client-cluster                               client-cluster
    destination_workload            ratings-v1                                   ratings-v1
    destination_workload_namespace  default                                      default
    destination_canonical_service   ratings                                      ratings
    destination_canonical_revision  version-1                                    version-1
    destination_principal           spiffe://cluster.local/ns/default/sa/server  spiffe://cluster.local/ns/default/sa/server
    destination_app                 ratings                                      ratings
    destination_version             v1                                           v1
    destination_cluster             server-cluster                               server-cluster
    destination_service             server.default.svc.cluster.local             server.default.svc.cluster.local
    destination_service_name        server                                       server
    destination_service_namespace   default                                      default
    request_protocol                tcp                                          tcp
    response_flags                  -                                            -
    connection_security_policy      unknown                                      mutual_tls
    ",
);

/// `TestTCPMetadataExchange`.
#[test]
fn test_tcp_metadata_exchange() -> Result {
    let pair = productpage(
        "upstream-exchange",
        App::start(apps::hello)?,
        |mesh, service| mesh.service(service),
    )?;
    for _ in 0..10 {
        greet(pair.connect()?)?;
    }
    let counts = Counts {
        opened: 10,
        closed: 10,
        received: 60,
        sent: 120,
    };
    pair.check(&PRODUCTPAGE.columns(), counts)?;
    for reporter in Reporter::BOTH {
        outcomes(&pair, reporter, "exchanged", 10)?;
    }
    Ok(())
}

/// `TestTCPMetadataExchangeNoAlpn`: without a common ALPN there is no exchange.
#[test]
fn test_tcp_metadata_exchange_no_alpn() -> Result {
    let pair = productpage(
        "upstream-no-alpn",
        App::start(apps::hello)?,
        |mesh, service| {
            let service = service.hop(Hop::MeshWithoutAlpn);
            mesh.client_filter(mode("receive")).service(service)
        },
    )?;
    for _ in 0..10 {
        greet(pair.connect()?)?;
    }
    let counts = Counts {
        opened: 10,
        closed: 10,
        received: 60,
        sent: 120,
    };
    pair.check(
        &PRODUCTPAGE.with(
            "
                                   destination
        source_workload            unknown
        source_canonical_service   unknown
        source_canonical_revision  latest
        source_app                 unknown
        source_version             unknown
        source_cluster             unknown
        ",
        ),
        counts,
    )?;
    outcomes(&pair, Reporter::Destination, "absent", 10)
}

/// `TestTCPMXAdditionalLabels`: a label of the peer, on one metric. Upstream's client has `unknown`
/// there, as a native filter does not see the peer of a TCP connection; ours has it.
#[test]
fn test_tcp_mx_additional_labels() -> Result {
    let configured = |peer: &str| {
        Filter::Configured(json!({
            "tcp_reporting_duration": "500ms",
            "additional_labels": ["role"],
            "metrics": [{
                "name": "tcp_connections_opened_total",
                "dimensions": { "role": format!("filter_state.{peer}.labels['role']") },
            }],
        }))
    };
    let client = workload("productpage-v1", "default", "productpage", "client");
    let server = workload("ratings-v1", "default", "server", "server");
    let app = App::start(apps::hello)?;
    let pair = Pair::between("upstream-labels", client, server, app, |mesh, service| {
        let server = service.filter(configured("downstream_peer"));
        mesh.client_filter(configured("upstream_peer"))
            .edit_client(|client| with_role(client, "client"))
            .service(server.edit(|server| with_role(server, "server")))
    })?;
    for _ in 0..10 {
        greet(pair.connect()?)?;
    }
    becomes(
        &pair,
        Reporter::Destination,
        OPENED,
        &[("role", "client")],
        10.0,
    )?;
    becomes(&pair, Reporter::Source, OPENED, &[("role", "server")], 10.0)?;
    for reporter in Reporter::BOTH {
        becomes(&pair, reporter, CLOSED, &[], 10.0)?;
        let metrics = pair.sidecar(reporter)?.metrics()?;
        for metric in [CLOSED, SENT, RECEIVED] {
            assert!(!metrics.one(metric, &[])?.labels.contains_key("role"));
        }
    }
    Ok(())
}

/// `TestTCPMetadataExchangeWithConnectionTermination`: the backend leaves while the client's
/// sidecar waits for a frame that the server's never sends.
#[test]
fn test_tcp_metadata_exchange_with_connection_termination() -> Result {
    let reads_and_leaves = |mut stream: &TcpStream| stream.read(&mut [0; 1024]).map(|_| ());
    let app = App::start(reads_and_leaves)?;
    let pair = productpage("upstream-termination", app, |mesh, service| {
        mesh.service(service.filter(mode("off")))
    })?;
    for _ in 0..10 {
        let mut stream = pair.connect()?;
        stream.write_all(b"some data\n")?;
        assert_eq!(stream.read(&mut [0; 1])?, 0, "the end");
    }
    let unknown = [("source_workload", "unknown")];
    becomes(&pair, Reporter::Destination, OPENED, &unknown, 10.0)?;
    becomes(&pair, Reporter::Destination, CLOSED, &unknown, 10.0)
}

/// `TestTCPMetricsDuringActiveConnection`, and its namesake in C++.
#[test]
fn test_tcp_metrics_during_active_connection() -> Result {
    let pair = productpage(
        "upstream-active",
        App::start(apps::hello)?,
        |mesh, service| mesh.service(service),
    )?;
    let mut stream = pair.connect()?;
    for pings in 1..=3 {
        stream.write_all(b"ping\n")?;
        stream.read_exact(&mut [0; 11])?;
        let counts = Counts {
            opened: 1,
            closed: 0,
            received: 5 * pings,
            sent: 11 * pings,
        };
        pair.check(&PRODUCTPAGE.columns(), counts)?;
    }
    Ok(())
}

/// `TestTCPMetadataNotFoundReporting`: no TLS, an endpoint without metadata, one long connection.
#[test]
fn test_tcp_metadata_not_found_reporting() -> Result {
    let pair = productpage(
        "upstream-not-found",
        App::start(apps::hello)?,
        |mesh, service| mesh.service(service.hop(Hop::Plaintext).filter(Filter::Absent)),
    )?;
    let _open = greet(pair.connect()?)?;
    let counts = Counts {
        opened: 1,
        closed: 0,
        received: 6,
        sent: 12,
    };
    pair.check(
        &PRODUCTPAGE.with(
            "
                                        source
        source_principal                unknown
        destination_workload            unknown
        destination_workload_namespace  unknown
        destination_canonical_service   unknown
        destination_canonical_revision  latest
        destination_principal           unknown
        destination_app                 unknown
        destination_version             unknown
        destination_cluster             unknown
        ",
        ),
        counts,
    )
}

/// Upstream's two proxies: productpage calls ratings, which stands for the service `server`.
fn productpage(name: &str, app: App, shape: fn(Builder, Service) -> Builder) -> Result<Pair> {
    let client = workload("productpage-v1", "default", "productpage", "client");
    let server = workload("ratings-v1", "default", "server", "server");
    Pair::between(name, client, server, app, |mesh, service| {
        let client = |bootstrap: &mut Value| {
            canonical(bootstrap, "productpage-v1", "version-1");
            unknown_endpoint(bootstrap);
            route_to(
                bootstrap,
                "outbound|9080|tcp|server.default.svc.cluster.local",
            );
        };
        let server = |bootstrap: &mut Value| {
            canonical(bootstrap, "ratings", "version-1");
            at(bootstrap, "/node/metadata/LABELS")["app"] = json!("ratings");
            route_to(
                bootstrap,
                "inbound|9080|tcp|server.default.svc.cluster.local",
            );
        };
        shape(mesh.edit_client(client), service.edit(server))
    })
}

/// A node with a label `role`, and the expression that takes it out of a stat's name.
fn with_role(bootstrap: &mut Value, role: &str) {
    at(bootstrap, "/node/metadata/LABELS")["role"] = json!(role);
    let tags = at(bootstrap, "/stats_config/stats_tags").as_array_mut();
    let tag = json!({ "tag_name": "role", "regex": r"(role=\.=(.*?);\.;)" });
    tags.unwrap().push(tag);
}
