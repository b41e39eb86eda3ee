//! Layouts of another module, and errors in broken ones.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use oci_spec::image::ImageManifest;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use tempfile::TempDir;

use crate::build::assemble;
use crate::error::{Error, Result};
use crate::store::{Store, companion};
use crate::{Key, Layout, Module, Options, Provenance, Release, Variant, Variants, inspect};

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and what follows";

fn provenance() -> Provenance {
    Provenance {
        release: Release {
            name: "filter".into(),
            version: "1.2.3".into(),
            description: None,
            license: Some("Apache-2.0".into()),
            source: Some("https://git.example.com/filter".into()),
        },
        revision: Some("0123".into()),
        created: Some("2020-01-02T03:04:05Z".into()),
    }
}

fn layout(dir: &Path, variants: Variants, key: Option<Key>) -> Result<Layout> {
    let options = Options {
        variants,
        key,
        source: None,
        output: dir.to_owned(),
    };
    let module = Module::new("the module", MODULE.to_vec())?;
    assemble(&options, &module, &provenance(), b"{}")
}

fn manifest(layout: &Layout, tag: &str) -> ImageManifest {
    let found = layout.manifest(tag).unwrap().unwrap();
    serde_json::from_slice(&found.bytes).unwrap()
}

fn blob(layout: &Layout, digest: &str) -> PathBuf {
    let name = digest.strip_prefix("sha256:").unwrap();
    layout.dir().join("blobs/sha256").join(name)
}

/// Every file below a folder, with its content.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        match entry.is_dir() {
            true => all.extend(files(&entry)),
            false => all.push((entry.clone(), fs::read(&entry).unwrap())),
        }
    }
    all.sort();
    all
}

#[test]
fn an_agent_finds_the_module_in_both_variants() {
    let dir = TempDir::new().unwrap();
    let both = layout(dir.path(), Variants::Both, None).unwrap();
    assert_eq!(both.references().unwrap(), ["1.2.3", "1.2.3-artifact"]);
    for (tag, variant) in [
        ("1.2.3", Variant::Compat),
        ("1.2.3-artifact", Variant::Artifact),
    ] {
        let image = inspect(tag, tag, &both).unwrap();
        assert_eq!(image.variant, variant);
        assert_eq!(image.module.size, MODULE.len());
        assert_eq!(image.module.sha256, crate::digest::hex(MODULE));
        assert!(image.has_sbom && !image.has_signature);
        let revision = &image.annotations["org.opencontainers.image.revision"];
        assert_eq!(revision, "0123");
    }
}

#[test]
fn one_variant_alone_has_the_version_as_its_tag() {
    for (variants, variant) in [
        (Variants::Compat, Variant::Compat),
        (Variants::Artifact, Variant::Artifact),
    ] {
        let dir = TempDir::new().unwrap();
        let one = layout(dir.path(), variants, None).unwrap();
        assert_eq!(one.references().unwrap(), ["1.2.3"]);
        assert_eq!(inspect("it", "1.2.3", &one).unwrap().variant, variant);
    }
}

#[test]
fn a_layout_is_the_same_every_time_and_takes_the_place_of_the_last_one() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let made = layout(first.path(), Variants::Both, None).unwrap();
    layout(second.path(), Variants::Compat, None).unwrap();
    let again = layout(second.path(), Variants::Both, None).unwrap();
    let bare = |layout: &Layout| {
        let files = files(layout.dir()).into_iter();
        let bare =
            files.map(|(path, bytes)| (path.strip_prefix(layout.dir()).unwrap().to_owned(), bytes));
        bare.collect::<Vec<_>>()
    };
    assert_eq!(bare(&made), bare(&again));
    assert_eq!(bare(&made).len(), 11, "a stale blob, or one too few");
}

#[test]
fn a_folder_that_is_no_layout_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let precious = dir.path().join("layout/precious");
    fs::create_dir(dir.path().join("layout")).unwrap();
    fs::write(&precious, "kept").unwrap();
    let refused = layout(dir.path(), Variants::Both, None);
    assert!(matches!(refused, Err(Error::NotALayout { .. })));
    assert_eq!(fs::read(&precious).unwrap(), b"kept");
    assert!(matches!(
        Layout::open(dir.path()),
        Err(Error::NotALayout { .. })
    ));
}

#[test]
fn a_corrupted_layer_is_named() {
    let dir = TempDir::new().unwrap();
    let both = layout(dir.path(), Variants::Both, None).unwrap();
    for tag in both.references().unwrap() {
        let digest = &manifest(&both, &tag)
            .layers()
            .last()
            .unwrap()
            .digest()
            .to_string();
        let file = blob(&both, digest);
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, &bytes).unwrap();
        let message = inspect(&tag, &tag, &both).unwrap_err();
        assert!(
            matches!(&message, Error::Corrupted { what, .. } if *what == file.display().to_string())
        );
        assert!(message.to_string().contains(digest), "{message}");
    }
}

