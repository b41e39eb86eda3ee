//! Services of other kinds than the usual one: headless, and outside of the mesh.

use std::net::SocketAddr;
use std::time::Duration;

use mesh::labels::Reporter;
use serde_json::{Value, json};

use super::application::{Application, First};
use super::bench::{Bench, NAMESPACE, PORT, SERVICE};
use super::expect;
use super::listeners;
use super::measure::NUMBER;
use super::names::{self, nowhere, set};
use super::path::Path;
use super::visit::{Failure, Visits, visit};
use crate::cluster::{GATEWAY, until};
use crate::error::{Error, Result};
use crate::overlay::{self, Port};

const LIMIT: Duration = Duration::from_secs(60);
/// The port of the headless Service. Its clients connect to the pods, so it is theirs.
const HEADLESS: Port = Port {
    service: 13307,
    target: 13307,
};
/// A port outside of the mesh for which there is no Service.
const OTHER_PORT: u16 = 3399;
/// The listener that has the connections without a Service.
const CATCH_ALL: &str = "virtualOutbound";
/// The host of the ServiceEntry.
const EXTERNAL: &str = "db.example.com";

/// The pods behind a headless Service, by their own addresses.
// Shows: envoy-config/istio/README.md, "which is also the `portNumber`"
pub(super) fn headless(bench: &mut Bench<'_>) -> Result<String> {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "headless" },
        "spec": {
            "clusterIP": "None",
            "selector": { "app": SERVICE },
            "ports": [{ "name": "tcp-headless", "port": HEADLESS.service }],
        },
    });
    bench.apply_for("exchange", &[PORT, HEADLESS])?;
    bench.apply_text(&service.to_string())?;
    let server = bench.server()?;
    let application = Application::start(&server.pod, HEADLESS.target, First::Client)?;
    let path = Path {
        client: Some(bench.client()),
        address: SocketAddr::from((server.pod.address(), HEADLESS.service)),
        application: &application,
        server: Some(&server.pod),
    };
    let travelled = bench
        .chains_of(HEADLESS, "auto")
        .and_then(|()| path.travel((NUMBER, NUMBER)));
    bench.delete("service", "headless")?;
    application.stop(&server.pod)?;
    let travelled = travelled?;
    let mut text = Vec::new();
    let both = [&travelled.source, &travelled.destination];
    for (reporter, reported) in Reporter::BOTH.into_iter().zip(both) {
        let incomplete = reported.incomplete();
        expect::at_most(&format!("incomplete, {reporter}"), incomplete, 1)?;
        let mut labels = names::exchanged(reporter, &server.version);
        let host = format!("headless.{NAMESPACE}.svc.cluster.local");
        set(&mut labels, "destination_service", &host);
        set(&mut labels, "destination_service_name", "headless");
        reported.expect_labels(reporter.as_str(), &labels, NUMBER - incomplete)?;
        text.push(format!("{incomplete} at the {reporter}"));
    }
    Ok(format!(
        "{NUMBER} connections to the pod's own address, all counted on both sides, incomplete {}, 0 frames",
        text.join(" and ")
    ))
}

/// A ServiceEntry for a server outside of the mesh.
// Shows: envoy-config/istio/README.md, "yes, under its host"
pub(super) fn entry(bench: &mut Bench<'_>) -> Result<String> {
    let address = SocketAddr::from((GATEWAY, PORT.service));
    let entry = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": { "name": "external" },
        "spec": {
            "hosts": [EXTERNAL],
            "addresses": [GATEWAY],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "ports": [{ "number": PORT.service, "name": "tcp-db", "protocol": "TCP" }],
            "endpoints": [{ "address": GATEWAY }],
        },
    });
    bench.apply_text(&entry.to_string())?;
    let application = Application::start_outside(address)?;
    let path = outside(bench, address, &application);
    let name = format!("{GATEWAY}_{}", PORT.service);
    let travelled = until("the listener of the ServiceEntry", LIMIT, || {
        let chains = listeners::named(bench.client(), &name)?;
        let all = chains.iter().all(|chain| chain.has_mode("auto"));
        Ok((!chains.is_empty() && all).then_some(()))
    })
    .and_then(|()| path.travel((NUMBER, 0)));
    bench.delete("serviceentry", "external")?;
    let mut labels = nowhere();
    set(&mut labels, "destination_service", EXTERNAL);
    set(&mut labels, "destination_service_name", EXTERNAL);
    set(&mut labels, "destination_service_namespace", NAMESPACE);
    // istiod makes a workload of each endpoint.
    for name in ["destination_workload", "destination_canonical_service"] {
        set(&mut labels, name, "external-0");
    }
    set(&mut labels, "destination_workload_namespace", NAMESPACE);
    set(&mut labels, "destination_cluster", "Kubernetes");
    travelled?.source.expect_labels("source", &labels, NUMBER)?;
    Ok(format!(
        "{NUMBER} connections to {EXTERNAL}, all counted by the client, 0 frames"
    ))
}

