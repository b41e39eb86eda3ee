//! Two services behind one address, which a gateway tells apart by the SNI: what the client learns
//! of one is not taken for the other.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;

use mesh::acceptor::Acceptor;
use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::testing::Result;
use mesh::{Filter, Mesh, Scratch, Service, Workload};
use serde_json::{Value, json};

use crate::fixture::{builder, round_trip};
use crate::proofs::{check_counter, unlisted};

const READS: &str = "reads";
const DOES_NOT: &str = "plain";

/// The addresses behind the gateway, by a part of the ClientHello.
type Targets = Arc<OnceLock<Vec<(String, SocketAddr)>>>;

/// Passes TLS through to the target of its SNI.
fn pass_through(near: &TcpStream, targets: &Targets) -> io::Result<()> {
    let (mut reader, mut hello) = (near, [0; 4096]);
    let size = reader.read(&mut hello)?;
    let hello = &hello[..size];
    let is_named = |sni: &str| hello.windows(sni.len()).any(|part| part == sni.as_bytes());
    let mut targets = targets.get().into_iter().flatten();
    let target = targets.find(|(sni, _)| is_named(sni));
    let (_, target) = target.ok_or(io::ErrorKind::NotFound)?;
    let far = TcpStream::connect(target)?;
    (&far).write_all(hello)?;
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let copied = io::copy(&mut from, &mut to);
        let _gone = to.shutdown(Shutdown::Write);
        copied.map(drop)
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(near, &far));
        copy(&far, near)
    })
}

/// Puts the gateway between the client and its clusters.
fn behind(gateway: SocketAddr, targets: &Targets, client: &mut Value) {
    let clusters = client["static_resources"]["clusters"].as_array_mut();
    let clusters = clusters.into_iter().flatten().map(|cluster| {
        let sni = cluster["transport_socket"]["typed_config"]["sni"].as_str();
        let sni = sni.unwrap_or_default().to_owned();
        let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        let address = &mut endpoint["endpoint"]["address"]["socket_address"];
        let port = address["port_value"].as_u64().unwrap_or_default();
        address["port_value"] = json!(gateway.port());
        let port = u16::try_from(port).unwrap_or_default();
        (sni, SocketAddr::new(gateway.ip(), port))
    });
    let _set = targets.set(clusters.collect());
}

#[test]
fn a_proof_of_one_service_is_none_of_the_other() -> Result {
    let app = App::start(apps::length)?;
    let targets = Targets::default();
    let known = Arc::clone(&targets);
    let gateway = Acceptor::start(move |stream| {
        let _gone = pass_through(&stream, &known);
    })?;
    let scratch = Scratch::new("one-address")?;
    let service = |name| Service::new(Workload::bookinfo(name, "v1"), 7000, app.address());
    let address = gateway.address();
    let mesh = builder()?
        .client_filter(unlisted())
        .edit_client(move |client| behind(address, &targets, client))
        .service(service(READS))
        .service(service(DOES_NOT).filter(Filter::Absent))
        .start(&scratch)?;
    let ask = |mesh: &Mesh, name| -> Result {
        let stream = TcpStream::connect(mesh.address(name)?)?;
        assert_eq!(round_trip(stream, b"payload")?, b"7 bytes\n", "{name}");
        Ok(())
    };
    for _ in 0..3 {
        ask(&mesh, READS)?;
        ask(&mesh, DOES_NOT)?;
    }
    let labels = |service, app| {
        [
            ("destination_service_name", service),
            ("destination_app", app),
        ]
    };
    let metrics = mesh.all_closed(Reporter::Source, READS)?;
    let opened = "istio_tcp_connections_opened_total";
    assert_eq!(metrics.sum(opened, &labels(READS, READS)), 3.0);
    let metrics = mesh.all_closed(Reporter::Source, DOES_NOT)?;
    assert_eq!(metrics.sum(opened, &labels(DOES_NOT, "unknown")), 3.0);
    check_counter(mesh.client(), "istio_tcp_unanswered_frames_total", 0.0)?;
    let exchanged = [("source_app", "ratings")];
    let metrics = mesh.all_closed(Reporter::Destination, READS)?;
    assert_eq!(
        metrics.sum(opened, &exchanged),
        2.0,
        "the first carried no frame"
    );
    Ok(())
}
