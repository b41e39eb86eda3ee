//! Functions for the tests of the sidecars.

use std::collections::BTreeMap;
use std::path::PathBuf;

use manifests::pilot::{Mtls, Sidecar};
use manifests::{Manifest, WorkloadPatch, kustomize};
use mesh::workspace;

/// An installation of the filter in Istio: an overlay with components, and the patch of its
/// workloads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Install {
    pub(super) overlay: &'static str,
    pub(super) components: &'static [&'static str],
    pub(super) workload: &'static str,
    pub(super) mtls: Mtls,
    /// Whether the proxy has Istio's filters and istiod configures them.
    pub(super) natives: bool,
}

impl Install {
    const fn new(overlay: &'static str, workload: &'static str) -> Self {
        Self {
            overlay,
            components: &[],
            workload,
            mtls: Mtls::Permissive,
            natives: true,
        }
    }

    pub(super) const TELEMETRY: Self = Self::new("telemetry-only", "telemetry");
    pub(super) const INSTEAD: Self = Self::new("telemetry-instead-of-native", "telemetry");
    pub(super) const EXTENSION: Self = Self {
        components: &["traffic-extension"],
        ..Self::TELEMETRY
    };
    pub(super) const EXCHANGE: Self = Self {
        natives: false,
        ..Self::new("exchange", "exchange")
    };
    pub(super) const EXCHANGE_STRICT: Self = Self {
        mtls: Mtls::Strict,
        ..Self::EXCHANGE
    };
    pub(super) const EXCHANGE_DISABLE: Self = Self {
        mtls: Mtls::Disable,
        ..Self::EXCHANGE
    };
    pub(super) const REPLACING: Self = Self::new("exchange-instead-of-native", "exchange");
    pub(super) const REPLACING_STRICT: Self = Self {
        mtls: Mtls::Strict,
        ..Self::REPLACING
    };
    pub(super) const UNINSTALL: Self = Self {
        overlay: "uninstall",
        ..Self::EXCHANGE
    };

    /// Under PERMISSIVE, where every patch has a chain to change.
    pub(super) const ALL: [Self; 6] = [
        Self::TELEMETRY,
        Self::INSTEAD,
        Self::EXTENSION,
        Self::EXCHANGE,
        Self::REPLACING,
        Self::UNINSTALL,
    ];

    /// Under the other modes.
    pub(super) const OTHER_MODES: [Self; 3] = [
        Self::EXCHANGE_STRICT,
        Self::EXCHANGE_DISABLE,
        Self::REPLACING_STRICT,
    ];

    pub(super) fn manifests(&self) -> Vec<Manifest> {
        let folder = |path: String| workspace::root().join("envoy-config/istio").join(path);
        let components: Vec<PathBuf> = self
            .components
            .iter()
            .map(|name| folder(format!("components/{name}")))
            .collect();
        let components: Vec<_> = components.iter().map(PathBuf::as_path).collect();
        kustomize::build_with(&folder(format!("overlays/{}", self.overlay)), &components).unwrap()
    }

    pub(super) fn workload(&self) -> WorkloadPatch {
        WorkloadPatch::read(self.workload).unwrap()
    }

    /// The sidecars of a client and a server in pods that the manifests select, and the number of
    /// changes of each patch.
    pub(super) fn sidecars(&self) -> (Sidecar, Sidecar, BTreeMap<String, usize>) {
        self.sidecars_labelled(self.workload().label())
    }

    /// The sidecars in pods with this label, before the manifests change them.
    pub(super) fn unpatched(&self, label: &str) -> [Sidecar; 2] {
        let client = Sidecar::client(label).unwrap();
        let server = Sidecar::server(label, self.mtls).unwrap();
        [client, server].map(|sidecar| match self.natives {
            true => sidecar,
            false => sidecar.without_natives(),
        })
    }

    /// As [`Self::sidecars`], in pods with this label.
    pub(super) fn sidecars_labelled(
        &self,
        label: &str,
    ) -> (Sidecar, Sidecar, BTreeMap<String, usize>) {
        let [mut client, mut server] = self.unpatched(label);
        let mut hits = client.apply(&self.manifests()).unwrap();
        for (patch, count) in server.apply(&self.manifests()).unwrap() {
            *hits.entry(patch).or_default() += count;
        }
        (client, server, hits)
    }
}
