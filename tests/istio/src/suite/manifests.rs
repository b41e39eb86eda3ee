//! What the API server and istiod's webhook say of the files in `envoy-config/`.

use super::bench::{Bench, NAMESPACE};
use super::expect;
use crate::error::Result;

/// Files and folders that are accepted, with the flag of `kubectl` for each.
const ACCEPTED: [(&str, &str); 12] = [
    ("--kustomize", "envoy-config/istio/overlays/telemetry-only"),
    (
        "--kustomize",
        "envoy-config/istio/overlays/telemetry-instead-of-native",
    ),
    ("--kustomize", "envoy-config/istio/overlays/exchange"),
    (
        "--kustomize",
        "envoy-config/istio/overlays/exchange-instead-of-native",
    ),
    ("--kustomize", "envoy-config/istio/overlays/uninstall"),
    (
        "--filename",
        "envoy-config/istio/components/native-metrics-off/telemetry.yaml",
    ),
    ("--filename", "envoy-config/bookinfo/mongodb.yaml"),
    ("--filename", "envoy-config/bookinfo/ratings-v2.yaml"),
    ("--filename", "envoy-config/bookinfo/destination-rules.yaml"),
    (
        "--filename",
        "envoy-config/bookinfo/destination-rules-plaintext.yaml",
    ),
    (
        "--filename",
        "envoy-config/bookinfo/destination-rules-mtls.yaml",
    ),
    ("--filename", "envoy-config/bookinfo/virtual-services.yaml"),
];

/// Specs of a WasmPlugin that are refused, and a part of the answer.
const REFUSED: [(&str, &str); 3] = [
    (r#"{ "url": "ftp://example.com/filter.wasm" }"#, "url"),
    (
        r#"{ "url": "oci://example.com/filter:1", "sha256": "0" }"#,
        "sha256",
    ),
    (
        r#"{ "url": "oci://example.com/filter:1", "match": [{ "ports": [{ "number": 0 }] }] }"#,
        "number",
    ),
];

pub(super) fn validated(bench: &mut Bench<'_>) -> Result<String> {
    let kubectl = bench.kubectl();
    let dry = ["apply", "--dry-run=server", "--namespace", NAMESPACE];
    for (flag, path) in ACCEPTED {
        kubectl.run(&[&dry[..], &[flag, path]].concat())?;
    }
    for (spec, part) in REFUSED {
        let object = format!(
            r#"{{ "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin", "metadata": {{ "name": "wrong" }}, "spec": {spec} }}"#
        );
        let answer = kubectl.send(&[&dry[..], &["--filename"]].concat(), &object);
        let message = answer.err().map(|error| error.to_string());
        let names = message
            .as_ref()
            .is_some_and(|message| message.contains(part));
        expect::holds(names, || {
            format!("{spec}: the API server answered {message:?}")
        })?;
    }
    let (accepted, refused) = (ACCEPTED.len(), REFUSED.len());
    Ok(format!(
        "{accepted} files and overlays accepted, {refused} wrong plugins refused"
    ))
}
