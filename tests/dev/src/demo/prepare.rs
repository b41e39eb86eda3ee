//! Creates the files that the bootstraps of `envoy-config/` need.

use mesh::EnvoyBinary;
use mesh::error::Result;
use mesh::mesh_ca::MeshCa;
use mesh::progress::step;
use mesh::workload::Workload;
use mesh::{wasm, workspace};

/// Builds the filter and creates the certificates that the bootstraps name.
pub(super) fn run() -> Result<()> {
    step("filter", "building it with `cargo wasm`");
    let wasm = wasm::build()?;
    step("", &wasm.display().to_string());
    let dir = workspace::target().join("mesh-ca");
    let ca = MeshCa::create(&dir)?;
    for workload in [
        Workload::ratings_v2(),
        Workload::bookinfo("mongodb", "v1"),
        Workload::bookinfo("postgresql", "v1"),
    ] {
        workload.certificate(&ca)?;
        step("certificate", &workload.principal());
    }
    step("", &dir.display().to_string());
    let envoy = EnvoyBinary::find(None)?;
    step("Envoy", &format!("{} ({})", envoy.version, envoy.origin));
    for side in ["server", "client"] {
        let command = format!(
            "{} -c envoy-config/{side}-sidecar.yaml",
            envoy.path.display()
        );
        step("run", &format!("{command} --use-dynamic-base-id"));
    }
    Ok(())
}
