//! Layers with another packing, and incomplete layers.

use mesh::Scratch;
use serde_json::json;

use crate::command::{Result, inspect, oci, refused};
use crate::content::{Content, KINDS, LAYER, MANIFEST, MODULE, digest, gzip, module, tagged, tar};
use crate::registry::Strict;
use crate::server::{Response, Server};

/// Writes a layout of an image with this layer, as an OCI and as a Docker image.
fn layouts(scratch: &Scratch, layer: &[u8]) -> Result<Vec<String>> {
    let layouts = KINDS.iter().enumerate();
    layouts
        .map(|(number, (manifest, layer_type, _))| {
            let mut content = Content::default();
            let image = content.image(manifest, layer_type, layer, "{}");
            let dir = scratch.path().join(number.to_string());
            content.layout(&dir, &[tagged(image, "1")])
        })
        .collect()
}

#[test]
fn a_layer_of_several_gzip_members_is_read_whole() -> Result {
    let scratch = Scratch::new("oci-members")?;
    let tar = tar();
    let (first, second) = tar.split_at(4096);
    for layout in layouts(&scratch, &[gzip(first), gzip(second)].concat())? {
        let image = &inspect(&layout)?[0];
        assert_eq!(image["module"]["size"], module().len());
        let sha256 = digest(&module());
        assert_eq!(
            image["module"]["sha256"],
            sha256.trim_start_matches("sha256:")
        );
    }
    Ok(())
}

#[test]
fn an_incomplete_layer_is_reported() -> Result {
    let scratch = Scratch::new("oci-cut")?;
    let (tar, whole) = (tar(), gzip(&tar()));
    for (layer, reason) in [
        (
            gzip(&tar[..6000]),
            "plugin.wasm ends after 2928 of 5008 bytes",
        ),
        (
            gzip(&tar[..4096]),
            "plugin.wasm ends after 1024 of 5008 bytes",
        ),
        (
            whole[..whole.len() / 2].to_vec(),
            "cannot be unpacked as tar.gz",
        ),
        (
            whole[..whole.len() - 1].to_vec(),
            "damaged after the module",
        ),
        (
            [&whole[..], b"garbage"].concat(),
            "damaged after the module",
        ),
        (tar.clone(), "cannot be unpacked as tar.gz"),
        (Vec::new(), "cannot be unpacked as tar.gz"),
    ] {
        for layout in layouts(&scratch, &layer)? {
            let text = refused(&mut oci(["inspect", &layout]))?;
            assert!(text.contains(reason), "{text}");
            let text = refused(&mut oci(["inspect", "--json", &layout]))?;
            assert!(text.contains(reason), "{text}");
        }
    }
    Ok(())
}

/// The command sends no request for the blob.
#[test]
fn a_module_over_the_limit_is_detected_in_its_manifest() -> Result {
    let size = (256 << 20) + 1;
    for media_type in [LAYER, MODULE] {
        let mut content = Content::default();
        let mut layer = content.put(media_type, b"\0asm\x01\0\0\0");
        layer["size"] = json!(size);
        let config = content.put("application/json", b"{}");
        let manifest = json!({ "config": config, "layers": [config, layer] });
        let image = content.put_manifest(MANIFEST, manifest);
        let registry = Strict::new(&content, &[("1", &image)]);
        let server = Server::start(move |request| registry.answer(request))?;
        let text = refused(&mut oci(["inspect", &format!("{}/x:1", server.address())]))?;
        let expected = "has 268435457 bytes, and the limit of an agent is 268435456";
        assert!(text.contains(expected), "{text}");
        let requests = server.requests();
        assert!(
            !requests
                .iter()
                .any(|request| request.target.contains("/blobs/"))
        );
    }
    Ok(())
}

/// The command ends although the response of the registry is endless.
#[test]
fn no_more_bytes_are_read_than_the_manifest_lists() -> Result {
    for (endless, expected) in [
        ("/blobs/", "expected no more than 8 bytes"),
        ("/manifests/", "expected no more than 104857600 bytes"),
    ] {
        let mut content = Content::default();
        let layer = content.put(LAYER, b"12345678");
        let manifest = json!({ "config": layer, "layers": [layer] });
        let image = content.put_manifest(MANIFEST, manifest);
        let registry = Strict::new(&content, &[("1", &image)]);
        let server = Server::start(move |request| {
            let mut answer = registry.answer(request);
            if request.target.contains(endless) {
                answer.is_endless = true;
                answer.body = vec![b' '; 1 << 16];
            }
            answer
        })?;
        let text = refused(&mut oci(["inspect", &format!("{}/x:1", server.address())]))?;
        assert!(text.contains(expected), "{text}");
    }
    Ok(())
}

#[test]
fn a_blob_of_another_size_or_content_is_reported() -> Result {
    let mut content = Content::default();
    let layer = content.put(LAYER, b"12345678");
    let manifest = json!({ "config": layer, "layers": [layer] });
    let image = content.put_manifest(MANIFEST, manifest);
    let registry = Strict::new(&content, &[("1", &image)]);
    for (body, expected) in [
        ("1234567", "expected 8 bytes, got 7"),
        ("87654321", "expected sha256:"),
    ] {
        let registry = registry.clone();
        let server = Server::start(move |request| match request.target.contains("/blobs/") {
            true => Response::new(200).body(body),
            false => registry.answer(request),
        })?;
        let text = refused(&mut oci(["inspect", &format!("{}/x:1", server.address())]))?;
        assert!(
            text.contains("is corrupted") && text.contains(expected),
            "{text}"
        );
    }
    let mut layer = content.put(LAYER, &gzip(&tar()));
    layer["size"] = json!(9);
    let manifest = json!({ "config": layer, "layers": [layer] });
    let image = content.put_manifest(MANIFEST, manifest);
    let scratch = Scratch::new("oci-size")?;
    let layout = content.layout(scratch.path(), &[image])?;
    let text = refused(&mut oci(["inspect", &layout]))?;
    assert!(text.contains("expected 9 bytes, got"), "{text}");
    Ok(())
}