/// A destination for which there is no Service. The overlay leaves it out; a patch of the listener
/// that has it counts it.
// Shows: envoy-config/istio/README.md, "in the place of `portNumber` counts it"
pub(super) fn passthrough(bench: &mut Bench<'_>) -> Result<String> {
    let address = SocketAddr::from((GATEWAY, OTHER_PORT));
    let application = Application::start_outside(address)?;
    let path = outside(bench, address, &application);
    let travelled = path.travel((0, 0))?;
    expect::equal("opened without a patch", travelled.source.opened(), 0)?;
    with_catch_all(bench, || {
        let travelled = path.travel((NUMBER, 0))?;
        let mut labels = nowhere();
        set(
            &mut labels,
            "destination_service_name",
            "PassthroughCluster",
        );
        travelled.source.expect_labels("source", &labels, NUMBER)
    })?;
    Ok(format!(
        "{NUMBER} connections uncounted, and {NUMBER} counted by a patch of the listener {CATCH_ALL}, 0 frames"
    ))
}

/// The same where the mesh permits only destinations that it knows.
pub(super) fn black_hole(bench: &mut Bench<'_>) -> Result<String> {
    let sidecar = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": { "name": "registry-only" },
        "spec": {
            "workloadSelector": { "labels": { "app": "client" } },
            "outboundTrafficPolicy": { "mode": "REGISTRY_ONLY" },
            "egress": [{ "hosts": ["*/*"] }],
        },
    });
    let address = SocketAddr::from((GATEWAY, OTHER_PORT));
    let application = Application::start_outside(address)?;
    let path = outside(bench, address, &application);
    let one = || -> Result<Visits> {
        bench
            .client()
            .inside(|| Ok(visit(address, First::Client, 1, 1)))
    };
    bench.apply_text(&sidecar.to_string())?;
    let counted = with_catch_all(bench, || {
        until("the registry being the limit", LIMIT, || {
            Ok((!one()?.all_succeeded()).then_some(()))
        })?;
        let travelled = path.attempt(0, (NUMBER, 0))?;
        let failed = travelled.visits.failed.iter();
        let refused =
            failed.filter(|(_, failure)| matches!(failure, Failure::Ended { received: 0, .. }));
        expect::equal("refused", refused.count() as u64, NUMBER)?;
        expect::equal("at the application", application.seen().len(), 0)?;
        let mut labels = nowhere();
        set(&mut labels, "destination_service_name", "BlackHoleCluster");
        // No healthy upstream.
        set(&mut labels, "response_flags", "UH");
        travelled.source.expect_labels("source", &labels, NUMBER)
    });
    bench.delete("sidecar", "registry-only")?;
    until("the end of the limit", LIMIT, || {
        Ok(one()?.all_succeeded().then_some(()))
    })?;
    counted?;
    Ok(format!(
        "{NUMBER} connections refused by the client's proxy, all counted by a patch of the listener {CATCH_ALL}"
    ))
}

/// Runs `work` while the client's filter is also in the listener of all other connections.
fn with_catch_all(bench: &Bench<'_>, work: impl FnOnce() -> Result<()>) -> Result<()> {
    const NAME: &str = "catch-all";
    let missing = || Error::object("overlays/exchange", "it has no patch of the client");
    let objects = overlay::for_ports(bench.kubectl(), "exchange", &[PORT])?;
    let is_client =
        |object: &Value| object.pointer("/metadata/name") == Some(&json!("tcp-peer-stats-client"));
    let mut client = objects.into_iter().find(is_client).ok_or_else(missing)?;
    let name = client.pointer_mut("/metadata/name").ok_or_else(missing)?;
    *name = json!(NAME);
    let listener = client.pointer_mut("/spec/configPatches/0/match/listener");
    let listener = listener
        .and_then(Value::as_object_mut)
        .ok_or_else(missing)?;
    listener.remove("portNumber");
    listener.insert("name".to_owned(), json!(CATCH_ALL));
    bench.apply_text(&client.to_string())?;
    let wait = |what: &str, wanted: bool| {
        until(what, LIMIT, || {
            let chains = listeners::named(bench.client(), CATCH_ALL)?;
            let right = |chain: &listeners::Chain| chain.filter.is_some() == wanted;
            Ok((!chains.is_empty() && chains.iter().all(right)).then_some(()))
        })
    };
    let result = wait("the filter in the last listener", true).and_then(|()| work());
    bench.delete("envoyfilter", NAME)?;
    wait("the last listener without the filter", false)?;
    result
}

fn outside<'a>(
    bench: &'a Bench<'_>,
    address: SocketAddr,
    application: &'a Application,
) -> Path<'a> {
    Path {
        client: Some(bench.client()),
        address,
        application,
        server: None,
    }
}
