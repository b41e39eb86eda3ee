//! The packages of the workspace from `cargo metadata`.

use std::env;
use std::error::Error;
use std::path::PathBuf;
use std::process::Command;

use mesh::workspace;
use serde_json::Value;

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// The names of the packages that it depends on, without development dependencies.
    pub(crate) dependencies: Vec<String>,
    /// The root files of its libraries and programs.
    pub(crate) roots: Vec<PathBuf>,
    /// Whether `cargo test` starts rustdoc for the examples of its library.
    pub(crate) runs_examples: bool,
}

/// Reads `cargo metadata`.
pub(crate) fn read() -> Result<Vec<Package>, Box<dyn Error>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(workspace::root())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or("cargo metadata names no packages")?;
    packages.iter().map(package).collect()
}

fn package(json: &Value) -> Result<Package, Box<dyn Error>> {
    let manifest = PathBuf::from(text(json, "manifest_path")?);
    let mut dependencies = Vec::new();
    for dependency in list(json, "dependencies") {
        if dependency.get("kind").and_then(Value::as_str) != Some("dev") {
            dependencies.push(text(dependency, "name")?);
        }
    }
    let mut roots = Vec::new();
    for target in list(json, "targets") {
        let kinds = list(target, "kind").iter().filter_map(Value::as_str);
        let is_code = |kind: &str| matches!(kind, "bin" | "lib" | "rlib" | "cdylib");
        if kinds.into_iter().any(is_code) {
            roots.push(text(target, "src_path")?.into());
        }
    }
    let runs_examples = list(json, "targets")
        .iter()
        .any(|target| target.get("doctest").and_then(Value::as_bool) == Some(true));
    Ok(Package {
        name: text(json, "name")?,
        folder: manifest.parent().unwrap_or(&manifest).to_owned(),
        dependencies,
        roots,
        runs_examples,
    })
}

fn text(json: &Value, key: &str) -> Result<String, Box<dyn Error>> {
    let value = json.get(key).and_then(Value::as_str);
    Ok(value
        .ok_or_else(|| format!("cargo metadata has no {key}"))?
        .to_owned())
}

fn list<'a>(json: &'a Value, key: &str) -> &'a [Value] {
    json.get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
