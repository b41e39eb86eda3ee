//! DestinationRules: whether a cluster's connections use TLS.

use super::{Sidecar, text};
use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// Applies a rule to the clusters of its host. Returns their number.
pub(super) fn apply(sidecar: &mut Sidecar, manifest: &Manifest) -> Result<usize> {
    let mode = manifest.text("/spec/trafficPolicy/tls/mode");
    let host = format!("|{}.default.svc.cluster.local", manifest.text("/spec/host"));
    let mut hits = 0;
    for cluster in sidecar
        .clusters()
        .filter(|cluster| text(cluster, "/name").ends_with(&host))
    {
        let Some(fields) = cluster.as_object_mut() else {
            continue;
        };
        match mode {
            // Without a mode, the endpoint's `tlsMode` applies.
            "" => {}
            "DISABLE" => {
                fields.remove("transport_socket_matches");
            }
            "ISTIO_MUTUAL" => {
                let matches = fields
                    .remove("transport_socket_matches")
                    .unwrap_or_default();
                if let Some(mutual) = matches.pointer("/0/transport_socket") {
                    fields.insert("transport_socket".into(), mutual.clone());
                }
            }
            other => {
                return Err(Error::render(
                    manifest.to_string(),
                    format!("the TLS mode `{other}` is not supported"),
                ));
            }
        }
        hits += 1;
    }
    Ok(hits)
}
