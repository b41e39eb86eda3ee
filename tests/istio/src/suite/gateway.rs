//! Istio's gateways in front of the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mesh::Workload;
use mesh::labels::Reporter;
use serde_json::{Value, json};

use super::application::First;
use super::bench::{Bench, NAMESPACE, PORT, SERVICE};
use super::expect;
use super::listeners;
use super::measure::{NUMBER, all_ended, frames, unanswered};
use super::names::{self, set};
use super::path::Path;
use super::stream::NAME;
use super::visit::visit;
use crate::cluster::until;
use crate::error::Result;
use crate::kubelet::Pod;
use crate::overlay;
use crate::workload::in_namespace;

const LIMIT: Duration = Duration::from_secs(60);
const GATEWAY: &str = "gateway";
/// The port of clients outside of the mesh.
const TLS_PORT: u16 = 13443;
/// The port of clients in other networks of the mesh.
const AUTO_PORT: u16 = 15443;
/// The name that a client in another network has for the server, and its address there.
const REMOTE: &str = "remote.example.com";
const REMOTE_ADDRESS: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 5);

/// Clients outside of the mesh, whose TLS the gateway passes on by its SNI.
// Shows: envoy-config/istio/README.md, "its connections under the gateway's certificate"
pub(super) fn sni(bench: &mut Bench<'_>) -> Result<String> {
    bench.sends_first(First::Tls)?;
    let route = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": { "name": GATEWAY },
        "spec": {
            "hosts": [NAME],
            "gateways": [GATEWAY],
            "tls": [{
                "match": [{ "port": TLS_PORT, "sniHosts": [NAME] }],
                "route": [{ "destination": { "host": SERVICE, "port": { "number": PORT.service } } }],
            }],
        },
    });
    let objects = [gateway(TLS_PORT, "PASSTHROUGH", NAME), route];
    with_gateway(bench, &objects, |bench, pod| {
        let address = SocketAddr::new(IpAddr::from(pod.address()), TLS_PORT);
        let server = bench.server()?;
        until("the gateway passing a connection on", LIMIT, || {
            Ok(visit(address, First::Tls, 1, 1)
                .all_succeeded()
                .then_some(()))
        })?;
        let path = Path {
            client: None,
            address,
            application: &server.application,
            server: Some(&server.pod),
        };
        let travelled = path.travel((0, NUMBER))?;
        let client = in_namespace(NAMESPACE, Workload::bookinfo(GATEWAY, "v1"));
        let labels = names::by_certificate_of(&client, &server.version);
        travelled
            .destination
            .expect_labels("destination", &labels, NUMBER)?;
        Ok(format!(
            "{NUMBER} connections of a client outside, all counted by the server under the gateway's certificate, 0 frames"
        ))
    })
}

/// A client in another network: its mutual TLS goes through the gateway to the server.
pub(super) fn auto_passthrough(bench: &mut Bench<'_>) -> Result<String> {
    with_remote(bench, |bench, address| {
        let server = bench.server()?;
        let path = Path {
            client: Some(bench.client()),
            address,
            application: &server.application,
            server: Some(&server.pod),
        };
        let travelled = path.travel((NUMBER, NUMBER))?;
        let mut source = names::exchanged(Reporter::Source, &server.version);
        set(&mut source, "destination_service", REMOTE);
        set(&mut source, "destination_service_name", REMOTE);
        travelled.source.expect_labels("source", &source, NUMBER)?;
        let incomplete = travelled.destination.incomplete();
        expect::at_most("incomplete, destination", incomplete, 1)?;
        let destination = names::exchanged(Reporter::Destination, &server.version);
        travelled
            .destination
            .expect_labels("destination", &destination, NUMBER - incomplete)?;
        Ok(format!(
            "{NUMBER} connections through the gateway, all counted on both sides, incomplete {incomplete} at the destination, 0 frames"
        ))
    })
}

/// The same with a second server without the filter. To the client both have the gateway's address,
/// so the proof of one admits a frame to the other: one within the life of a proof, and the
/// connections take less time.
// Shows: envoy-config/istio/README.md, "if **all** servers behind the gateway have the filter"
pub(super) fn shared_address(bench: &mut Bench<'_>) -> Result<String> {
    bench.add_server(false, None)?;
    bench.endpoints_are_the_servers()?;
    let before = bench.client().metrics()?;
    with_remote(bench, |bench, address| {
        for server in &bench.servers {
            drop(server.application.take());
        }
        let client = bench.client();
        let visits = client.inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
        all_ended(bench)?;
        let seen: Vec<_> = bench
            .servers
            .iter()
            .flat_map(|server| server.application.take())
            .collect();
        let frames = frames(seen.iter());
        expect::equal("frames", frames, 1)?;
        let ended = visits.expect_ended(frames)?;
        expect::equal("connections that ended early", ended, 0)?;
        let counted = unanswered(bench, &before, frames as u64)?;
        expect::equal("unanswered frames", counted, frames as u64)?;
        Ok(format!(
            "{NUMBER} connections to two servers, {frames} frames at the application without the filter, all counted"
        ))
    })
}

