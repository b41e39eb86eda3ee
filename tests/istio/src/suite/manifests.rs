//! What the API server and istiod's webhook say of the files in `envoy-config/`, and what istiod
//! makes of them.

use std::fs;
use std::path::PathBuf;

use mesh::error::Context;
use mesh::workspace;

use super::bench::{Bench, NAMESPACE};
use super::expect;
use crate::error::Result;

/// The folder of the overlays.
const OVERLAYS: &str = "envoy-config/istio/overlays";
/// The folder of the components, which are applied as files: a component needs an overlay.
const COMPONENTS: &str = "envoy-config/istio/components";
/// The component whose kind is the Prometheus operator's. It is not in this cluster.
const FOREIGN: &str = "pod-monitor";
const BOOKINFO: &str = "envoy-config/bookinfo";
/// The file of every overlay and component that is no object.
const KUSTOMIZATION: &str = "kustomization.yaml";

/// The beginning of the answer of istiod's webhook.
const WEBHOOK: &str = "admission webhook \"rev.validation.istio.io\" denied the request";

/// Objects that are refused, by kind and spec, and a part of the answer. The API server refuses the
/// first ones by their schema; a patch without a value only istiod knows to be wrong.
const REFUSED: [(&str, &str, &str); 4] = [
    (
        "extensions.istio.io/v1alpha1 WasmPlugin",
        r#"{ "url": "ftp://example.com/filter.wasm" }"#,
        "url",
    ),
    (
        "extensions.istio.io/v1alpha1 WasmPlugin",
        r#"{ "url": "oci://example.com/filter:1", "sha256": "0" }"#,
        "sha256",
    ),
    (
        "extensions.istio.io/v1alpha1 WasmPlugin",
        r#"{ "url": "oci://example.com/filter:1", "match": [{ "ports": [{ "number": 0 }] }] }"#,
        "number",
    ),
    (
        "networking.istio.io/v1alpha3 EnvoyFilter",
        r#"{ "configPatches": [{ "applyTo": "NETWORK_FILTER", "patch": { "operation": "INSERT_FIRST" } }] }"#,
        WEBHOOK,
    ),
];

pub(super) fn validated(bench: &mut Bench<'_>) -> Result<String> {
    let kubectl = bench.kubectl();
    let dry = ["apply", "--dry-run=server", "--namespace", NAMESPACE];
    let accepted = accepted()?;
    for (flag, path) in &accepted {
        let path = path.to_string_lossy();
        kubectl.run(&[&dry[..], &[*flag, &*path]].concat())?;
    }
    for (kind, spec, part) in REFUSED {
        let (version, kind) = kind.split_once(' ').unwrap_or_default();
        let object = format!(
            r#"{{ "apiVersion": "{version}", "kind": "{kind}", "metadata": {{ "name": "wrong" }}, "spec": {spec} }}"#
        );
        let answer = kubectl.send(&[&dry[..], &["--filename"]].concat(), &object);
        let message = answer.err().map(|error| error.to_string());
        let names = message
            .as_ref()
            .is_some_and(|message| message.contains(part));
        expect::holds(names, || {
            format!("{kind} {spec}: the API server answered {message:?}")
        })?;
    }
    let (accepted, refused) = (accepted.len(), REFUSED.len());
    Ok(format!(
        "{accepted} files and overlays accepted, {refused} wrong objects refused, one of them by istiod only"
    ))
}

pub(super) fn golden(bench: &mut Bench<'_>) -> Result<String> {
    let files = bench.golden()?;
    Ok(format!("{files} files, all equal"))
}

/// The files and overlays that are accepted, with the flag of `kubectl` for each.
fn accepted() -> Result<Vec<(&'static str, PathBuf)>> {
    let mut all: Vec<_> = content(OVERLAYS)?
        .into_iter()
        .map(|path| ("--kustomize", path))
        .collect();
    let components = content(COMPONENTS)?;
    let mut folders: Vec<_> = components
        .into_iter()
        .filter(|path| !path.ends_with(FOREIGN))
        .collect();
    folders.push(PathBuf::from(BOOKINFO));
    for folder in folders {
        let files = content(&folder.to_string_lossy())?.into_iter();
        let objects = files.filter(|path| {
            path.extension().is_some_and(|kind| kind == "yaml") && !path.ends_with(KUSTOMIZATION)
        });
        all.extend(objects.map(|path| ("--filename", path)));
    }
    Ok(all)
}

/// The paths in a folder, relative to the repository.
fn content(folder: &str) -> Result<Vec<PathBuf>> {
    let path = workspace::root().join(folder);
    let entries = fs::read_dir(&path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.context(|| format!("cannot list {}", path.display()))?;
    let mut names: Vec<_> = entries
        .iter()
        .map(|entry| PathBuf::from(folder).join(entry.file_name()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_components_and_files_of_bookinfo_are_found() {
        let found = accepted().unwrap();
        for expected in [
            ("--kustomize", "envoy-config/istio/overlays/exchange"),
            (
                "--filename",
                "envoy-config/istio/components/traffic-extension/traffic-extension.yaml",
            ),
            ("--filename", "envoy-config/bookinfo/mongodb.yaml"),
        ] {
            let expected = (expected.0, PathBuf::from(expected.1));
            assert!(found.contains(&expected), "{expected:?} in {found:?}");
        }
        let is_object = |(_, path): &(&str, PathBuf)| {
            !path.ends_with(KUSTOMIZATION) && !path.ends_with("pod-monitor.yaml")
        };
        assert!(found.iter().all(is_object), "{found:?}");
    }
}
