//! The labels that connections of the checks must have.

use mesh::Workload;
use mesh::exposition::Labels;
use mesh::labels::{self, Reporter};

use super::bench::{NAMESPACE, SERVICE};
use crate::workload;

/// The first client.
fn client() -> Workload {
    workload::in_namespace(NAMESPACE, Workload::bookinfo("client", "v1"))
}

/// A server.
fn server(version: &str) -> Workload {
    workload::in_namespace(NAMESPACE, Workload::bookinfo(SERVICE, version))
}

/// Both sidecars exchanged their metadata.
pub(super) fn exchanged(reporter: Reporter, version: &str) -> Labels {
    labels::exchanged(reporter, &client(), &server(version))
}

/// The server's sidecar knows nothing of the client, as in plaintext.
pub(super) fn nameless(version: &str) -> Labels {
    let mut all = exchanged(Reporter::Destination, version);
    for (name, value) in &mut all {
        if name.starts_with("source_") {
            // Istio's value of a revision that is not known.
            let is_revision = name == "source_canonical_revision";
            *value = if is_revision { "latest" } else { "unknown" }.to_owned();
        }
    }
    // Without TLS it has not sent its certificate.
    set(&mut all, "destination_principal", "unknown");
    set(&mut all, "connection_security_policy", "none");
    all
}

/// The server's sidecar knows the first client by its certificate.
pub(super) fn by_certificate(version: &str) -> Labels {
    by_certificate_of(&client(), version)
}

/// The server's sidecar knows a client by its certificate.
pub(super) fn by_certificate_of(client: &Workload, version: &str) -> Labels {
    let mut all = nameless(version);
    set(&mut all, "source_principal", &client.principal());
    set(&mut all, "source_workload_namespace", &client.namespace);
    set(
        &mut all,
        "destination_principal",
        &server(version).principal(),
    );
    set(&mut all, "connection_security_policy", "mutual_tls");
    all
}

/// The client's sidecar knows nothing of the server.
pub(super) fn nowhere() -> Labels {
    let mut all = exchanged(Reporter::Source, "");
    for (name, value) in &mut all {
        if name.starts_with("destination_") {
            let is_revision = name == "destination_canonical_revision";
            *value = if is_revision { "latest" } else { "unknown" }.to_owned();
        }
    }
    set(&mut all, "source_principal", "unknown");
    all
}

/// The client's sidecar knows the server by the metadata of its endpoint, in plaintext.
pub(super) fn by_endpoint(version: &str) -> Labels {
    let mut all = exchanged(Reporter::Source, version);
    for name in ["source_principal", "destination_principal"] {
        set(&mut all, name, "unknown");
    }
    for name in ["destination_app", "destination_version"] {
        set(&mut all, name, "unknown");
    }
    all
}

/// Replaces a label.
pub(super) fn set(labels: &mut Labels, name: &str, value: &str) {
    labels.insert(name.to_owned(), value.to_owned());
}
