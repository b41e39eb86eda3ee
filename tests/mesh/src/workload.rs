//! The workloads of the mesh.

use serde_json::{Value, json};

use crate::error::Result;
use crate::mesh_ca::{Identity, MeshCa};

/// The mesh's trust domain.
pub const TRUST_DOMAIN: &str = "cluster.local";

/// The names and labels of a workload in Kubernetes and Istio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The deployment, such as `ratings-v2`.
    pub name: String,
    /// The namespace.
    pub namespace: String,
    /// The label `app`, and the canonical service name.
    pub app: String,
    /// The label `version`, and the canonical revision.
    pub version: String,
    /// The service account, which is in the certificate's SPIFFE identity.
    pub service_account: String,
    /// The cluster id.
    pub cluster_id: String,
}

impl Workload {
    /// Issues the workload's certificate, with its SPIFFE identity as the only name.
    ///
    /// # Errors
    /// The certificate cannot be created or written.
    pub fn certificate(&self, ca: &MeshCa) -> Result<Identity> {
        ca.issue_for_uri(&self.service_account, &self.principal())
    }

    /// A workload of Bookinfo: deployment `<app>-<version>` in namespace `default`.
    #[must_use]
    pub fn bookinfo(app: &str, version: &str) -> Self {
        Self {
            name: format!("{app}-{version}"),
            namespace: "default".into(),
            app: app.into(),
            version: version.into(),
            service_account: format!("bookinfo-{app}"),
            cluster_id: "Kubernetes".into(),
        }
    }

    /// Bookinfo's ratings-v2, the client of both databases.
    #[must_use]
    pub fn ratings_v2() -> Self {
        Self {
            service_account: "bookinfo-ratings-v2".into(),
            ..Self::bookinfo("ratings", "v2")
        }
    }

    /// The SPIFFE identity in its certificate.
    #[must_use]
    pub fn principal(&self) -> String {
        format!(
            "spiffe://{TRUST_DOMAIN}/ns/{}/sa/{}",
            self.namespace, self.service_account
        )
    }

    /// Istio's endpoint metadata of the workload: workload, namespace, canonical service, revision,
    /// cluster.
    #[must_use]
    pub fn endpoint_metadata(&self) -> String {
        let Self {
            name,
            namespace,
            app,
            version,
            cluster_id,
            ..
        } = self;
        format!("{name};{namespace};{app};{version};{cluster_id}")
    }

    /// The `node` of its sidecar's bootstrap, with the metadata that Istio writes.
    #[must_use]
    pub fn node(&self) -> Value {
        let Self {
            name,
            namespace,
            app,
            version,
            service_account,
            cluster_id,
        } = self;
        let pod = format!("{name}-5f4c7d9b8-x7k2p");
        let address = "10.244.0.10";
        json!({
            "id": format!("sidecar~{address}~{pod}.{namespace}~{namespace}.svc.{TRUST_DOMAIN}"),
            "cluster": format!("{app}.{namespace}"),
            "metadata": {
                "NAME": pod,
                "NAMESPACE": namespace,
                "WORKLOAD_NAME": name,
                "OWNER": format!("kubernetes://apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
                "SERVICE_ACCOUNT": service_account,
                "INSTANCE_IPS": address,
                "CLUSTER_ID": cluster_id,
                "MESH_ID": TRUST_DOMAIN,
                "ISTIO_VERSION": "1.28.0",
                "LABELS": {
                    "app": app,
                    "version": version,
                    "service.istio.io/canonical-name": app,
                    "service.istio.io/canonical-revision": version,
                },
            },
        })
    }
}
