//! What the labels of a connection are made of, gathered once, at the freeze.

use super::opening::Opening;
use crate::attributes::Attributes;
use crate::config::Mode;
use crate::host::Host;
use crate::labels::{Labels, Reporter, SecurityPolicy, Service, UNKNOWN, Workload};
use crate::peer::{Sources, namespace_of, native};
use crate::plugin::Plugin;
use crate::response_flags::ResponseFlags;
use crate::service;

/// The facts of one connection.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) reporter: Reporter,
    /// The client.
    source: Workload,
    /// The server.
    destination: Workload,
    service: Service,
    response_flags: ResponseFlags,
    security_policy: SecurityPolicy,
}

impl Facts {
    /// The labels that they amount to.
    pub(crate) fn labels(&self) -> Labels<'_> {
        Labels {
            reporter: self.reporter,
            source: &self.source,
            destination: &self.destination,
            service: &self.service,
            response_flags: self.response_flags,
            security_policy: self.security_policy,
        }
    }

    /// The other end, as the exchange sees it.
    pub(super) fn peer(&self) -> &Workload {
        match self.reporter {
            Reporter::Source => &self.destination,
            Reporter::Destination | Reporter::Waypoint => &self.source,
        }
    }

    /// The same without what peers say of themselves, so that no peer can multiply them.
    pub(crate) fn coarse(mut self) -> Self {
        if self.reporter != Reporter::Source {
            self.source = Workload::default();
        }
        if self.reporter != Reporter::Destination {
            self.destination = Workload::default();
        }
        self
    }
}

/// The URI SANs of a TLS connection's certificates.
struct Sans {
    local: Option<String>,
    peer: Option<String>,
}

impl Sans {
    /// Of the `upstream` connection, or of the downstream one, which is called `connection`.
    fn of<H: Host>(attributes: &Attributes<'_, H>, connection: &str) -> Self {
        Self {
            local: attributes.text(&[connection, "uri_san_local_certificate"]),
            peer: attributes.text(&[connection, "uri_san_peer_certificate"]),
        }
    }
}

pub(super) fn gather<H: Host>(
    plugin: &Plugin<H>,
    attributes: &Attributes<'_, H>,
    reporter: Reporter,
    opening: Option<&Opening>,
) -> Facts {
    let native = match plugin.mode() {
        Mode::Off => native::read(plugin.host(), reporter),
        Mode::Auto | Mode::On | Mode::Receive => None,
    };
    let exchanged = opening.and_then(Opening::peer);
    let own = |san: Option<String>| {
        let mut own = plugin.local().clone();
        own.principal = san.unwrap_or_default();
        // A virtual machine may not say its namespace; its peers read it from the certificate, so
        // this side does. Kiali drops a series with a namespace and no workload.
        if !own.workload.is_empty() {
            default_to(
                &mut own.namespace,
                namespace_of(&own.principal).unwrap_or_default(),
            );
        }
        own
    };
    let identify = |sources: Sources<'_>| {
        if sources.contradict() {
            plugin.diagnostics().peer_mismatch(reporter);
        }
        sources.workload()
    };
    let server = |sans: &Sans, exchanged, native| {
        let path = [
            "upstream_host_metadata",
            "filter_metadata",
            "istio",
            "workload",
        ];
        let endpoint = attributes.xds_text(&path);
        identify(Sources {
            san: sans.peer.as_deref(),
            exchanged,
            endpoint: endpoint.as_deref(),
            native,
            proven: false,
        })
    };
    let client = |sans: &Sans, native| {
        identify(Sources {
            san: sans.peer.as_deref(),
            exchanged,
            endpoint: None,
            native,
            proven: true,
        })
    };
    let proven = |sans: &Sans| match sans {
        Sans {
            local: Some(_),
            peer: Some(_),
        } => SecurityPolicy::MutualTls,
        _ => SecurityPolicy::None,
    };
    let (source, destination, security_policy) = match reporter {
        Reporter::Source => {
            let sans = Sans::of(attributes, "upstream");
            let destination = server(&sans, exchanged, native);
            (own(sans.local), destination, SecurityPolicy::Unknown)
        }
        Reporter::Destination => {
            let sans = Sans::of(attributes, "connection");
            (
                client(&sans, native),
                own(sans.local.clone()),
                proven(&sans),
            )
        }
        Reporter::Waypoint => {
            let sans = Sans::of(attributes, "connection");
            let mut destination = server(&Sans::of(attributes, "upstream"), None, None);
            // Istio's waypoints do not say `latest` here.
            default_to(&mut destination.canonical_revision, UNKNOWN);
            (client(&sans, native), destination, proven(&sans))
        }
    };
    let cluster = attributes.xds_text(&["cluster_name"]).unwrap_or_default();
    Facts {
        reporter,
        source,
        destination,
        service: service::requested(attributes, &cluster),
        response_flags: attributes.response_flags(),
        security_policy,
    }
}

fn default_to(value: &mut String, default: &str) {
    if value.is_empty() {
        default.clone_into(value);
    }
}
