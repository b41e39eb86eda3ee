//! Pushed images that other clients read.

use std::fs;
use std::process::Command;

use mesh::registry::Access;
use mesh::{Scratch, available, process, tools};
use sha2::{Digest, Sha256};

use crate::agent;
use crate::fixture::{PLAIN, REPOSITORY, Result, SIGNED, blob, inspect, name, push, registry};

#[test]
fn an_agent_fetches_the_module_by_tag_and_by_digest() -> Result {
    let scratch = Scratch::new("oci-agent")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let module = fs::read(PLAIN.join("tcp_peer_stats.wasm"))?;
    let pushed = push(&PLAIN, &name(&registry, ":latest"))?;
    let names: Vec<_> = pushed.iter().map(|(name, _)| name.as_str()).collect();
    let tags = [":latest", ":latest-artifact"].map(|tag| name(&registry, tag));
    assert_eq!(names, tags);
    for ((image, digest), variant) in pushed.iter().zip(["compat", "artifact"]) {
        let pinned = digest.trim_start_matches("sha256:");
        let by_digest = name(&registry, &format!("@{digest}"));
        for image in [image, &by_digest] {
            let fetched = agent::fetch(image, Some(pinned))?;
            assert_eq!(fetched.variant, variant);
            assert!(fetched.module == module, "{} bytes", fetched.module.len());
            assert!(agent::fetch(image, Some(&"0".repeat(64))).is_err());

            let inspected = &inspect(image)?[0];
            assert_eq!(inspected["variant"], variant);
            assert_eq!(inspected["manifest_digest"], *digest);
            assert_eq!(inspected["module"]["size"], module.len());
            let sha256 = hex::encode(Sha256::digest(&module));
            assert_eq!(inspected["module"]["sha256"], sha256);
            assert_eq!(inspected["has_sbom"], true);
            assert_eq!(inspected["has_signature"], false);
        }
    }
    Ok(())
}

/// The default tag is the version. Existing blobs are not uploaded again.
#[test]
fn a_second_push_changes_nothing() -> Result {
    let scratch = Scratch::new("oci-again")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let first = push(&PLAIN, &name(&registry, ""))?;
    assert_eq!(
        first[0].0,
        name(&registry, concat!(":", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(push(&PLAIN, &name(&registry, ""))?, first);
    Ok(())
}

#[test]
fn skopeo_reads_the_bytes_of_the_layout() -> Result {
    let scratch = Scratch::new("oci-skopeo")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let remedy = "Install it (Debian: `apt install skopeo`) to run what needs it";
    if available(tools::required("skopeo", remedy))?.is_none() {
        return Ok(());
    }
    let mut everything = Vec::new();
    for (image, digest) in push(&SIGNED, &name(&registry, ":1"))? {
        let hidden = digest.replace(':', "-");
        let (repository, _) = image.rsplit_once(':').ok_or("no tag")?;
        everything.push(format!("{repository}:{hidden}.sig"));
        everything.push(format!("{repository}:{hidden}.sbom"));
        everything.push(image);
    }
    assert_eq!(everything.len(), 6);
    for (number, image) in everything.iter().enumerate() {
        let copy = scratch.path().join(number.to_string());
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "copy", "--src-tls-verify=false"]);
        skopeo.arg(format!("docker://{image}"));
        skopeo.arg(format!("dir:{}", copy.display()));
        process::run("skopeo", skopeo)?;
        let manifest = fs::read(copy.join("manifest.json"))?;
        let digest = hex::encode(Sha256::digest(&manifest));
        assert!(manifest == fs::read(blob(&SIGNED, &digest))?, "{image}");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
        let layers = manifest["layers"].as_array().ok_or("no layers")?;
        for layer in layers.iter().chain([&manifest["config"]]) {
            let digest = layer["digest"].as_str().ok_or("no digest")?;
            let copied = fs::read(copy.join(digest.trim_start_matches("sha256:")))?;
            assert!(
                copied == fs::read(blob(&SIGNED, digest))?,
                "{image}: {digest}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_registry_lists_only_pushed_tags() -> Result {
    let scratch = Scratch::new("oci-tags")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let pushed = push(&PLAIN, &name(&registry, ":a.b-c_d"))?;
    let url = format!("http://{}/v2/{REPOSITORY}/tags/list", registry.address());
    let answer = ureq::get(url).call()?.body_mut().read_to_string()?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let mut tags: Vec<_> = answer["tags"]
        .as_array()
        .ok_or("no tags")?
        .iter()
        .filter_map(|tag| tag.as_str())
        .collect();
    tags.sort_unstable();
    let sboms = pushed
        .iter()
        .map(|(_, digest)| format!("{}.sbom", digest.replace(':', "-")));
    let mut expected: Vec<_> = sboms.collect();
    expected.extend(["a.b-c_d".to_owned(), "a.b-c_d-artifact".to_owned()]);
    expected.sort_unstable();
    assert_eq!(tags, expected);
    Ok(())
}
