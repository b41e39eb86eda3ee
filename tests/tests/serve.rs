//! `cargo harness serve` in Envoy's place: the same bootstraps and the same traffic give the same metrics.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;
use testbed::apps::{self, App};
use testbed::bootstrap::{Bootstrap, Upstream};
use testbed::exposition::Series;
use testbed::labels::{CLOSED, METRICS, OPENED, Reporter};
use testbed::mesh::{Hop, Mesh, Service};
use testbed::mesh_ca::MeshCa;
use testbed::poll::{self, Look};
use testbed::tools::EnvoyBinary;
use testbed::{Envoy, Exposition, Scratch, Workload, wasm};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A service for each way between the sidecars, and how its application speaks.
const SERVICES: [(&str, Hop); 5] = [
    ("mesh", Hop::Mesh),
    ("greeter", Hop::Mesh),
    ("no-alpn", Hop::MeshWithoutAlpn),
    ("plaintext", Hop::Plaintext),
    ("foreign", Hop::Foreign),
];
const GREETER: &str = "greeter";
const GREETING: &[u8] = b"220 ready\r\n";
/// The filter's counter of how exchanges ended.
const EXCHANGES: &str = "istio_tcp_peer_exchange_total";
const LIMIT: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 4;
const PAYLOAD: usize = 300_000;

#[test]
fn the_harness_reports_what_envoy_reports() -> Result {
    let [envoy, harness] = [EnvoyBinary::find(None)?, EnvoyBinary::harness()?];
    let wanted = reported(&envoy, &envoy)?;
    assert!(!wanted.is_empty());
    assert_same(&reported(&harness, &harness)?, &wanted);
    // TLS, the exchange and the ends of connections between the two as well.
    assert_same(&reported(&envoy, &harness)?, &wanted);
    assert_same(&reported(&harness, &envoy)?, &wanted);
    Ok(())
}

#[test]
fn the_harness_reports_an_unreachable_upstream_as_envoy_does() -> Result {
    let wanted = unreachable(&EnvoyBinary::find(None)?)?;
    assert_eq!(wanted.len(), METRICS.len(), "{wanted:?}");
    assert_eq!(unreachable(&EnvoyBinary::harness()?)?, wanted);
    Ok(())
}

/// The filter's series of a client's sidecar after one connection to a service whose sidecar is not there.
fn unreachable(binary: &EnvoyBinary) -> Result<BTreeMap<String, f64>> {
    let scratch = Scratch::new("unreachable")?;
    let ca = MeshCa::create(&scratch.folder("ca")?)?;
    let client = Workload::ratings_v2();
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut bootstrap = Bootstrap::client_sidecar()?;
    bootstrap.run_as(&client, &ca.issue(&client)?)?;
    let upstream = Upstream {
        workload: Workload::bookinfo("nobody", "v1"),
        port: 7000,
        address: nobody,
        hop: Hop::Mesh,
    };
    bootstrap.upstreams(&[upstream], &ca.root())?;
    bootstrap.filter(
        &wasm::build()?,
        Some(&json!({ "tcp_reporting_duration": "500ms" })),
    );
    let sidecar = Envoy::start(binary, &client.name, &bootstrap, 1, scratch.path())?;
    let mut stream = TcpStream::connect(sidecar.listener("nobody")?)?;
    stream.read_to_end(&mut Vec::new())?;
    let metrics = poll::until("the closed connection being reported", LIMIT, || {
        let metrics = sidecar.metrics()?;
        Ok(match metrics.sum(CLOSED, &[]) {
            1.0 => Look::Found(metrics),
            other => Look::NotYet(other.to_string()),
        })
    })?;
    let mesh = metrics
        .iter()
        .filter(|series| METRICS.contains(&series.name.as_str()));
    Ok(mesh
        .map(|series| (identity(series), series.value))
        .collect())
}

/// All the filter's series by sidecar, after some traffic.
type Reported = BTreeMap<String, BTreeMap<String, f64>>;

fn reported(client: &EnvoyBinary, server: &EnvoyBinary) -> Result<Reported> {
    let scratch = Scratch::new("serve")?;
    let echo = App::start(apps::echo)?;
    let greeter = App::start(apps::greeting(GREETING))?;
    let mut builder = Mesh::builder(client, &wasm::build()?)
        .server_binary(server)
        .concurrency(2);
    for (port, (name, hop)) in (7000..).zip(SERVICES) {
        let app = if name == GREETER { &greeter } else { &echo };
        let service = Service::new(Workload::bookinfo(name, "v1"), port, app.address());
        builder = builder.service(service.hop(hop));
    }
    let mesh = builder.start(&scratch)?;
    for (name, _) in SERVICES {
        talk(&mesh, name)?;
    }
    for (name, _) in SERVICES {
        for reporter in Reporter::BOTH {
            mesh.settled(reporter, name)?;
        }
    }
    let sidecars = mesh.sidecars().map(|sidecar| {
        let metrics = complete(sidecar)?;
        let own = metrics
            .iter()
            .filter(|series| series.name.starts_with("istio_"));
        let own = own.map(|series| (identity(series), series.value));
        Ok((sidecar.name().to_owned(), own.collect()))
    });
    sidecars.collect()
}

/// The metrics once every connection's exchange is counted too, which comes with a tick.
fn complete(sidecar: &Envoy) -> Result<Exposition> {
    let what = format!("the exchanges of {}", sidecar.name());
    Ok(poll::until(&what, LIMIT, || {
        let metrics = sidecar.metrics()?;
        let [opened, exchanges] = [OPENED, EXCHANGES].map(|name| metrics.sum(name, &[]));
        Ok(if opened == exchanges {
            Look::Found(metrics)
        } else {
            Look::NotYet(format!("{exchanges} of {opened}"))
        })
    })?)
}

fn identity(Series { name, labels, .. }: &Series) -> String {
    format!("{name} {labels:?}")
}

/// Several connections at once: every byte comes back, and the ends arrive.
fn talk(mesh: &Mesh, name: &str) -> Result {
    let address = mesh.address(name)?;
    let greeting = if name == GREETER { GREETING } else { &[] };
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|index| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address)?;
                let mut head = vec![0; greeting.len()];
                stream.read_exact(&mut head)?;
                let sent = apps::noise(index as u64 + 1, PAYLOAD);
                let mut writer = stream.try_clone()?;
                let payload = sent.clone();
                let writing = thread::spawn(move || {
                    writer.write_all(&payload)?;
                    writer.shutdown(Shutdown::Write)
                });
                let mut received = Vec::new();
                stream.read_to_end(&mut received)?;
                let written = writing.join().is_ok_and(|written| written.is_ok());
                std::io::Result::Ok(written && head == greeting && received == sent)
            })
        })
        .collect();
    for client in clients {
        let same = client.join().map_err(|_| "a client panicked")??;
        assert!(same, "{name}: the bytes are not the same");
    }
    for reporter in Reporter::BOTH {
        let tap = mesh.tap(reporter, name)?;
        assert_eq!(
            tap.tally().received(),
            (CONNECTIONS * PAYLOAD) as u64,
            "{name}"
        );
    }
    Ok(())
}

#[track_caller]
fn assert_same(found: &Reported, wanted: &Reported) {
    for (sidecar, wanted) in wanted {
        assert_eq!(found.get(sidecar), Some(wanted), "{sidecar}");
    }
}
