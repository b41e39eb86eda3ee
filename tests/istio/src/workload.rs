//! The objects of workloads.

use std::net::Ipv4Addr;
use std::path::Path;

use mesh::Workload;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::Kubectl;
use crate::error::{Error, Result};
use crate::kubelet::PodSpec;
use crate::overlay::Port;

/// The name of the ConfigMap with the module, as in `workload/exchange.yaml`.
const MODULE: &str = "tcp-peer-stats";

/// The annotation with which the controller numbers the revisions of a Deployment.
const REVISION: &str = "deployment.kubernetes.io/revision";

#[derive(Deserialize)]
struct ReplicaSet {
    metadata: crate::kubelet::Metadata,
}

/// Creates a namespace in which istiod injects sidecars.
///
/// # Errors
/// The API server refuses it.
pub fn namespace(kubectl: &Kubectl, name: &str) -> Result<()> {
    kubectl.run(&["create", "namespace", name])?;
    kubectl.run(&["label", "namespace", name, "istio-injection=enabled"])?;
    Ok(())
}

/// Creates or changes the ConfigMap with the modules.
///
/// # Errors
/// The API server refuses it.
pub fn modules(kubectl: &Kubectl, namespace: &str, files: &[&Path]) -> Result<()> {
    let files = files
        .iter()
        .map(|file| format!("--from-file={}", file.display()));
    let flags = ["create", "configmap", MODULE, "--dry-run=client"];
    let mut arguments: Vec<_> = flags.map(str::to_owned).into();
    arguments.push("--output=json".to_owned());
    arguments.extend(files);
    let object = kubectl.run(&arguments)?;
    // Its data is too large for the annotation of a client-side apply.
    let apply = ["apply", "--namespace", namespace];
    let flags = ["--server-side", "--force-conflicts", "--filename"];
    kubectl.send(&[&apply[..], &flags].concat(), &object)?;
    Ok(())
}

/// Changes the pod template of a Deployment as `workload/<kind>.yaml` says.
///
/// # Errors
/// The API server refuses it.
pub fn label(kubectl: &Kubectl, namespace: &str, deployment: &str, kind: &str) -> Result<()> {
    let file = format!("--patch-file=envoy-config/istio/workload/{kind}.yaml");
    kubectl.run(&[
        "patch",
        "deployment",
        deployment,
        "--namespace",
        namespace,
        &file,
    ])?;
    Ok(())
}

/// Waits for the pod of the newest revision of a Deployment.
///
/// # Errors
/// There is none within the limit.
pub fn pod(kubectl: &Kubectl, namespace: &str, deployment: &str) -> Result<PodSpec> {
    let wanted: Value = kubectl.until(deployment, || {
        let found: Value = kubectl.get(namespace, &format!("deployment/{deployment}"))?;
        let at = |place: &str| found.pointer(place).and_then(Value::as_u64);
        let is_observed = at("/status/observedGeneration") >= at("/metadata/generation");
        Ok(is_observed.then_some(found))
    })?;
    let labels = wanted
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    let labels: Vec<_> = labels
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    let selector = labels.join(",");
    let revision = wanted
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(REVISION)?.as_str())
        .unwrap_or_default();
    kubectl.until(&format!("a pod of {deployment}"), || {
        let sets: Vec<ReplicaSet> = kubectl.list(namespace, "replicasets", &selector)?;
        let hash = sets.into_iter().find_map(|set| {
            let metadata = set.metadata;
            let is_newest = metadata
                .annotations
                .get(REVISION)
                .is_some_and(|own| own == revision)
                && metadata.name.starts_with(&format!("{deployment}-"));
            metadata
                .labels
                .get("pod-template-hash")
                .filter(|_| is_newest)
                .cloned()
        });
        let Some(hash) = hash else {
            return Ok(None);
        };
        let selector = format!("pod-template-hash={hash}");
        let pods: Vec<PodSpec> = kubectl.list(namespace, "pods", &selector)?;
        Ok(pods.into_iter().find(|pod| !pod.is_ending()))
    })
}

/// The objects of a workload as Bookinfo's are: a service account `bookinfo-<app>`, a Deployment
/// `<app>-<version>`, and a Service if `port` is set.
#[must_use]
pub fn objects(app: &str, version: &str, port: Option<Port>) -> Vec<Value> {
    let account = format!("bookinfo-{app}");
    let labels = json!({ "app": app, "version": version });
    let target = port.map(|port| json!({ "containerPort": port.target }));
    let container = json!({
        "name": app,
        "image": format!("{app}:{version}"),
        "ports": target.into_iter().collect::<Vec<_>>(),
    });
    let mut objects = vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": account } }),
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": format!("{app}-{version}") },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": {
                    "metadata": { "labels": labels },
                    "spec": { "serviceAccountName": account, "containers": [container] },
                },
            },
        }),
    ];
    objects.extend(port.map(|port| {
        let Port { service, target } = port;
        let port = json!({ "name": format!("tcp-{app}"), "port": service, "targetPort": target });
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": { "name": app },
            "spec": { "selector": { "app": app }, "ports": [port] },
        })
    }));
    objects
}

/// The names and labels of a workload, such as one of [`objects`], in this namespace.
#[must_use]
pub fn in_namespace(namespace: &str, workload: Workload) -> Workload {
    Workload {
        namespace: namespace.to_owned(),
        ..workload
    }
}

/// The cluster address of a Service. There is no DNS server in this cluster.
///
/// # Errors
/// There is no such Service, or it has no address.
pub fn cluster_address(kubectl: &Kubectl, namespace: &str, service: &str) -> Result<Ipv4Addr> {
    let object = format!("service/{service}");
    let found: Value = kubectl.get(namespace, &object)?;
    let address = found.pointer("/spec/clusterIP").and_then(Value::as_str);
    address
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| Error::object(object, "it has no cluster address"))
}
