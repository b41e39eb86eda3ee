//! Builds kustomizations, with and without kustomize.
//!
//! [`build`] supports the fields of kustomize that `envoy-config/` uses, and rejects all others. So
//! the tests of overlays run without kustomize. If it is installed, a test compares the results.

use std::path::Path;
use std::process::Command;

use mesh::process;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json_patch;
use crate::manifest::Manifest;

/// Builds the manifests of the kustomization in this folder.
///
/// # Errors
/// A file cannot be read, or it has a field that is not supported.
pub fn build(folder: &Path) -> Result<Vec<Manifest>> {
    build_with(folder, &[])
}

/// Builds the manifests of a kustomization with the one in `folder` as its resource, and these
/// components.
///
/// # Errors
/// A file cannot be read, or it has a field that is not supported.
pub fn build_with(folder: &Path, components: &[&Path]) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    accumulate(folder, &mut manifests)?;
    for component in components {
        accumulate(component, &mut manifests)?;
    }
    Ok(manifests)
}

/// Builds the manifests with kustomize.
///
/// # Errors
/// kustomize rejects the kustomization.
pub fn by_kustomize(program: &Path, folder: &Path) -> Result<Vec<Manifest>> {
    let mut command = Command::new(program);
    command.arg("build").arg(folder);
    let output = process::run("kustomize build", command)?;
    Manifest::parse(&String::from_utf8_lossy(&output.stdout), folder)
}

/// Applies a folder's kustomization to `manifests`: resources, components, patches.
fn accumulate(folder: &Path, manifests: &mut Vec<Manifest>) -> Result<()> {
    let file = folder.join("kustomization.yaml");
    let kustomization = Manifest::read(&file)?;
    let [kustomization] = kustomization.as_slice() else {
        return Err(Error::render(
            file.display().to_string(),
            "not one document",
        ));
    };
    let fields = kustomization
        .document
        .as_object()
        .cloned()
        .unwrap_or_default();
    let list = |key: &str| {
        fields
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let known = ["apiVersion", "kind", "resources", "components", "patches"];
    if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Error::render(
            file.display().to_string(),
            format!("`{unknown}` is not supported"),
        ));
    }
    // The patches of a resource apply to its own manifests only, those of a component to all
    // manifests so far.
    for path in list("resources").chain(list("components")) {
        let path = folder.join(path.as_str().unwrap_or_default());
        let is_component = list("components")
            .any(|each| each.as_str().is_some_and(|each| folder.join(each) == path));
        if path.is_file() {
            manifests.extend(Manifest::read(&path)?);
        } else if is_component {
            accumulate(&path, manifests)?;
        } else {
            manifests.extend(build(&path)?);
        }
    }
    for each in list("patches") {
        apply(each, manifests)
            .map_err(|reason| Error::render(file.display().to_string(), reason))?;
    }
    Ok(())
}

/// Applies one entry of `patches`. An entry that changes nothing is an error.
fn apply(entry: &Value, manifests: &mut Vec<Manifest>) -> Result<(), String> {
    let text = entry
        .get("patch")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let content: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    if content.get("$patch").and_then(Value::as_str) == Some("delete") {
        let before = manifests.len();
        let doomed = |manifest: &Manifest| {
            ["/kind", "/metadata/name"]
                .iter()
                .all(|pointer| manifest.document.pointer(pointer) == content.pointer(pointer))
        };
        manifests.retain(|manifest| !doomed(manifest));
        return if manifests.len() < before {
            Ok(())
        } else {
            Err(format!("nothing to delete for `{text}`"))
        };
    }
    let target = entry.get("target").and_then(Value::as_object);
    let target = target.ok_or("a patch without target")?;
    let mut patched = 0;
    for manifest in manifests.iter_mut() {
        if is_target(manifest, target)? {
            json_patch::apply(&content, &mut manifest.document)?;
            patched += 1;
        }
    }
    if patched == 0 {
        return Err(format!(
            "nothing is the target {}",
            Value::from(target.clone())
        ));
    }
    Ok(())
}

fn is_target(manifest: &Manifest, target: &Map<String, Value>) -> Result<bool, String> {
    for (key, wanted) in target {
        let wanted = wanted.as_str().unwrap_or_default();
        let matches = match key.as_str() {
            "kind" => manifest.kind() == wanted,
            // A regular expression. Only `.*` at its end is supported.
            "name" => match wanted.strip_suffix(".*") {
                Some(prefix) => manifest.name().starts_with(prefix),
                None => manifest.name() == wanted,
            },
            _ => return Err(format!("`target.{key}` is not supported")),
        };
        if !matches {
            return Ok(false);
        }
    }
    Ok(true)
}
