//! Pushed and rejected layouts.

use mesh::Scratch;
use serde_json::Value;

use crate::command::{Result, done, oci, refused};
use crate::content::{Content, INDEX, KINDS, LAYER, MANIFEST, gzip, on, tagged, tar};
use crate::registry::Strict;
use crate::server::Server;

struct Pushing {
    scratch: Scratch,
    registry: Strict,
    server: Server,
}

impl Pushing {
    fn new() -> Result<Self> {
        let registry = Strict::default();
        let answering = registry.clone();
        Ok(Self {
            scratch: Scratch::new("oci-pushing")?,
            registry,
            server: Server::start(move |request| answering.answer(request))?,
        })
    }

    fn command(
        &self,
        content: &Content,
        entries: &[Value],
        tag: &str,
    ) -> Result<std::process::Command> {
        let reference = format!("{}/x{tag}", self.server.address());
        let layout = content.layout(self.scratch.path(), entries)?;
        Ok(oci(["push", &reference, "--layout", &layout]))
    }
}

#[test]
fn an_index_is_copied_with_all_its_manifests() -> Result {
    for (manifest, layer, index) in KINDS {
        let pushing = Pushing::new()?;
        let mut content = Content::default();
        let mut image = |mark| content.image(manifest, layer, &gzip(&tar()), mark);
        let (arm, amd) = (image("arm"), image("amd"));
        let entries = [
            on(arm, "linux/arm64"),
            on(amd, "linux/amd64"),
            content.attestation(),
        ];
        let inner = content.index(index, &entries);
        let top = content.index(index, &[on(inner, "linux/amd64")]);
        let digest = top["digest"].as_str().ok_or("no digest")?;
        let mut command = pushing.command(&content, &[tagged(top.clone(), "own")], ":1")?;
        let text = done(&mut command)?;
        let address = pushing.server.address();
        assert_eq!(text, format!("{address}/x:1@{digest}\n"));
        assert_eq!(
            pushing.registry.manifest("1").as_ref(),
            content.blobs.get(digest)
        );
        for digest in content.manifests.keys() {
            let there = pushing.registry.manifest(digest);
            assert_eq!(there.as_ref(), content.blobs.get(digest), "{digest}");
        }
        done(&mut oci(["inspect", &format!("{address}/x:1")]))?;
    }
    Ok(())
}

#[test]
fn a_layout_that_inspect_rejects_is_not_pushed() -> Result {
    let mut content = Content::default();
    let cut = content.image(MANIFEST, LAYER, &gzip(&tar()[..4096]), "cut");
    let script = content.image(MANIFEST, LAYER, b"#!/bin/sh", "script");
    let arm = on(content.good("arm"), "linux/arm64");
    let arm = content.index(INDEX, &[arm]);
    let good = content.good("good");
    // An agent selects the first image, but the second cannot be copied.
    let mut deep = good.clone();
    for _ in 0..9 {
        deep = content.index(INDEX, &[good.clone(), deep]);
    }
    for (entries, expected) in [
        (vec![tagged(cut.clone(), "1")], "plugin.wasm ends after"),
        (
            vec![tagged(good, "good"), tagged(cut, "1")],
            "plugin.wasm ends after",
        ),
        (vec![tagged(script, "1")], "cannot be unpacked as tar.gz"),
        (
            vec![tagged(arm, "1")],
            "without linux/amd64: it has linux/arm64",
        ),
        (vec![tagged(deep, "1")], "more than 8 indexes"),
    ] {
        let pushing = Pushing::new()?;
        let text = refused(&mut pushing.command(&content, &entries, "")?)?;
        assert!(text.contains(expected), "{text}");
        assert!(pushing.server.requests().is_empty());
    }
    Ok(())
}

#[test]
fn each_image_is_pushed_with_a_unique_tag() -> Result {
    let mut content = Content::default();
    let (one, two) = (content.good("one"), content.good("two"));
    let both = [tagged(one.clone(), "1"), tagged(two.clone(), "2")];
    let whole = [tagged(one.clone(), "docker.io/me/x:1")];
    for (entries, tag, expected) in [
        (
            &both[..],
            ":3",
            "several images (1, 2), and more than one would get the tag 3",
        ),
        (
            &[one.clone(), two][..],
            ":3",
            "more than one would get the tag 3",
        ),
        (&[one.clone()][..], "", "has no tag that a registry accepts"),
        (
            &whole[..],
            "",
            "docker.io/me/x:1 has no tag that a registry accepts",
        ),
    ] {
        let pushing = Pushing::new()?;
        let text = refused(&mut pushing.command(&content, entries, tag)?)?;
        assert!(text.contains(expected), "{text}");
        assert!(pushing.server.requests().is_empty());
    }
    for (entries, tag, tags) in [
        (&both[..], "", &["1", "2"][..]),
        (&[one][..], ":3", &["3"][..]),
        (&whole[..], ":4", &["4"][..]),
    ] {
        let pushing = Pushing::new()?;
        done(&mut pushing.command(&content, entries, tag)?)?;
        for tag in tags {
            assert!(pushing.registry.manifest(tag).is_some(), "{tag}");
        }
    }
    Ok(())
}
