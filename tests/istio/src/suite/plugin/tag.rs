//! A tag that gets another image.

use super::{ALL, Image, NUMBER, WASM, both_have, change, expect_counted, install, loaded};
use crate::error::Result;
use crate::suite::bench::Bench;
use crate::suite::expect;
use crate::suite::telemetry::{Content, Telemetry};

const TAG: &str = "moving";
const KEPT: &str = "IfNotPresent";

/// An agent keeps the image that it has under a tag; one that starts again gets the new one. A
/// digest, or another plugin with `Always`, changes all.
pub(in crate::suite) fn moved(bench: &mut Bench<'_>) -> Result<String> {
    let (telemetry, _) = bench.telemetry()?;
    let old = telemetry.push(Content::Built, TAG)?;
    install(bench, |it| image(it, KEPT), WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    expect_loaded(telemetry, "at first", [&old, &old])?;

    let new = telemetry.push(Content::Other, TAG)?;
    expect::holds(new != old, || format!("both images have the digest {old}"))?;
    let changed = Image {
        interval: Some("7s"),
        ..image(telemetry, KEPT)
    };
    change(telemetry, kubectl, &changed)?;
    expect_loaded(telemetry, "the plugin changed", [&old, &old])?;
    expect_counted(telemetry, ALL)?;

    bench.restart_plugin_server()?;
    let (telemetry, kubectl) = bench.telemetry()?;
    both_have(telemetry, Some(WASM))?;
    expect_loaded(telemetry, "the server restarted", [&old, &new])?;
    expect_counted(telemetry, ALL)?;

    let pinned = Image {
        digest: Some(new.clone()),
        interval: Some("8s"),
        ..image(telemetry, KEPT)
    };
    change(telemetry, kubectl, &pinned)?;
    expect_loaded(telemetry, "the digest in sha256", [&new, &new])?;
    expect_counted(telemetry, ALL)?;

    telemetry.push(Content::Built, TAG)?;
    let always = Image {
        interval: Some("9s"),
        ..image(telemetry, "Always")
    };
    change(telemetry, kubectl, &always)?;
    expect_loaded(telemetry, "Always, and another plugin", [&old, &old])?;
    expect_counted(telemetry, ALL)?;
    Ok(format!(
        "the old image after a change of the plugin, both after a restart of one pod, the new one by its digest or with Always, 4 times {NUMBER} connections, all counted on both sides"
    ))
}

fn image(telemetry: &Telemetry, policy: &'static str) -> Image {
    Image {
        policy,
        ..super::with_tag(telemetry, TAG)
    }
}

/// The client's and the server's proxy have the modules of the images with these digests.
fn expect_loaded(telemetry: &Telemetry, when: &str, digests: [&str; 2]) -> Result<()> {
    let Telemetry { client, server, .. } = telemetry;
    for (pod, digest) in [client, server].into_iter().zip(digests) {
        let what = format!("{when}: the image of {}", pod.name());
        expect::equal(&what, loaded(pod)?.as_str(), digest)?;
    }
    Ok(())
}
