//! Image indexes and Docker's manifest lists, in a layout and in a registry.

use std::slice;

use mesh::Scratch;
use serde_json::Value;

use crate::command::{Result, inspect, oci, refused};
use crate::content::{Content, INDEX, KINDS, gzip, module, on, tagged, tar};
use crate::registry::Strict;
use crate::server::Server;

/// Checks an image with the tag `1` in a layout and in a registry.
fn both(content: &Content, top: &Value, check: impl Fn(&str) -> Result) -> Result {
    let scratch = Scratch::new("oci-index")?;
    check(&content.layout(scratch.path(), &[tagged(top.clone(), "1")])?)?;
    let registry = Strict::new(content, &[("1", top)]);
    let server = Server::start(move |request| registry.answer(request))?;
    check(&format!("{}/x:1", server.address()))
}

#[test]
fn linux_amd64_of_an_index_is_selected() -> Result {
    for (manifest, layer, index) in KINDS {
        let mut content = Content::default();
        let mut image = |mark| content.image(manifest, layer, &gzip(&tar()), mark);
        let (arm, amd) = (image("arm"), image("amd"));
        let digest = amd["digest"].clone();
        let entries = [
            content.attestation(),
            on(arm, "linux/arm64/v8"),
            on(amd.clone(), "linux/amd64"),
        ];
        let inner = content.index(index, &entries);
        let outer = content.index(index, &[on(inner.clone(), "linux/amd64")]);
        // An entry without a platform counts as linux/amd64.
        let bare = content.index(index, slice::from_ref(&amd));
        for top in [inner, outer, bare] {
            both(&content, &top, |image| {
                let image = &inspect(image)?[0];
                assert_eq!(image["manifest_digest"], digest);
                assert_eq!(image["index_digest"], top["digest"]);
                assert_eq!(image["module"]["size"], module().len());
                Ok(())
            })?;
        }
        both(&content, &amd, |image| {
            let image = &inspect(image)?[0];
            assert_eq!(image["manifest_digest"], digest);
            assert_eq!(image.get("index_digest"), None);
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn an_index_without_linux_amd64_is_reported_with_its_platforms() -> Result {
    for (_, _, index) in KINDS {
        for (platforms, expected) in [
            (&[][..], "without linux/amd64: it has no image."),
            (
                &["unknown/unknown"],
                "without linux/amd64: it has no image.",
            ),
            (&["linux/arm64"], "without linux/amd64: it has linux/arm64."),
            (
                &[
                    "linux/arm/v7",
                    "unknown/unknown",
                    "wasi/wasm",
                    "windows/amd64",
                ],
                "without linux/amd64: it has linux/arm/v7, wasi/wasm, windows/amd64.",
            ),
        ] {
            let mut content = Content::default();
            let image = content.good("{}");
            let entries = platforms.iter().map(|platform| on(image.clone(), platform));
            let entries: Vec<_> = entries.collect();
            let top = content.index(index, &entries);
            both(&content, &top, |image| {
                let text = refused(&mut oci(["inspect", image]))?;
                assert!(text.contains(expected), "{text}");
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// An index cannot list itself, but a registry can send an endless chain of indexes that list
/// indexes.
#[test]
fn the_depth_of_nested_indexes_is_limited() -> Result {
    let mut content = Content::default();
    let mut top = content.good("{}");
    for _ in 0..8 {
        top = content.index(INDEX, &[top]);
    }
    both(&content, &top, |image| inspect(image).map(|_| ()))?;
    let top = content.index(INDEX, &[top]);
    both(&content, &top, |image| {
        let text = refused(&mut oci(["inspect", image]))?;
        assert!(text.contains("more than 8 indexes"), "{text}");
        Ok(())
    })
}

/// A signature can refer to the index or to the image.
#[test]
fn a_signature_of_an_index_applies_to_its_image() -> Result {
    let mut content = Content::default();
    let image = content.good("{}");
    let top = content.index(INDEX, slice::from_ref(&image));
    let about = content.good("about");
    let tag = |entry: &Value, suffix| {
        let digest = entry["digest"].as_str().unwrap_or_default();
        format!("{}.{suffix}", digest.replace(':', "-"))
    };
    let (signature, sbom) = (tag(&top, "sig"), tag(&image, "sbom"));
    let tags = [("1", &top), (&signature, &about), (&sbom, &about)];
    let registry = Strict::new(&content, &tags);
    let server = Server::start(move |request| registry.answer(request))?;
    let scratch = Scratch::new("oci-signed-index")?;
    let entries = tags.map(|(tag, entry)| tagged(entry.clone(), tag));
    let layout = content.layout(scratch.path(), &entries)?;
    for image in [format!("{}/x:1", server.address()), layout] {
        let images = inspect(&image)?;
        assert_eq!(images.len(), 1);
        assert_eq!(images[0]["has_signature"], true);
        assert_eq!(images[0]["has_sbom"], true);
    }
    Ok(())
}

#[test]
fn an_index_with_a_missing_image_is_reported() -> Result {
    let mut content = Content::default();
    let image = content.good("{}");
    let digest = image["digest"].as_str().ok_or("no digest")?.to_owned();
    let top = content.index(INDEX, &[image]);
    content.blobs.remove(&digest);
    content.manifests.remove(&digest);
    both(&content, &top, |image| {
        let text = refused(&mut oci(["inspect", image]))?;
        assert!(
            text.contains(digest.trim_start_matches("sha256:")),
            "{text}"
        );
        Ok(())
    })
}