/// Runs `work` with the address under which a client in another network has the server.
fn with_remote(
    bench: &mut Bench<'_>,
    work: impl FnOnce(&Bench<'_>, SocketAddr) -> Result<String>,
) -> Result<String> {
    let domain = format!("{NAMESPACE}.svc.cluster.local");
    let objects = [gateway(
        AUTO_PORT,
        "AUTO_PASSTHROUGH",
        &format!("*.{domain}"),
    )];
    with_gateway(bench, &objects, |bench, pod| {
        let entry = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": { "name": "remote" },
            "spec": {
                "hosts": [REMOTE],
                "addresses": [REMOTE_ADDRESS],
                "resolution": "STATIC",
                "ports": [{ "number": PORT.service, "name": "tcp-db", "protocol": "TCP" }],
                "endpoints": [{ "address": pod.address(), "ports": { "tcp-db": AUTO_PORT } }],
            },
        });
        let rule = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": { "name": "remote" },
            "spec": { "host": REMOTE, "trafficPolicy": { "tls": {
                "mode": "ISTIO_MUTUAL",
                "sni": format!("outbound_.{}_._.{SERVICE}.{domain}", PORT.service),
            } } },
        });
        bench.apply_text(&overlay::list(&[entry, rule]))?;
        let address = SocketAddr::new(IpAddr::from(REMOTE_ADDRESS), PORT.service);
        let result = reachable(bench, address).and_then(|()| work(bench, address));
        bench.delete("serviceentry", "remote")?;
        bench.delete("destinationrule", "remote")?;
        result
    })
}

/// Waits until the client's filter is in the listener of the address, and a connection succeeds.
fn reachable(bench: &Bench<'_>, address: SocketAddr) -> Result<()> {
    let name = format!("{}_{}", address.ip(), address.port());
    until("the listener of the remote server", LIMIT, || {
        let chains = listeners::named(bench.client(), &name)?;
        let all = chains.iter().all(|chain| chain.has_mode("auto"));
        Ok((!chains.is_empty() && all).then_some(()))
    })?;
    until("the gateway passing a connection on", LIMIT, || {
        let client = bench.client();
        let visits = client.inside(|| Ok(visit(address, First::Client, 1, 1)))?;
        Ok(visits.all_succeeded().then_some(()))
    })
}

/// Runs `work` with a gateway's pod and these objects.
fn with_gateway(
    bench: &mut Bench<'_>,
    objects: &[Value],
    work: impl FnOnce(&Bench<'_>, &Pod) -> Result<String>,
) -> Result<String> {
    bench.apply_text(&overlay::list(&deployment()))?;
    bench.apply_text(&overlay::list(objects))?;
    let pod = bench.start_pod(NAMESPACE, &format!("{GATEWAY}-v1"))?;
    let result = work(bench, &pod);
    for object in objects {
        let at = |place: &str| object.pointer(place).and_then(Value::as_str);
        if let (Some(kind), Some(name)) = (at("/kind"), at("/metadata/name")) {
            let kind = kind.to_lowercase();
            bench.delete(&format!("{kind}.networking.istio.io"), name)?;
        }
    }
    bench.remove_pod(pod, &format!("{GATEWAY}-v1"))?;
    result
}

fn gateway(port: u16, mode: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": { "name": GATEWAY },
        "spec": {
            "selector": { "app": GATEWAY },
            "servers": [{
                "port": { "number": port, "name": "tls", "protocol": "TLS" },
                "tls": { "mode": mode },
                "hosts": [host],
            }],
        },
    })
}

/// The objects of a gateway, whose container the injector fills in.
fn deployment() -> [Value; 3] {
    let labels = json!({ "app": GATEWAY, "version": "v1", "sidecar.istio.io/inject": "true" });
    let ports =
        [TLS_PORT, AUTO_PORT].map(|port| json!({ "name": format!("tls-{port}"), "port": port }));
    let account = format!("bookinfo-{GATEWAY}");
    [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": account } }),
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": GATEWAY },
            "spec": { "selector": { "app": GATEWAY }, "ports": ports },
        }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": format!("{GATEWAY}-v1") },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": { "app": GATEWAY } },
                "template": {
                    "metadata": {
                        "labels": labels,
                        "annotations": { "inject.istio.io/templates": "gateway" },
                    },
                    "spec": {
                        "serviceAccountName": account,
                        "containers": [{ "name": "istio-proxy", "image": "auto" }],
                    },
                },
            },
        }),
    ]
}
