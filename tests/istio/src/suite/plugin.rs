//! `overlays/telemetry-only`: a WasmPlugin whose image the agents pull.

mod changes;
mod tag;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use mesh::error::Context;
use mesh::workspace;
use serde_json::{Value, json};

use super::application::First;
use super::bench::{Bench, PORT};
use super::dump::{dump, items, text};
use super::expect;
use super::listeners::{self, Chain};
use super::measure::{NUMBER, SETTLE_LIMIT, expect_unchanged};
use super::telemetry::{NAMESPACE, Telemetry};
use super::visit::visit;
use crate::cluster::{Kubectl, settle, until};
use crate::error::{Error, Result};
use crate::kubelet::Pod;
use crate::overlay::{self, Port};

pub(super) use self::changes::{deleted, reconfigured, upgraded};
pub(super) use self::tag::moved;

const OPENED: &str = "peer_stats_tcp_connections_opened_total";
const LIMIT: Duration = Duration::from_secs(90);
const ALL: i64 = NUMBER as i64;
/// The time in which a filter that is not wanted would report: it reports a connection at its end.
const MOMENT: Duration = Duration::from_secs(2);
const EXTENSION: &str = "envoy-config/istio/components/traffic-extension/traffic-extension.yaml";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
/// What the agent puts in the place of a module that it cannot get.
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";
const MODULE: &str = "/ecds_filter/typed_config/config/vm_config/code/local/filename";
const PLUGIN: &str = "tcp-peer-stats";
/// A tag that the registry does not have.
const ABSENT: &str = "absent";
const WRONG_DIGEST: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// An image as a plugin names it, and what else differs between plugins.
struct Image {
    url: String,
    /// The digest of its manifest, in hexadecimal.
    digest: Option<String>,
    /// The interval of the plugin's reports; `None` for the default.
    interval: Option<&'static str>,
    /// When an agent asks the registry.
    policy: &'static str,
}

fn with_tag(telemetry: &Telemetry, tag: &str) -> Image {
    Image {
        url: format!("oci://{}:{tag}", telemetry.repository),
        digest: None,
        interval: None,
        policy: "Always",
    }
}

fn tagged(telemetry: &Telemetry) -> Image {
    with_tag(telemetry, telemetry.tag)
}

fn with_digest(telemetry: &Telemetry, digest: &str) -> Image {
    Image {
        digest: Some(digest.to_owned()),
        ..tagged(telemetry)
    }
}

pub(super) fn by_tag(bench: &mut Bench<'_>) -> Result<String> {
    counted(bench, tagged)
}

pub(super) fn by_digest(bench: &mut Bench<'_>) -> Result<String> {
    counted(bench, |it| with_digest(it, &it.digest))
}

pub(super) fn wrong_digest(bench: &mut Bench<'_>) -> Result<String> {
    refused(bench, |it| with_digest(it, WRONG_DIGEST))
}

pub(super) fn missing_image(bench: &mut Bench<'_>) -> Result<String> {
    refused(bench, |it| with_tag(it, ABSENT))
}

/// The agents have the image, and ask the registry all the same, because of `Always`.
pub(super) fn registry_down(bench: &mut Bench<'_>) -> Result<String> {
    let telemetry = bench.telemetry()?.0;
    telemetry.stop_registry();
    let refused = refused(bench, tagged);
    bench.telemetry()?.0.start_registry()?;
    refused
}

/// The plugin changes while the registry is away. The agents have its image, by its digest.
pub(super) fn changed_without_registry(bench: &mut Bench<'_>) -> Result<()> {
    install(bench, |it| with_digest(it, &it.digest), WASM)?;
    bench.telemetry()?.0.stop_registry();
    let (telemetry, kubectl) = bench.telemetry()?;
    let changed = Image {
        interval: Some("7s"),
        ..with_digest(telemetry, &telemetry.digest)
    };
    let counted =
        change(telemetry, kubectl, &changed).and_then(|()| expect_counted(telemetry, ALL));
    telemetry.start_registry()?;
    counted
}

