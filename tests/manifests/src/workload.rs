//! The labels and annotations that `envoy-config/istio/workload/` adds to a pod template.

use mesh::workspace;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// The annotation with the tags of a proxy's stats.
pub const STAT_TAGS: &str = "sidecar.istio.io/extraStatTags";

/// A patch of a pod template.
#[derive(Clone, Debug)]
pub struct WorkloadPatch {
    template: Value,
}

impl WorkloadPatch {
    /// `envoy-config/istio/workload/<name>.yaml`.
    ///
    /// # Errors
    /// The file cannot be read, or is not a patch of a pod template.
    pub fn read(name: &str) -> Result<Self> {
        let path = workspace::root().join(format!("envoy-config/istio/workload/{name}.yaml"));
        let documents = Manifest::read(&path)?;
        let template = documents
            .first()
            .and_then(|patch| patch.document.pointer("/spec/template/metadata"));
        let missing =
            || Error::render(path.display().to_string(), "has no /spec/template/metadata");
        Ok(Self {
            template: template.cloned().ok_or_else(missing)?,
        })
    }

    /// The value of the label that the manifests select by.
    #[must_use]
    pub fn label(&self) -> &str {
        self.text("labels", "tcp-peer-stats")
    }

    /// The tags of the proxy's stats.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let tags = self.annotation(STAT_TAGS).split(',');
        tags.map(str::to_owned).collect()
    }

    /// The text of an annotation, empty if there is none.
    #[must_use]
    pub fn annotation(&self, name: &str) -> &str {
        self.text("annotations", name)
    }

    fn text(&self, map: &str, name: &str) -> &str {
        let value = self.template.get(map).and_then(|map| map.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }
}
