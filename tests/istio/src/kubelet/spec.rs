//! The parts of a Pod that a kubelet uses.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};

/// A Pod.
#[derive(Clone, Debug, Deserialize)]
pub struct PodSpec {
    /// The names, labels and annotations.
    pub metadata: Metadata,
    pub(crate) spec: Spec,
}

/// The metadata of an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The name.
    pub name: String,
    /// The namespace.
    #[serde(default)]
    pub namespace: String,
    #[serde(default)]
    pub(crate) uid: String,
    /// The labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub(crate) deletion_timestamp: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    #[serde(default)]
    pub(crate) service_account_name: String,
    pub(crate) node_name: Option<String>,
    #[serde(default)]
    pub(crate) init_containers: Vec<Container>,
    pub(crate) containers: Vec<Container>,
    #[serde(default)]
    pub(crate) volumes: Vec<Volume>,
    #[serde(default)]
    pub(crate) security_context: SecurityContext,
}

/// A container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The name.
    pub name: String,
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) args: Vec<String>,
    #[serde(default)]
    pub(crate) env: Vec<Variable>,
    #[serde(default)]
    pub(crate) volume_mounts: Vec<Mount>,
    #[serde(default)]
    pub(crate) resources: Resources,
    #[serde(default)]
    pub(crate) security_context: SecurityContext,
    pub(crate) readiness_probe: Option<Probe>,
    /// `Always` for a container that starts before the others and continues to run.
    pub(crate) restart_policy: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) value_from: Option<Source>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Source {
    pub(crate) field_ref: Option<FieldRef>,
    pub(crate) resource_field_ref: Option<ResourceFieldRef>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FieldRef {
    pub(crate) field_path: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResourceFieldRef {
    pub(crate) resource: String,
    pub(crate) divisor: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Resources {
    #[serde(default)]
    pub(crate) limits: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) requests: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mount {
    pub(crate) name: String,
    pub(crate) mount_path: String,
    pub(crate) sub_path: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) content: Projection,
    pub(crate) projected: Option<Projected>,
    pub(crate) empty_dir: Option<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Projected {
    pub(crate) sources: Vec<Projection>,
}

/// A volume, or a part of a projected one. At most one field is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Projection {
    pub(crate) config_map: Option<Reference>,
    pub(crate) secret: Option<Reference>,
    #[serde(rename = "downwardAPI")]
    pub(crate) downward_api: Option<DownwardApi>,
    pub(crate) service_account_token: Option<Token>,
}

/// A reference to a ConfigMap or a Secret. A volume of a Secret names it `secretName`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    #[serde(alias = "secretName")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(default)]
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) path: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DownwardApi {
    #[serde(default)]
    pub(crate) items: Vec<DownwardItem>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DownwardItem {
    pub(crate) path: String,
    pub(crate) field_ref: Option<FieldRef>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    pub(crate) audience: Option<String>,
    pub(crate) expiration_seconds: Option<u64>,
    pub(crate) path: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityContext {
    pub(crate) run_as_user: Option<u32>,
    pub(crate) run_as_group: Option<u32>,
    pub(crate) capabilities: Option<Capabilities>,
    pub(crate) allow_privilege_escalation: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Capabilities {
    #[serde(default)]
    pub(crate) add: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Probe {
    pub(crate) http_get: Option<HttpGet>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct HttpGet {
    pub(crate) path: String,
    pub(crate) port: u16,
}

impl PodSpec {
    /// Whether the pod is being deleted.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// A container.
    ///
    /// # Errors
    /// The pod has no container of this name.
    pub fn container(&self, name: &str) -> Result<&Container> {
        let all = self
            .spec
            .init_containers
            .iter()
            .chain(&self.spec.containers);
        all.into_iter()
            .find(|container| container.name == name)
            .ok_or_else(|| self.error(format!("it has no container {name}")))
    }

    /// The name for messages.
    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        let Metadata {
            name, namespace, ..
        } = &self.metadata;
        Error::object(format!("pod {namespace}/{name}"), reason)
    }
}

impl Container {
    /// Whether it continues to run beside the containers that start after it.
    pub(crate) fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}
