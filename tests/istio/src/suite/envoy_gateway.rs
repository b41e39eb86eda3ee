//! `envoy-config/envoy-gateway` under a real Envoy Gateway.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use mesh::apps::{self, App};
use mesh::error::Context;
use mesh::labels::{self, METRICS, STANDARD};

use super::application::TIMEOUT;
use super::bench::Bench;
use super::expect;
use crate::cluster::until;
use crate::envoy_gateway::{CLUSTER, EnvoyGateway, PORT};
use crate::error::Result;

const QUESTION: &[u8] = b"gateway\n";
const ANSWER: &[u8] = b"hello gateway\n";
/// Longer than a reporting interval of the filter.
const LIMIT: Duration = Duration::from_secs(30);

/// One connection through the gateway, counted with the labels that the page promises.
pub(super) fn counted(bench: &mut Bench<'_>) -> Result<String> {
    let server = App::start(apps::hello)?;
    let gateway = EnvoyGateway::start(bench.run(), server.address())?;
    expect::holds(converse()? == ANSWER, || {
        "the application's answer is changed".to_owned()
    })?;
    let counts = until("the connection in the metrics", LIMIT, || {
        let metrics = gateway.metrics()?;
        let counts = METRICS.map(|name| metrics.sum(name, &[]));
        Ok((counts[..2] == [1.0, 1.0]).then_some(counts))
    })?;
    let sizes = [QUESTION.len() as f64, ANSWER.len() as f64];
    expect::equal("bytes", counts[2..].to_vec(), sizes.to_vec())?;
    let metrics = gateway.metrics()?;
    let labels = &metrics.one(METRICS[0], &[])?.labels;
    expect::equal("labels", labels.len(), STANDARD.len())?;
    let expected = labels::owned([
        ("reporter", "source"),
        ("source_workload", "edge-gateway"),
        ("source_workload_namespace", "envoy-gateway-system"),
        ("source_app", "edge-gateway"),
        ("source_cluster", "Kubernetes"),
        ("destination_service", CLUSTER),
        ("destination_service_name", CLUSTER),
        ("response_flags", "-"),
    ]);
    for (name, value) in &expected {
        expect::equal(name, labels.get(name), Some(value))?;
    }
    Ok(format!(
        "1 connection, counted as {CLUSTER}, {} labels",
        labels.len()
    ))
}

fn converse() -> Result<Vec<u8>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let visit = || {
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(QUESTION)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer: std::io::Result<_> = visit();
    Ok(answer.context(|| format!("cannot talk to {address}"))?)
}
