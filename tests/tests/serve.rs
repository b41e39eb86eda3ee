//! `cargo harness serve` in Envoy's place: the same bootstraps and the same traffic give the same text of metrics.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;
use testbed::apps::{self, App};
use testbed::bootstrap::{Bootstrap, Upstream};
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
    assert!(wanted.contains("UF,URX"), "{wanted}");
    assert_eq!(unreachable(&EnvoyBinary::harness()?)?, wanted);
    Ok(())
}

/// What a client's sidecar prints of the four metrics after one connection to a service whose sidecar is not there.
fn unreachable(binary: &EnvoyBinary) -> Result<String> {
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
    let is_closed = |metrics: &Exposition| metrics.sum(CLOSED, &[]) == 1.0;
    let text = text_once(&sidecar, is_closed)?;
    let four = |line: &&str| METRICS.iter().any(|name| line.contains(name));
    Ok(text.lines().filter(four).collect::<Vec<_>>().join("\n"))
}

/// What `/stats/prometheus` prints of the filter, by sidecar, after some traffic.
type Reported = BTreeMap<String, String>;

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
    // Every connection's exchange is counted too, which comes with a tick.
    let complete = |metrics: &Exposition| metrics.sum(OPENED, &[]) == metrics.sum(EXCHANGES, &[]);
    let sidecars = mesh.sidecars();
    sidecars
        .map(|sidecar| Ok((sidecar.name().to_owned(), text_once(sidecar, complete)?)))
        .collect()
}

/// The filter's part of `/stats/prometheus`, once it is as wanted.
fn text_once(sidecar: &Envoy, wanted: impl Fn(&Exposition) -> bool) -> Result<String> {
    let what = format!("the last reports of {}", sidecar.name());
    Ok(poll::until(&what, LIMIT, || {
        let text = sidecar.prometheus_text()?;
        let own: Vec<_> = text
            .lines()
            .filter(|line| line.contains("istio_"))
            .collect();
        Ok(match Exposition::parse(&text)? {
            metrics if wanted(&metrics) => Look::Found(own.join("\n")),
            _ => Look::NotYet(own.join("\n")),
        })
    })?)
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
        let found = found.get(sidecar).map(String::as_str).unwrap_or_default();
        for (found, wanted) in found.lines().zip(wanted.lines()) {
            assert_eq!(found, wanted, "{sidecar}");
        }
        assert_eq!(found.lines().count(), wanted.lines().count(), "{sidecar}");
    }
}
