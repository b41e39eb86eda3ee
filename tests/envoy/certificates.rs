//! Certificates with several names.

use std::net::TcpStream;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::bootstrap::{Bootstrap, Hop, Inbound, Upstream};
use mesh::envoy::Envoy;
use mesh::exposition::Exposition;
use mesh::labels::{CLOSED, Reporter};
use mesh::mesh_ca::MeshCa;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Scratch, Workload, wasm};
use serde_json::json;

use crate::fixture::{EXCHANGES, SERVICE, round_trip};

const OTHER: &str = "https://example.com/other";

/// The URIs of a workload's certificate.
type Uris = fn(&str) -> [&str; 2];

/// One connection between two sidecars; what the client's and the server's report.
fn reports(uris: Uris) -> Result<[Exposition; 2]> {
    let scratch = Scratch::new("names")?;
    let dir = scratch.folder("envoys")?;
    let (binary, wasm) = (EnvoyBinary::find(None)?, wasm::build()?);
    let app = App::start(apps::echo)?;
    let ca = MeshCa::create(&dir.join("ca"))?;
    let issue = |workload: &Workload| {
        ca.issue_for_uris(&workload.service_account, &uris(&workload.principal()))
    };
    let configuration = json!({ "tcp_reporting_duration": "300ms" });
    let (client, workload) = (Workload::ratings_v2(), server());

    let mut bootstrap = Bootstrap::server_sidecar()?;
    bootstrap.run_as(&workload, &issue(&workload)?)?;
    bootstrap.serve(&Inbound {
        workload: &workload,
        port: 7000,
        application: app.address(),
        hop: Hop::MeshWithoutAlpn,
    })?;
    bootstrap.filter(&wasm, Some(&configuration));
    let server = Envoy::start(&binary, "server", bootstrap.document(), 1, &dir)?;

    let mut bootstrap = Bootstrap::client_sidecar()?;
    bootstrap.run_as(&client, &issue(&client)?)?;
    let upstream = Upstream {
        workload,
        port: 7000,
        address: server.listener("virtualInbound")?,
        hop: Hop::MeshWithoutAlpn,
    };
    bootstrap.upstreams(&[upstream], &ca.root())?;
    bootstrap.filter(&wasm, Some(&configuration));
    let client = Envoy::start(&binary, "client", bootstrap.document(), 1, &dir)?;

    let stream = TcpStream::connect(client.listener(SERVICE)?)?;
    assert_eq!(round_trip(stream, b"payload")?, b"payload");
    let closed = |envoy: &Envoy| {
        poll::until("a closed connection and its outcome", LIMIT, || {
            let metrics = envoy.metrics()?;
            Ok(
                match [CLOSED, EXCHANGES].map(|name| metrics.sum(name, &[])) {
                    [1.0, 1.0] => Look::Found(metrics),
                    other => Look::NotYet(format!("{other:?}")),
                },
            )
        })
    };
    Ok([closed(&client)?, closed(&server)?])
}

fn server() -> Workload {
    Workload::bookinfo(SERVICE, "v1")
}

// Shows: filter/docs/peer-exchange.md, "Envoy exposes only the first URI of a certificate."
#[test]
fn of_several_uris_the_first_counts() -> Result {
    let other = || OTHER.to_owned();
    let principals = [Workload::ratings_v2().principal(), server().principal()];
    let cases: [(Uris, _, _); 2] = [
        (|identity| [identity, OTHER], principals, "exchanged"),
        // No frame is written to a server whose first name is none of the mesh.
        (|identity| [OTHER, identity], [other(), other()], "absent"),
    ];
    for (uris, [client, server], exchange) in cases {
        let [source, destination] = reports(uris)?;
        for (reporter, metrics) in [
            (Reporter::Source, &source),
            (Reporter::Destination, &destination),
        ] {
            let series = metrics.one(CLOSED, &[("reporter", reporter.as_str())])?;
            let shown = |label| series.labels.get(label).map(String::as_str);
            assert_eq!(shown("source_principal"), Some(client.as_str()), "{series}");
            assert_eq!(
                shown("destination_principal"),
                Some(server.as_str()),
                "{series}"
            );
        }
        let outcome = [("reporter", "source"), ("result", exchange)];
        assert_eq!(source.sum(EXCHANGES, &outcome), 1.0, "{exchange}");
    }
    Ok(())
}
