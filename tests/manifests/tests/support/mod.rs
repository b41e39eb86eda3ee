//! What the tests of the sidecars share.

use std::collections::BTreeMap;
use std::path::PathBuf;

use manifests::pilot::{Mtls, Sidecar};
use manifests::{Manifest, WorkloadPatch, kustomize};
use testbed::workspace;

/// A way to install the filter on Istio: an overlay with components, and the patch of the workloads that it is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Install {
    pub(crate) overlay: &'static str,
    pub(crate) components: &'static [&'static str],
    pub(crate) workload: &'static str,
    pub(crate) mtls: Mtls,
}

impl Install {
    const fn new(overlay: &'static str, workload: &'static str) -> Self {
        Self {
            overlay,
            components: &[],
            workload,
            mtls: Mtls::Permissive,
        }
    }

    pub(crate) const TELEMETRY: Self = Self::new("telemetry-only", "telemetry");
    pub(crate) const INSTEAD: Self = Self::new("telemetry-instead-of-native", "telemetry");
    pub(crate) const EXTENSION: Self = Self {
        components: &["traffic-extension"],
        ..Self::TELEMETRY
    };
    pub(crate) const EXCHANGE: Self = Self::new("exchange", "exchange");
    pub(crate) const EXCHANGE_STRICT: Self = Self {
        components: &["strict-mtls"],
        mtls: Mtls::Strict,
        ..Self::EXCHANGE
    };
    pub(crate) const REPLACING: Self = Self::new("exchange-instead-of-native", "exchange");
    pub(crate) const REPLACING_STRICT: Self = Self {
        components: &["strict-mtls"],
        mtls: Mtls::Strict,
        ..Self::REPLACING
    };
    pub(crate) const UNINSTALL: Self = Self::new("uninstall", "exchange");

    pub(crate) const ALL: [Self; 8] = [
        Self::TELEMETRY,
        Self::INSTEAD,
        Self::EXTENSION,
        Self::EXCHANGE,
        Self::EXCHANGE_STRICT,
        Self::REPLACING,
        Self::REPLACING_STRICT,
        Self::UNINSTALL,
    ];

    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        let folder = |path: String| workspace::root().join("envoy-config/istio").join(path);
        let components: Vec<PathBuf> = self
            .components
            .iter()
            .map(|name| folder(format!("components/{name}")))
            .collect();
        let components: Vec<_> = components.iter().map(PathBuf::as_path).collect();
        kustomize::build_with(&folder(format!("overlays/{}", self.overlay)), &components).unwrap()
    }

    pub(crate) fn workload(&self) -> WorkloadPatch {
        WorkloadPatch::read(self.workload).unwrap()
    }

    /// The sidecars of a client and a server in pods that the manifests select, and what each of their patches changed.
    pub(crate) fn sidecars(&self) -> (Sidecar, Sidecar, BTreeMap<String, usize>) {
        self.sidecars_labelled(self.workload().label())
    }

    /// The same in pods with this label.
    pub(crate) fn sidecars_labelled(
        &self,
        label: &str,
    ) -> (Sidecar, Sidecar, BTreeMap<String, usize>) {
        let mut client = Sidecar::client(label).unwrap();
        let mut server = Sidecar::server(label, self.mtls).unwrap();
        let mut hits = client.apply(&self.manifests()).unwrap();
        for (patch, count) in server.apply(&self.manifests()).unwrap() {
            *hits.entry(patch).or_default() += count;
        }
        (client, server, hits)
    }
}
