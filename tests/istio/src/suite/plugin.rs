//! `overlays/telemetry-only`: a WasmPlugin whose image the agents pull.

use std::fs;
use std::thread;
use std::time::Duration;

use mesh::error::Context;
use mesh::{Exposition, workspace};
use serde_json::{Value, json};

use super::application::{First, visit};
use super::bench::{Bench, PORT};
use super::expect;
use super::measure::expect_unchanged;
use super::telemetry::{NAMESPACE, Telemetry};
use crate::cluster::{Kubectl, until};
use crate::error::{Error, Result};
use crate::kubelet::Pod;
use crate::overlay::{self, Port};

const NUMBER: u64 = 100;
const OPENED: &str = "peer_stats_tcp_connections_opened_total";
const LIMIT: Duration = Duration::from_secs(90);
const EXTENSION: &str = "envoy-config/istio/components/traffic-extension/traffic-extension.yaml";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
/// What the agent puts in the place of a module that it cannot get.
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";
/// A tag that the registry does not have.
const ABSENT: &str = "absent";
const WRONG_DIGEST: &str = "1111111111111111111111111111111111111111111111111111111111111111";

pub(super) fn by_tag(bench: &mut Bench<'_>) -> Result<String> {
    counted(bench, |it| (format!("{}:{}", it.repository, it.tag), None))
}

pub(super) fn by_digest(bench: &mut Bench<'_>) -> Result<String> {
    counted(bench, |it| {
        (
            format!("{}:{}", it.repository, it.tag),
            Some(it.digest.clone()),
        )
    })
}

pub(super) fn wrong_digest(bench: &mut Bench<'_>) -> Result<String> {
    refused(bench, |it| {
        (
            format!("{}:{}", it.repository, it.tag),
            Some(WRONG_DIGEST.to_owned()),
        )
    })
}

pub(super) fn missing_image(bench: &mut Bench<'_>) -> Result<String> {
    refused(bench, |it| (format!("{}:{ABSENT}", it.repository), None))
}

/// The last check of plugins.
pub(super) fn registry_down(bench: &mut Bench<'_>) -> Result<String> {
    bench.telemetry()?.0.stop_registry();
    refused(bench, |it| (format!("{}:{}", it.repository, it.tag), None))
}

/// A plugin that names the port of the pods instead of that of the Service counts nothing.
pub(super) fn target_port(bench: &mut Bench<'_>) -> Result<String> {
    let (telemetry, kubectl) = bench.telemetry()?;
    let url = format!("{}:{}", telemetry.repository, telemetry.tag);
    apply(kubectl, Port::same(PORT.target), &url, None)?;
    bench.settled()?;
    // The proxies build their listeners after the acknowledgement.
    thread::sleep(Duration::from_secs(2));
    let (telemetry, _) = bench.telemetry()?;
    let (source, destination) = traffic(telemetry, 0)?;
    expect::equal("counted at the client", source, 0)?;
    expect::equal("counted at the server", destination, 0)?;
    Ok(format!(
        "match {} instead of {}: {NUMBER} connections, 0 counted",
        PORT.target, PORT.service
    ))
}

/// The same plugin as the other kind. Its filter has another name.
pub(super) fn traffic_extension(bench: &mut Bench<'_>) -> Result<String> {
    let (telemetry, kubectl) = bench.telemetry()?;
    let path = workspace::root().join(EXTENSION);
    let text = fs::read_to_string(&path).context(|| format!("cannot read {EXTENSION}"))?;
    let mut object: Value =
        serde_saphyr::from_str(&text).map_err(|error| mesh::Error::malformed(EXTENSION, error))?;
    let url = format!("oci://{}:{}", telemetry.repository, telemetry.tag);
    let edits = [
        ("/spec/wasm/url", json!(url)),
        ("/spec/match/0/ports/0/number", json!(PORT.service)),
    ];
    for (place, value) in edits {
        let part = object.pointer_mut(place);
        *part.ok_or_else(|| Error::object(EXTENSION, format!("it has no {place}")))? = value;
    }
    let plugin = ["wasmplugin", "tcp-peer-stats", "--ignore-not-found"];
    kubectl.run(&[&["delete", "--namespace", NAMESPACE], &plugin[..]].concat())?;
    kubectl.apply(NAMESPACE, &object.to_string())?;
    bench.settled()?;
    // The proxies build their listeners after the acknowledgement.
    thread::sleep(Duration::from_secs(5));
    let (telemetry, kubectl) = bench.telemetry()?;
    let counts = traffic(telemetry, NUMBER);
    kubectl.run(&[
        "delete",
        "trafficextension",
        "tcp-peer-stats",
        "--namespace",
        NAMESPACE,
    ])?;
    let (source, destination) = counts?;
    expect::equal("counted at the client", source, NUMBER)?;
    expect::equal("counted at the server", destination, NUMBER)?;
    Ok(format!(
        "pulled by both agents, {NUMBER} connections, all counted on both sides"
    ))
}

