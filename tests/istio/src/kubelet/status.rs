//! The kubelet's reports to the API server.

use std::net::Ipv4Addr;

use serde_json::json;

use super::spec::PodSpec;
use crate::cluster::{GATEWAY, Kubectl};
use crate::error::Result;

/// Binds a pod to the node, which a scheduler would do.
pub(super) fn bind(pod: &PodSpec, node: &str, kubectl: &Kubectl) -> Result<()> {
    if pod.spec.node_name.is_some() {
        return Ok(());
    }
    let (name, namespace) = (&pod.metadata.name, &pod.metadata.namespace);
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": { "name": name, "namespace": namespace },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/binding");
    kubectl.send(
        &["create", "--raw", &path, "--filename"],
        &binding.to_string(),
    )?;
    Ok(())
}

/// Reports that a pod runs at an address, and whether it is ready.
pub(super) fn report(
    pod: &PodSpec,
    address: Ipv4Addr,
    is_ready: bool,
    kubectl: &Kubectl,
) -> Result<()> {
    let (name, namespace) = (&pod.metadata.name, &pod.metadata.namespace);
    let ready = if is_ready { "True" } else { "False" };
    let conditions = [
        ("PodScheduled", "True"),
        ("Initialized", ready),
        ("ContainersReady", ready),
        ("Ready", ready),
    ];
    let conditions = conditions.map(|(kind, status)| json!({ "type": kind, "status": status }));
    let patch = json!({ "status": {
        "phase": if is_ready { "Running" } else { "Pending" },
        "hostIP": GATEWAY,
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "conditions": conditions,
    } });
    let flags = ["--subresource=status", "--type=merge", "--patch"];
    let object = ["patch", "pod", name, "--namespace", namespace];
    kubectl.run(&[&object[..], &flags, &[&patch.to_string()]].concat())?;
    Ok(())
}