/// A plugin that names the port of the pods instead of that of the Service counts nothing.
pub(super) fn target_port(bench: &mut Bench<'_>) -> Result<String> {
    install(bench, tagged, WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    apply(kubectl, Port::same(PORT.target), &tagged(telemetry))?;
    both_have(telemetry, None)?;
    expect_counted(telemetry, 0)?;
    Ok(format!(
        "match {} instead of {}: no filter, {NUMBER} connections, 0 counted",
        PORT.target, PORT.service
    ))
}

/// The same plugin as the other kind.
pub(super) fn traffic_extension(bench: &mut Bench<'_>) -> Result<String> {
    install(bench, tagged, WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    let extension = extension(telemetry)?;
    kubectl.run(&["delete", "wasmplugin", PLUGIN, "--namespace", NAMESPACE])?;
    both_have(telemetry, None)?;
    kubectl.apply(NAMESPACE, &extension.to_string())?;
    both_have(telemetry, Some(WASM))?;
    let counted = expect_counted(telemetry, ALL);
    kubectl.run(&[
        "delete",
        "trafficextension",
        PLUGIN,
        "--namespace",
        NAMESPACE,
    ])?;
    both_have(telemetry, None)?;
    counted?;
    Ok(format!(
        "pulled by both agents, {NUMBER} connections, all counted on both sides"
    ))
}

/// The TrafficExtension with the image and the port of these pods.
fn extension(telemetry: &Telemetry) -> Result<Value> {
    let path = workspace::root().join(EXTENSION);
    let text = fs::read_to_string(&path).context(|| format!("cannot read {EXTENSION}"))?;
    let mut object: Value =
        serde_saphyr::from_str(&text).map_err(|error| mesh::Error::malformed(EXTENSION, error))?;
    let Image { url, .. } = tagged(telemetry);
    let edits = [
        ("/spec/wasm/url", json!(url)),
        ("/spec/match/0/ports/0/number", json!(PORT.service)),
    ];
    for (place, value) in edits {
        let part = object.pointer_mut(place);
        *part.ok_or_else(|| Error::object(EXTENSION, format!("it has no {place}")))? = value;
    }
    Ok(object)
}

fn counted(bench: &mut Bench<'_>, image: impl FnOnce(&Telemetry) -> Image) -> Result<String> {
    install(bench, image, WASM)?;
    expect_counted(bench.telemetry()?.0, ALL)?;
    Ok(format!(
        "pulled by both agents, {NUMBER} connections, all counted on both sides"
    ))
}

fn refused(bench: &mut Bench<'_>, image: impl FnOnce(&Telemetry) -> Image) -> Result<String> {
    install(bench, image, RBAC)?;
    expect_counted(bench.telemetry()?.0, 0)?;
    Ok(format!(
        "both agents put an RBAC filter in its place, {NUMBER} connections pass uncounted"
    ))
}

/// Changes the plugin, and waits until both proxies have a filter of this type for it. If they have
/// one before, it is replaced by one of the other type first, so that the change can be seen.
fn install(
    bench: &mut Bench<'_>,
    image: impl FnOnce(&Telemetry) -> Image,
    kind: &str,
) -> Result<()> {
    let (telemetry, kubectl) = bench.telemetry()?;
    if has(telemetry, Some(kind))? {
        let (tag, other) = if kind == WASM {
            (ABSENT, RBAC)
        } else {
            (telemetry.tag, WASM)
        };
        apply(kubectl, PORT, &with_tag(telemetry, tag))?;
        both_have(telemetry, Some(other))?;
    }
    apply(kubectl, PORT, &image(telemetry))?;
    both_have(telemetry, Some(kind))
}

/// Applies a plugin with another interval, and waits until both proxies have it and its module.
fn change(telemetry: &Telemetry, kubectl: &Kubectl, image: &Image) -> Result<()> {
    apply(kubectl, PORT, image)?;
    let interval = image.interval.unwrap_or_default();
    for pod in [&telemetry.client, &telemetry.server] {
        until("the plugin's new configuration", LIMIT, || {
            let filters = pod.admin("/config_dump?resource=ecds_filters")?;
            Ok(filters.contains(interval).then_some(()))
        })?;
    }
    both_have(telemetry, Some(WASM))
}

/// Waits until both proxies have exactly one plugin's filter of this type in each chain of the
/// port, or no such filter.
fn both_have(telemetry: &Telemetry, kind: Option<&str>) -> Result<()> {
    let what = format!("the plugin's filter being {}", kind.unwrap_or("absent"));
    until(&what, LIMIT, || Ok(has(telemetry, kind)?.then_some(())))
}

fn has(telemetry: &Telemetry, kind: Option<&str>) -> Result<bool> {
    let Telemetry { client, server, .. } = telemetry;
    let outbound = listeners::outbound(client, PORT.service)?;
    let inbound = listeners::inbound(server, PORT.target)?;
    Ok(is_in_all(&outbound, &types(client)?, kind) && is_in_all(&inbound, &types(server)?, kind))
}

fn is_in_all(chains: &[Chain], types: &BTreeMap<String, String>, kind: Option<&str>) -> bool {
    let is_right = |chain: &Chain| match (kind, chain.plugins.as_slice()) {
        (None, []) => true,
        (Some(kind), [name]) => types.get(name).is_some_and(|own| own == kind),
        _ => false,
    };
    !chains.is_empty() && chains.iter().all(is_right)
}

fn apply(kubectl: &Kubectl, port: Port, image: &Image) -> Result<()> {
    let mut objects = overlay::for_ports(kubectl, "telemetry-only", &[port])?;
    for object in &mut objects {
        let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
            continue;
        };
        spec.insert("url".to_owned(), json!(image.url));
        spec.insert("imagePullPolicy".to_owned(), json!(image.policy));
        if let Some(digest) = &image.digest {
            spec.insert("sha256".to_owned(), json!(digest));
        }
        let configuration = spec.get_mut("pluginConfig").and_then(Value::as_object_mut);
        if let (Some(interval), Some(configuration)) = (image.interval, configuration) {
            configuration.insert("tcp_reporting_duration".to_owned(), json!(interval));
        }
    }
    kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
    Ok(())
}

/// The digest in the name of the file that the agent of a proxy made of the plugin's image.
fn loaded(pod: &Pod) -> Result<String> {
    let found = dump(pod, "resource=ecds_filters")?;
    let file = items(&found, "/configs").find_map(|filter| text(filter, MODULE));
    let stem = file.as_deref().map(Path::new).and_then(Path::file_stem);
    let stem = stem.and_then(OsStr::to_str).map(str::to_owned);
    stem.ok_or_else(|| Error::object(pod.name(), "it has no plugin with a module"))
}

/// The types of the filters that a proxy got by ECDS, by name.
fn types(pod: &Pod) -> Result<BTreeMap<String, String>> {
    // Envoy refuses to list a kind of which it has none.
    let Ok(found) = dump(pod, "resource=ecds_filters") else {
        return Ok(BTreeMap::new());
    };
    let filters = items(&found, "/configs").filter_map(|filter| {
        let name = text(filter, "/ecds_filter/name")?;
        Some((name, text(filter, "/ecds_filter/typed_config/@type")?))
    });
    Ok(filters.collect())
}

/// Opens connections, and checks how many of them the client's and the server's plugin counted.
fn expect_counted(telemetry: &Telemetry, expected: i64) -> Result<()> {
    let opened = |pod: &Pod| -> Result<i64> { Ok(pod.metrics()?.sum(OPENED, &[]) as i64) };
    let both = || -> Result<_> { Ok((opened(&telemetry.client)?, opened(&telemetry.server)?)) };
    let before = both()?;
    drop(telemetry.application.take());
    let address = telemetry.service;
    let visits = telemetry
        .client
        .inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
    let counts = || -> Result<_> {
        let after = both()?;
        Ok((after.0 - before.0, after.1 - before.1))
    };
    settle("the connections being counted", SETTLE_LIMIT, || {
        let seen = telemetry.application.seen().len() as u64;
        Ok(seen == NUMBER && counts()? == (expected, expected))
    })?;
    thread::sleep(MOMENT);
    let counts = counts()?;
    expect_unchanged(&visits, telemetry.application.seen().iter())?;
    expect::equal("counted at the client", counts.0, expected)?;
    expect::equal("counted at the server", counts.1, expected)
}