fn counted(
    bench: &mut Bench<'_>,
    image: impl FnOnce(&Telemetry) -> (String, Option<String>),
) -> Result<String> {
    install(bench, image, WASM)?;
    let (telemetry, _) = bench.telemetry()?;
    let (source, destination) = traffic(telemetry, NUMBER)?;
    expect::equal("counted at the client", source, NUMBER)?;
    expect::equal("counted at the server", destination, NUMBER)?;
    Ok(format!(
        "pulled by both agents, {NUMBER} connections, all counted on both sides"
    ))
}

fn refused(
    bench: &mut Bench<'_>,
    image: impl FnOnce(&Telemetry) -> (String, Option<String>),
) -> Result<String> {
    install(bench, image, RBAC)?;
    let (telemetry, _) = bench.telemetry()?;
    let (source, destination) = traffic(telemetry, 0)?;
    expect::equal("counted at the client", source, 0)?;
    expect::equal("counted at the server", destination, 0)?;
    Ok(format!(
        "both agents put an RBAC filter in its place, {NUMBER} connections pass uncounted"
    ))
}

/// Changes the plugin, and waits until both proxies have a filter of this type for it. If they have
/// one before, it is replaced by one of the other type first, so that the change can be seen.
fn install(
    bench: &mut Bench<'_>,
    image: impl FnOnce(&Telemetry) -> (String, Option<String>),
    kind: &str,
) -> Result<()> {
    let (telemetry, kubectl) = bench.telemetry()?;
    if filters(&telemetry.client)? == [kind] {
        let (tag, other) = if kind == WASM {
            (ABSENT, RBAC)
        } else {
            (telemetry.tag, WASM)
        };
        apply(
            kubectl,
            PORT,
            &format!("{}:{tag}", telemetry.repository),
            None,
        )?;
        both_have(telemetry, other)?;
    }
    let (url, digest) = image(telemetry);
    apply(kubectl, PORT, &url, digest.as_deref())?;
    both_have(telemetry, kind)
}

fn both_have(telemetry: &Telemetry, kind: &str) -> Result<()> {
    for pod in [&telemetry.client, &telemetry.server] {
        let what = format!("the filter of the plugin at {}", pod.name());
        until(&what, LIMIT, || Ok((filters(pod)? == [kind]).then_some(())))?;
    }
    Ok(())
}

fn apply(kubectl: &Kubectl, port: Port, url: &str, digest: Option<&str>) -> Result<()> {
    let mut objects = overlay::for_ports(kubectl, "telemetry-only", &[port])?;
    for object in &mut objects {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
            continue;
        };
        spec.insert("url".to_owned(), json!(format!("oci://{url}")));
        spec.insert("imagePullPolicy".to_owned(), json!("Always"));
        if let Some(digest) = digest {
            spec.insert("sha256".to_owned(), json!(digest));
        }
    }
    kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
    Ok(())
}

/// The types of the filters that a proxy got by ECDS.
fn filters(pod: &Pod) -> Result<Vec<String>> {
    let path = "/config_dump?resource=ecds_filters";
    // Envoy refuses to list a kind of which it has none.
    let Ok(text) = pod.admin(path) else {
        return Ok(Vec::new());
    };
    let dump: Value =
        serde_json::from_str(&text).map_err(|error| mesh::Error::malformed(path, error))?;
    let filters = dump
        .get("configs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let kinds = filters.filter_map(|filter| {
        let kind = filter
            .pointer("/ecds_filter/typed_config/@type")?
            .as_str()?;
        Some(kind.to_owned())
    });
    Ok(kinds.collect())
}

/// Opens connections, and returns how many of them the client's and the server's plugin counted,
/// as soon as both are `expected`.
fn traffic(telemetry: &Telemetry, expected: u64) -> Result<(u64, u64)> {
    let pods = [&telemetry.client, &telemetry.server];
    let opened = |metrics: &Exposition| metrics.sum(OPENED, &[]) as u64;
    let before = pods.map(|pod| pod.metrics().map(|metrics| opened(&metrics)));
    let [client, server] = before;
    let before = [client?, server?];
    drop(telemetry.application.take());
    let address = telemetry.service;
    let visits = telemetry
        .client
        .inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
    let mut counts = (0, 0);
    let counted = until("the connections being counted", LIMIT, || {
        let seen = telemetry.application.seen().len() as u64;
        let [client, server] = before;
        counts = (
            opened(&telemetry.client.metrics()?) - client,
            opened(&telemetry.server.metrics()?) - server,
        );
        Ok((seen == NUMBER && counts == (expected, expected)).then_some(()))
    });
    match counted {
        Ok(()) => {}
        Err(Error::Testbed(error)) if error.is_timeout() => {}
        Err(error) => return Err(error),
    }
    expect_unchanged(&visits, telemetry.application.seen().iter())?;
    Ok(counts)
}