#[test]
fn a_manifest_with_another_digest_is_refused() {
    let dir = TempDir::new().unwrap();
    let compat = layout(dir.path(), Variants::Compat, None).unwrap();
    let index = compat.dir().join("index.json");
    let digest = inspect("it", "1.2.3", &compat).unwrap().manifest_digest;
    let text = fs::read_to_string(&index).unwrap();
    let other = "0".repeat(64);
    fs::write(&index, text.replace(&digest, &format!("sha256:{other}"))).unwrap();
    fs::copy(
        blob(&compat, &digest),
        compat.dir().join("blobs/sha256").join(&other),
    )
    .unwrap();
    let compat = Layout::open(compat.dir()).unwrap();
    let refused = inspect("it", "1.2.3", &compat);
    assert!(
        matches!(refused, Err(Error::Corrupted { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_image_without_a_module_and_one_with_another_file_have_different_errors() {
    let dir = TempDir::new().unwrap();
    let mut broken = layout(dir.path(), Variants::Both, None).unwrap();
    let mut artifact = manifest(&broken, "1.2.3-artifact");
    artifact.layers_mut().truncate(1);
    broken.tag("without", &artifact).unwrap();
    let refused = inspect("it", "without", &broken).unwrap_err();
    assert!(matches!(&refused, Error::NoModule { .. }));
    assert!(
        refused
            .to_string()
            .contains("its number of layers is 1 instead of 2"),
        "{refused}"
    );

    let mut artifact = manifest(&broken, "1.2.3-artifact");
    artifact.layers_mut()[1] = broken
        .put(crate::media_type::MODULE, b"#!/bin/sh\n")
        .unwrap();
    broken.tag("script", &artifact).unwrap();
    let refused = inspect("it", "script", &broken);
    assert!(
        matches!(refused, Err(Error::NotWasm { size: 10, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_docker_image_must_have_a_docker_layer() {
    let dir = TempDir::new().unwrap();
    let mut layout = layout(dir.path(), Variants::Both, None).unwrap();
    let mut docker = manifest(&layout, "1.2.3");
    docker.set_media_type(Some(crate::media_type::DOCKER_MANIFEST.into()));
    layout.tag("oci-layer", &docker).unwrap();
    let refused = inspect("it", "oci-layer", &layout);
    assert!(
        matches!(refused, Err(Error::NoModule { .. })),
        "{refused:?}"
    );
    docker.layers_mut()[0].set_media_type(crate::media_type::DOCKER_LAYER.into());
    layout.tag("docker-layer", &docker).unwrap();
    let image = inspect("it", "docker-layer", &layout).unwrap();
    assert_eq!(image.variant, Variant::Docker);
}

#[test]
fn a_layout_without_an_image_is_refused() {
    let dir = TempDir::new().unwrap();
    let empty = Layout::create(&dir.path().join("layout")).unwrap();
    assert!(matches!(empty.references(), Err(Error::NotALayout { .. })));
}

#[test]
fn a_signature_is_of_the_digest_and_by_the_key() {
    let dir = TempDir::new().unwrap();
    let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
    let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap();
    let file = dir.path().join("key.pem");
    let text = BASE64_STANDARD.encode(der.as_ref());
    fs::write(
        &file,
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"),
    )
    .unwrap();

    let signed = layout(dir.path(), Variants::Both, Some(Key::read(&file).unwrap())).unwrap();
    for tag in signed.references().unwrap() {
        let image = inspect(&tag, &tag, &signed).unwrap();
        assert!(image.has_signature);
        let signature = manifest(&signed, &companion(&image.manifest_digest, "sig"));
        let layer = &signature.layers()[0];
        let payload = signed.blob(layer).unwrap();
        let annotations = layer.annotations().as_ref().unwrap();
        let bytes = BASE64_STANDARD
            .decode(&annotations["dev.cosignproject.cosign/signature"])
            .unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref())
            .verify(&payload, &bytes)
            .unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let named = &payload["critical"]["image"]["docker-manifest-digest"];
        assert_eq!(*named, image.manifest_digest);
    }
}

#[test]
fn a_key_of_another_kind_is_refused_with_the_way_to_make_one() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("cosign.key");
    let kind = "ENCRYPTED SIGSTORE PRIVATE KEY";
    fs::write(
        &file,
        format!("-----BEGIN {kind}-----\nZXhhbXBsZQ==\n-----END {kind}-----\n"),
    )
    .unwrap();
    let refused = Key::read(&file).unwrap_err();
    assert!(matches!(refused, Error::Key { .. }));
    assert!(refused.to_string().contains("openssl genpkey"), "{refused}");
}
