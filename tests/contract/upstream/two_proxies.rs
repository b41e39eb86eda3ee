//! istio/proxy's integration tests in C++, `istio_tcp_two_proxy_integration_test`.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::apps::{self, App};
use mesh::labels::{CLOSED, OPENED, Reporter};
use mesh::testing::Result;
use mesh::{Builder, Service};
use serde_json::{Value, json};

use super::{becomes, outcomes, unknown_endpoint, workload};
use crate::pair::{Pair, at, greet, mode};
use crate::table::Table;

/// Both proxies exchange their metadata over mutual TLS.
const EXCHANGED: Table = Table(
    "
    reporter                        source                                         destination
    source_workload                 client-v1                                      client-v1
    source_workload_namespace       client-ns                                      client-ns
    source_canonical_service        client-svc                                     client-svc
    source_canonical_revision       latest                                         latest
    source_principal                spiffe://cluster.local/ns/client-ns/sa/client  spiffe://cluster.local/ns/client-ns/sa/client
    source_app                      client-app                                     client-app
    source_version                  unknown                                        unknown
    source_cluster                  client-cluster                                 client-cluster
    destination_workload            server-v1                                      server-v1
    destination_workload_namespace  server-ns                                      server-ns
    destination_canonical_service   server-svc                                     server-svc
    destination_canonical_revision  latest                                         latest
    destination_principal           spiffe://cluster.local/ns/server-ns/sa/server  spiffe://cluster.local/ns/server-ns/sa/server
    destination_app                 server-app                                     server-app
    destination_version             unknown                                        unknown
    destination_cluster             server-cluster                                 server-cluster
    destination_service             server.server-ns.svc.cluster.local             server.server-ns.svc.cluster.local
    destination_service_name        server                                         server
    destination_service_namespace   server-ns                                      server-ns
    request_protocol                tcp                                            tcp
    response_flags                  -                                              -
    connection_security_policy      unknown                                        mutual_tls
    ",
);

/// `TcpStatsBothSidecars`, `MetadataExchangeProtocolFound`.
#[test]
fn tcp_stats_both_sidecars() -> Result {
    let pair = two_proxies(
        "upstream-both",
        App::start(apps::hello)?,
        |mesh, service| mesh.service(service),
    )?;
    pair.reports(&EXCHANGED.columns())?;
    outcomes(&pair, Reporter::Destination, "exchanged", 2)
}

/// `MetadataExchangeProtocolNotFound`.
#[test]
fn metadata_exchange_protocol_not_found() -> Result {
    let pair = two_proxies(
        "upstream-not-found-2",
        App::start(apps::hello)?,
        |mesh, service| {
            mesh.client_filter(mode("off"))
                .service(service.filter(mode("off")))
        },
    )?;
    greet(pair.connect()?)?;
    let server = [
        ("source_workload", "unknown"),
        ("destination_workload", "server-v1"),
    ];
    becomes(&pair, Reporter::Destination, OPENED, &server, 1.0)?;
    let client = [
        ("source_workload", "client-v1"),
        ("destination_workload", "unknown"),
    ];
    becomes(&pair, Reporter::Source, OPENED, &client, 1.0)?;
    outcomes(&pair, Reporter::Destination, "not_attempted", 1)
}

/// `ConnectionTerminationStillReportsStats`.
#[test]
fn connection_termination_still_reports_stats() -> Result {
    let reads_and_leaves = |mut stream: &TcpStream| stream.read(&mut [0; 1024]).map(|_| ());
    let app = App::start(reads_and_leaves)?;
    let pair = two_proxies("upstream-leaves", app, |mesh, service| {
        mesh.service(service)
    })?;
    let mut stream = pair.connect()?;
    stream.write_all(b"hello")?;
    assert_eq!(stream.read(&mut [0; 1])?, 0, "the end");
    drop(stream);
    let client = [("source_workload", "client-v1")];
    becomes(&pair, Reporter::Destination, OPENED, &client, 1.0)?;
    becomes(&pair, Reporter::Destination, CLOSED, &client, 1.0)
}

/// The proxies of upstream's tests in C++, which know no version and no revision.
fn two_proxies(name: &str, app: App, shape: fn(Builder, Service) -> Builder) -> Result<Pair> {
    let client = workload("client-v1", "client-ns", "client", "client");
    let server = workload("server-v1", "server-ns", "server", "server");
    Pair::between(name, client, server, app, |mesh, service| {
        let client = |bootstrap: &mut Value| {
            unknown_endpoint(bootstrap);
            *at(bootstrap, "/node/metadata/LABELS") = json!({
                "app": "client-app",
                "service.istio.io/canonical-name": "client-svc",
            });
        };
        let server = |bootstrap: &mut Value| {
            *at(bootstrap, "/node/metadata/LABELS") = json!({
                "app": "server-app",
                "service.istio.io/canonical-name": "server-svc",
            });
        };
        shape(mesh.edit_client(client), service.edit(server))
    })
}
