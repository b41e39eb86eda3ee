//! The SBOM of the module, in CycloneDX 1.6.
//!
//! This is own code because the crate `cyclonedx-bom` (0.8) supports CycloneDX up to 1.5 and adds
//! six crates, and `cargo-cyclonedx` lists neither the standard library nor the hash of the module.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, Package, PackageId};
use serde_json::{Value, json};

use crate::image::Provenance;
use crate::module::Module;

/// Describes a module that was compiled from these packages. Rust's standard library is added:
/// cargo does not list it.
pub(crate) fn cyclone_dx(
    metadata: &Metadata,
    packages: &BTreeSet<PackageId>,
    module: &Module,
    provenance: &Provenance,
    rust: &str,
) -> Value {
    let release = &provenance.release;
    let mut compiled: Vec<_> = metadata
        .packages
        .iter()
        .filter(|each| packages.contains(&each.id))
        .collect();
    compiled.sort_by_key(|each| (&each.name, &each.version));
    let reference = |id: &PackageId| {
        let found = compiled.iter().find(|each| each.id == *id);
        found.map(|each| package_url(each))
    };
    let library = json!({
        "type": "library",
        "bom-ref": format!("rust-std@{rust}"),
        "name": "rust-std",
        "version": rust,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    });
    let parts = compiled.iter().filter(|each| each.name != release.name);
    let components: Vec<_> = parts.map(|each| component(each)).chain([library]).collect();
    let mut dependencies: Vec<_> = metadata
        .resolve
        .iter()
        .flat_map(|resolve| &resolve.nodes)
        .filter_map(|node| {
            let mut on: Vec<_> = node.dependencies.iter().filter_map(reference).collect();
            on.sort();
            Some((reference(&node.id)?, on))
        })
        .collect();
    dependencies.sort();
    let dependencies = dependencies
        .into_iter()
        .map(|(from, on)| json!({ "ref": from, "dependsOn": on }));
    let this = compiled.iter().find(|each| each.name == release.name);
    let mut this = this.map_or_else(|| json!({}), |each| component(each));
    if let Some(this) = this.as_object_mut() {
        let hash = json!({ "alg": "SHA-256", "content": module.sha256() });
        this.insert("hashes".into(), json!([hash]));
    }
    let mut about = json!({ "component": this });
    if let (Some(created), Some(about)) = (&provenance.created, about.as_object_mut()) {
        about.insert("timestamp".into(), json!(created));
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": about,
        "components": components,
        "dependencies": dependencies.collect::<Vec<_>>(),
    })
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": package_url(package),
        "purl": package_url(package),
        "name": package.name,
        "version": package.version,
    });
    if let (Some(component), Some(license)) = (component.as_object_mut(), &package.license) {
        // Old packages have a slash for OR.
        let expression = license.replace('/', " OR ");
        let license = json!([{ "expression": expression }]);
        component.insert("licenses".into(), license);
    }
    component
}

fn package_url(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}
