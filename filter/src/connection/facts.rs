//! What the labels of a connection are made of, gathered once, at the freeze.

use super::opening::Opening;
use crate::attributes::Attributes;
use crate::host::Host;
use crate::labels::{Labels, Reporter, SecurityPolicy, Service, Workload};
use crate::peer::Sources;
use crate::plugin::Plugin;
use crate::response_flags::ResponseFlags;
use crate::service;

/// The facts of one connection.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) reporter: Reporter,
    /// This end.
    pub(crate) local: Workload,
    /// The other end.
    pub(crate) peer: Workload,
    pub(crate) service: Service,
    pub(crate) response_flags: ResponseFlags,
    pub(crate) security_policy: SecurityPolicy,
}

impl Facts {
    /// The head of the connection's stat names, with `peer` as the other end.
    pub(crate) fn encode(&self, peer: &Workload) -> String {
        let (source, destination) = match self.reporter {
            Reporter::Source => (&self.local, peer),
            Reporter::Destination => (peer, &self.local),
        };
        Labels {
            reporter: self.reporter,
            source,
            destination,
            service: &self.service,
            response_flags: self.response_flags,
            security_policy: self.security_policy,
        }
        .encode()
    }
}

pub(super) fn gather<H: Host>(
    plugin: &Plugin<H>,
    attributes: &Attributes<'_, H>,
    reporter: Reporter,
    opening: Option<&Opening>,
) -> Facts {
    // The upstream connection's certificates on the client's side, the client's on the server's.
    let tls = match reporter {
        Reporter::Source => "upstream",
        Reporter::Destination => "connection",
    };
    let local_san = attributes.text(&[tls, "uri_san_local_certificate"]);
    let peer_san = attributes.text(&[tls, "uri_san_peer_certificate"]);
    let security_policy = match reporter {
        Reporter::Source => SecurityPolicy::Unknown,
        Reporter::Destination if local_san.is_some() && peer_san.is_some() => {
            SecurityPolicy::MutualTls
        }
        Reporter::Destination => SecurityPolicy::None,
    };
    let endpoint = match reporter {
        Reporter::Source => attributes.xds_text(&[
            "upstream_host_metadata",
            "filter_metadata",
            "istio",
            "workload",
        ]),
        Reporter::Destination => None,
    };
    let peer = Sources {
        san: peer_san.as_deref(),
        exchanged: opening.and_then(Opening::peer),
        endpoint: endpoint.as_deref(),
    }
    .workload();
    let local = Workload {
        principal: local_san.unwrap_or_default(),
        ..plugin.local().clone()
    };
    let cluster = attributes.xds_text(&["cluster_name"]).unwrap_or_default();
    let service = complete(
        service::requested(attributes, &cluster),
        reporter,
        &local,
        &peer,
    );
    let response_flags = attributes
        .integer(&["response", "flags"])
        .unwrap_or_default();
    Facts {
        reporter,
        local,
        peer,
        service,
        response_flags: ResponseFlags(response_flags.cast_unsigned()),
        security_policy,
    }
}

/// What the cluster does not tell of the service follows from the workloads: a server is at least
/// its own canonical service, and a service is in its workload's namespace.
fn complete(
    mut service: Service,
    reporter: Reporter,
    local: &Workload,
    peer: &Workload,
) -> Service {
    match reporter {
        Reporter::Source => {
            default_to(&mut service.namespace, &peer.namespace);
        }
        Reporter::Destination => {
            default_to(&mut service.host, &local.canonical_service);
            default_to(&mut service.name, &local.canonical_service);
            service.namespace.clone_from(&local.namespace);
        }
    }
    service
}

fn default_to(value: &mut String, default: &str) {
    if value.is_empty() {
        default.clone_into(value);
    }
}
