//! Istio's CustomResourceDefinitions accept the manifests.

use std::path::Path;

use manifests::crd::Definitions;
use manifests::{Manifest, manifest};
use mesh::{available, tools};

/// Folders with manifests of Istio's kinds.
const FOLDERS: [&str; 2] = ["envoy-config/istio", "envoy-config/bookinfo"];
/// The least number of objects of Istio's kinds.
const AT_LEAST: usize = 14;

/// Istio's definitions. If they are not available, reports the test as skipped and returns `None`.
pub(crate) fn definitions() -> Option<Definitions> {
    let folder = available(tools::istio_definitions()).unwrap()?;
    Some(Definitions::read(&folder).unwrap())
}

#[test]
fn every_manifest_is_valid() {
    let Some(definitions) = definitions() else {
        return;
    };
    let mut checked = 0;
    for file in FOLDERS
        .iter()
        .flat_map(|folder| manifest::files(folder).unwrap())
    {
        for manifest in Manifest::read(&file).unwrap() {
            if definitions.has_group_of(&manifest) {
                definitions
                    .check(&manifest)
                    .unwrap_or_else(|error| panic!("{error}"));
                println!("{manifest}: valid");
                checked += 1;
            }
        }
    }
    assert!(checked >= AT_LEAST, "only {checked} manifests");
}

/// A fault, a manifest with this fault, and the text that the message must contain.
const WRONG: [(&str, &str, &str); 14] = [
    (
        "an unknown field",
        "kind: WasmPlugin\nspec: { url: a.com/b, failstrategy: FAIL_OPEN }",
        "/spec/failstrategy: unknown field",
    ),
    (
        "an unknown field deep inside",
        "kind: WasmPlugin\nspec: { url: a.com/b, match: [{ ports: [{ port: 1, number: 1 }] }] }",
        "/spec/match/0/ports/0/port: unknown field",
    ),
    (
        "a missing field",
        "kind: WasmPlugin\nspec: { type: NETWORK }",
        "/spec: \"url\" is a required property",
    ),
    (
        "a value that is none of those allowed",
        "kind: WasmPlugin\nspec: { url: a.com/b, type: TCP }",
        "/spec/type",
    ),
    (
        "a wrong type",
        "kind: WasmPlugin\nspec: { url: a.com/b, priority: first }",
        "/spec/priority",
    ),
    (
        "a pattern",
        "kind: WasmPlugin\nspec: { url: a.com/b, sha256: sha256:00 }",
        "/spec/sha256",
    ),
    (
        "a port out of range",
        "kind: WasmPlugin\nspec: { url: a.com/b, match: [{ ports: [{ number: 65536 }] }] }",
        "/spec/match/0/ports/0/number",
    ),
    (
        "a port twice",
        "kind: WasmPlugin\nspec: { url: a.com/b, match: [{ ports: [{ number: 1 }, { number: 1 }] }] }",
        "/spec/match/0/ports: [1] occurs twice",
    ),
    (
        "CEL: the scheme of a URL",
        "kind: WasmPlugin\nspec: { url: 'ftp://a.com/b' }",
        "/spec/url: url must have schema one of",
    ),
    (
        "CEL: two ways to select",
        "kind: WasmPlugin\nspec: { url: a.com/b, selector: {}, targetRefs: [{ kind: Gateway, name: a }] }",
        "/spec: only one of targetRefs or selector",
    ),
    (
        "CEL: a key of a map",
        "kind: WasmPlugin\nspec: { url: a.com/b, selector: { matchLabels: { 'a*': b } } }",
        "/spec/selector/matchLabels: wildcard not allowed in label key",
    ),
    (
        "CEL: a value of a map",
        "kind: WasmPlugin\nspec: { url: a.com/b, selector: { matchLabels: { a: 'b*' } } }",
        "/spec/selector/matchLabels/a: wildcard not allowed in label value",
    ),
    (
        "CEL: neither wasm nor lua",
        "kind: TrafficExtension\nspec: { phase: STATS }",
        "/spec: exactly one of wasm or lua must be set",
    ),
    (
        "CEL: a value from the host",
        "kind: WasmPlugin\nspec: { url: a.com/b, vmConfig: { env: [{ name: a, valueFrom: HOST, value: b }] } }",
        "/spec/vmConfig/env/0: value may only be set",
    ),
];

#[test]
fn the_error_for_an_invalid_manifest_names_the_field() {
    let Some(definitions) = definitions() else {
        return;
    };
    let judge = |yaml: &str| {
        let yaml = format!(
            "apiVersion: extensions.istio.io/v1alpha1\nmetadata: {{ name: broken }}\n{yaml}"
        );
        let manifests = Manifest::parse(&yaml, Path::new("broken.yaml")).unwrap();
        definitions.check(&manifests[0])
    };
    judge("kind: WasmPlugin\nspec: { url: a.com/b, type: NETWORK }").unwrap();
    for (what, yaml, expected) in WRONG {
        let message = judge(yaml).expect_err(what).to_string();
        assert!(message.contains(expected), "{what}: {message}");
    }
}

#[test]
fn rules_of_other_kinds_are_evaluated_too() {
    let Some(definitions) = definitions() else {
        return;
    };
    let judge = |yaml: &str| {
        let manifests = Manifest::parse(yaml, Path::new("broken.yaml")).unwrap();
        definitions.check(&manifests[0])
    };
    let telemetry = |interval: &str| {
        judge(&format!(
            "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{ name: a }}\n\
             spec: {{ metrics: [{{ reportingInterval: {interval} }}] }}"
        ))
    };
    telemetry("5s").unwrap();
    for wrong in ["0.5ms", "often"] {
        let message = telemetry(wrong).unwrap_err().to_string();
        assert!(
            message.contains("/spec/metrics/0/reportingInterval: must be a valid duration"),
            "{message}"
        );
    }
    let unknown =
        judge("apiVersion: telemetry.istio.io/v9\nkind: Telemetry\nmetadata: { name: a }");
    assert!(
        unknown
            .unwrap_err()
            .to_string()
            .contains("telemetry.istio.io/v9 Telemetry")
    );
    let unnamed =
        judge("apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: A_b }");
    assert!(unnamed.unwrap_err().to_string().contains("/metadata/name"));
}
