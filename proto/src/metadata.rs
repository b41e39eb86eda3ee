use crate::Struct;

/// Keys of node metadata.
pub(crate) mod key {
    pub(crate) const APP_CONTAINERS: &str = "APP_CONTAINERS";
    pub(crate) const AVAILABILITY_ZONE: &str = "AVAILABILITY_ZONE";
    pub(crate) const CLUSTER_ID: &str = "CLUSTER_ID";
    pub(crate) const EXCHANGE_KEYS: &str = "EXCHANGE_KEYS";
    pub(crate) const IDENTITY: &str = "IDENTITY";
    pub(crate) const INSTANCE_IPS: &str = "INSTANCE_IPS";
    pub(crate) const ISTIO_VERSION: &str = "ISTIO_VERSION";
    pub(crate) const LABELS: &str = "LABELS";
    pub(crate) const MESH_ID: &str = "MESH_ID";
    pub(crate) const NAME: &str = "NAME";
    pub(crate) const NAMESPACE: &str = "NAMESPACE";
    pub(crate) const OWNER: &str = "OWNER";
    pub(crate) const PLATFORM_METADATA: &str = "PLATFORM_METADATA";
    pub(crate) const REGION: &str = "REGION";
    pub(crate) const WORKLOAD_NAME: &str = "WORKLOAD_NAME";
}

/// Names of pod labels.
pub(crate) mod label {
    pub(crate) const APP: &str = "app";
    pub(crate) const APP_QUALIFIED: &str = "app.kubernetes.io/name";
    pub(crate) const CANONICAL_NAME: &str = "service.istio.io/canonical-name";
    pub(crate) const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";
    pub(crate) const VERSION: &str = "version";
    pub(crate) const VERSION_QUALIFIED: &str = "app.kubernetes.io/version";
}

/// The part of Istio's node metadata that telemetry reads. A value that is missing or of another
/// kind is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The name of the pod (`NAME`).
    pub name: String,
    /// Its namespace (`NAMESPACE`).
    pub namespace: String,
    /// The name of its workload (`WORKLOAD_NAME`), such as that of a deployment.
    pub workload_name: String,
    /// The id of its cluster (`CLUSTER_ID`).
    pub cluster_id: String,
    /// Its SPIFFE identity (`IDENTITY`).
    pub identity: String,
    /// The URL of its owner (`OWNER`), `kubernetes://apis/apps/v1/namespaces/NS/deployments/NAME`.
    pub owner: String,
    /// The id of its mesh (`MESH_ID`).
    pub mesh_id: String,
    /// The version of its proxy (`ISTIO_VERSION`).
    pub istio_version: String,
    /// Its region (`REGION`).
    pub region: String,
    /// Its zone (`AVAILABILITY_ZONE`).
    pub availability_zone: String,
    /// The pod's addresses (`INSTANCE_IPS`), separated by commas; senders before Istio 1.24.
    pub instance_ips: String,
    /// The pod's containers (`APP_CONTAINERS`), separated by commas; senders before Istio 1.24.
    pub app_containers: String,
    /// The pod's labels (`LABELS`): names and values, sorted by name.
    pub labels: Vec<(String, String)>,
    /// The properties of its platform (`PLATFORM_METADATA`), such as `gcp_project`: names and
    /// values, sorted by name.
    pub platform_metadata: Vec<(String, String)>,
}

impl From<&Struct> for Metadata {
    fn from(metadata: &Struct) -> Self {
        let string = |key| metadata.string(key).to_owned();
        let strings = |key| {
            let fields = metadata.child(key).into_iter().flat_map(|map| &map.fields);
            fields
                .map(|(name, value)| (name.clone(), value.as_str().to_owned()))
                .collect()
        };
        Self {
            name: string(key::NAME),
            namespace: string(key::NAMESPACE),
            workload_name: string(key::WORKLOAD_NAME),
            cluster_id: string(key::CLUSTER_ID),
            identity: string(key::IDENTITY),
            owner: string(key::OWNER),
            mesh_id: string(key::MESH_ID),
            istio_version: string(key::ISTIO_VERSION),
            region: string(key::REGION),
            availability_zone: string(key::AVAILABILITY_ZONE),
            instance_ips: string(key::INSTANCE_IPS),
            app_containers: string(key::APP_CONTAINERS),
            labels: strings(key::LABELS),
            platform_metadata: strings(key::PLATFORM_METADATA),
        }
    }
}

impl Metadata {
    /// The value of the label `name`; `""` if it is missing.
    pub fn label(&self, name: &str) -> &str {
        let label = self.labels.iter().find(|(known, _)| known == name);
        label.map_or("", |(_, value)| value)
    }

    /// The application: label `app.kubernetes.io/name`, else `app`.
    pub fn app(&self) -> &str {
        self.first_label(label::APP_QUALIFIED, label::APP)
    }

    /// The application's version: label `app.kubernetes.io/version`, else `version`.
    pub fn version(&self) -> &str {
        self.first_label(label::VERSION_QUALIFIED, label::VERSION)
    }

    /// The canonical service: label `service.istio.io/canonical-name`.
    pub fn canonical_name(&self) -> &str {
        self.label(label::CANONICAL_NAME)
    }

    /// The canonical revision: label `service.istio.io/canonical-revision`.
    pub fn canonical_revision(&self) -> &str {
        self.label(label::CANONICAL_REVISION)
    }

    /// The kind of the workload in `OWNER`: `pod`, `deployment`, `job` or `cronjob`; `""` for
    /// another kind, as in modern Istio. As there, the workload's name is removed from the owner's
    /// end by its length only.
    pub fn workload_type(&self) -> &str {
        let end = self
            .owner
            .len()
            .checked_sub(self.workload_name.len() + "s/".len());
        end.and_then(|end| self.owner.get(..end)?.rsplit_once('/'))
            .map(|(_, kind)| kind)
            .filter(|kind| ["pod", "deployment", "job", "cronjob"].contains(kind))
            .unwrap_or_default()
    }

    fn first_label(&self, name: &str, fallback: &str) -> &str {
        match self.label(name) {
            "" => self.label(fallback),
            value => value,
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::{Kind, Value};

    fn with_labels<const N: usize>(labels: [(&str, &str); N]) -> Metadata {
        let labels = Struct::from_iter(labels);
        Metadata::from(&Struct::from_iter([("LABELS", labels)]))
    }

    #[test]
    fn qualified_labels_come_first_unless_empty() {
        let both = with_labels([
            ("app", "plain"),
            ("app.kubernetes.io/name", "qualified"),
            ("version", "v1"),
            ("app.kubernetes.io/version", ""),
        ]);
        assert_eq!(both.app(), "qualified");
        assert_eq!(both.version(), "v1");
        assert_eq!(with_labels([]).app(), "");
    }

    #[test]
    fn values_of_other_kinds_are_empty() {
        let number = || Value::from(Kind::NumberValue(7.0));
        let labels = Struct::from_iter([("app", number())]);
        let metadata = Metadata::from(&Struct::from_iter([
            ("NAME", number()),
            ("NAMESPACE", Value::default()),
            ("LABELS", labels.into()),
        ]));
        let labels = vec![("app".to_owned(), String::new())];
        assert_eq!(
            metadata,
            Metadata {
                labels,
                ..Metadata::default()
            }
        );

        let no_labels = Metadata::from(&Struct::from_iter([("LABELS", "app=x")]));
        assert_eq!(no_labels, Metadata::default());
    }
}
