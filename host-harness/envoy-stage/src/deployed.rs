//! A sidecar in an Envoy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use envoy_process::EnvoyBinary;
use envoy_process::mesh_ca::{Identity, MeshCa};
use host_harness::scenario::{Scenario, Side, SidecarSpec, StageError, Step, Update};

use crate::bootstrap::Parts;
use crate::proxy::Proxy;

/// A sidecar of a scenario: what its configuration has besides the scenario.
pub(crate) struct Deployed {
    /// The name of its listener.
    name: String,
    side: Side,
    /// The address of its upstream.
    upstream: SocketAddr,
    /// Its certificate; `None` without TLS between the sidecars.
    identity: Option<Identity>,
    /// The configurations of wasm filters that were updated, by position.
    updated: BTreeMap<usize, Vec<u8>>,
}

impl Deployed {
    /// A sidecar with a new certificate. `name`: that of its listener, unlike all others on its side.
    pub(crate) fn new(
        scenario: &Scenario,
        side: Side,
        name: String,
        upstream: SocketAddr,
        ca: &MeshCa,
    ) -> Result<Self, StageError> {
        let identity = match &scenario.mtls {
            None => None,
            Some(mtls) => {
                let names: Vec<_> = mtls.names(side).iter().map(String::as_str).collect();
                let issued = ca.issue_for_uris(&format!("{side}-{name}"), &names);
                Some(issued.map_err(StageError::new)?)
            }
        };
        Ok(Self {
            name,
            side,
            upstream,
            identity,
            updated: BTreeMap::new(),
        })
    }

    pub(crate) fn parts<'a>(
        &'a self,
        scenario: &'a Scenario,
        spec: &'a SidecarSpec,
        wasm: &'a Path,
    ) -> Parts<'a> {
        Parts {
            name: &self.name,
            scenario,
            side: self.side,
            spec,
            wasm,
            updated: &self.updated,
            upstream: self.upstream,
            identity: self.identity.as_ref(),
        }
    }

    /// Updates the listener. If Envoy rejects it, the old one stays in force.
    pub(crate) fn update(
        &mut self,
        proxy: &mut Proxy,
        scenario: &Scenario,
        wasm: &Path,
        update: &Update,
    ) -> Result<(), StageError> {
        let spec = scenario.sidecar(self.side);
        let spec = spec.ok_or_else(|| StageError::no_sidecar(self.side))?;
        if !spec.wasm_positions().contains(&update.filter) {
            return Err(StageError::new(format!(
                "there is no wasm filter {} in the {} sidecar: it has {}, counted from 0",
                update.filter,
                self.side,
                spec.wasm_positions().len()
            )));
        }
        let old = self.updated.insert(update.filter, update.bytes());
        let updated = proxy.update(self.parts(scenario, spec, wasm).listener());
        if updated.is_err() {
            self.updated.remove(&update.filter);
            self.updated.extend(old.map(|old| (update.filter, old)));
        }
        updated
    }
}

/// Checks that this Envoy supports every key of the sidecar.
pub(crate) fn check_spec(spec: &SidecarSpec, binary: &EnvoyBinary) -> Result<(), StageError> {
    let seeded = !spec.filter_state.is_empty() || !spec.upstream_filter_state.is_empty();
    if seeded || spec.fault.is_some() {
        return Err(StageError::new(
            "real Envoys do not support `filter_state` and `fault`: play it in the emulator",
        ));
    }
    let version = &binary.version;
    match spec.profile {
        Some(profile) if version.parse() != Ok(profile) => Err(StageError::new(format!(
            "the scenario is for Envoy {profile}, and this is {version}: play it in the emulator or in that version"
        ))),
        _ => Ok(()),
    }
}

/// Whether a step updates the listener of this side.
pub(crate) fn is_updated(scenario: &Scenario, side: Side) -> bool {
    let mut steps = scenario.steps.iter();
    steps.any(|step| matches!(step, Step::Update(update) if update.side == side))
}
