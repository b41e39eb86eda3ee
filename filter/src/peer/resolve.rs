//! What the labels of a connection are made of, concluded from the evidence.

use peer_exchange::Metadata;

use super::connection_attributes::Evidence;
use super::native;
use super::service;
use super::sources::{Sources, namespace_of};
use crate::labels::response_flags::ResponseFlags;
use crate::labels::{Labels, Reporter, SecurityPolicy, Service, UNKNOWN, Workload};

/// The facts of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) reporter: Reporter,
    /// The client.
    source: Workload,
    /// The server.
    destination: Workload,
    service: Service,
    response_flags: ResponseFlags,
    security_policy: SecurityPolicy,
    /// A peer claims another namespace than its certificate has.
    pub(crate) contradiction: bool,
}

impl Facts {
    /// Concludes them; `exchanged` is what the peer told, `local` this workload, but for its
    /// principal.
    pub(crate) fn of(evidence: &Evidence, exchanged: Option<&Metadata>, local: &Workload) -> Self {
        let client = Sources {
            san: evidence.link.peer_san.as_deref(),
            exchanged,
            endpoint: None,
            native: evidence.native.as_deref().and_then(native::read),
            proven: true,
        };
        let server = |san| Sources {
            san,
            endpoint: evidence.endpoint.as_deref(),
            proven: false,
            ..Sources::default()
        };
        let policy = match (&evidence.local_san, &evidence.link.peer_san) {
            (Some(_), Some(_)) => SecurityPolicy::MutualTls,
            _ if evidence.handshaking => SecurityPolicy::Unknown,
            _ => SecurityPolicy::None,
        };
        let own = || own(local, evidence.local_san.as_deref());
        let (source, mut destination, security_policy, contradiction) = match evidence.link.reporter
        {
            Reporter::Source => {
                let server = Sources {
                    exchanged: client.exchanged,
                    native: client.native,
                    ..server(client.san)
                };
                let contradiction = server.contradict();
                let server = server.workload();
                (own(), server, SecurityPolicy::Unknown, contradiction)
            }
            Reporter::Destination => {
                let contradiction = client.contradict();
                (client.workload(), own(), policy, contradiction)
            }
            Reporter::Waypoint => {
                let contradiction = client.contradict();
                let mut server = server(evidence.server_san.as_deref()).workload();
                // Istio's waypoints do not say `latest` here.
                default_to(&mut server.canonical_revision, UNKNOWN);
                (client.workload(), server, policy, contradiction)
            }
        };
        let cluster = evidence.link.cluster.as_deref().unwrap_or_default();
        let service = service::requested(evidence.service.as_deref(), cluster);
        if evidence.link.reporter != Reporter::Destination {
            default_to(&mut destination.cluster, &service.cluster);
        }
        Self {
            reporter: evidence.link.reporter,
            source,
            destination,
            service,
            response_flags: evidence.response_flags,
            security_policy,
            contradiction,
        }
    }

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
    pub(crate) fn peer(&self) -> &Workload {
        match self.reporter {
            Reporter::Source => &self.destination,
            Reporter::Destination | Reporter::Waypoint => &self.source,
        }
    }

    /// How many bytes of text they have.
    pub(crate) fn len(&self) -> usize {
        let labels = self.labels().values();
        labels.iter().map(|value| value.len()).sum()
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

/// This workload with its principal.
fn own(local: &Workload, san: Option<&str>) -> Workload {
    let mut own = local.clone();
    own.principal = san.unwrap_or_default().to_owned();
    // A virtual machine may not say its namespace; its peers read it from the certificate, so
    // this side does. Kiali drops a series with a namespace and no workload.
    if own.namespace.is_empty() && !own.workload.is_empty() {
        own.namespace = namespace_of(&own.principal).unwrap_or_default().to_owned();
    }
    own
}

fn default_to(value: &mut String, default: &str) {
    if value.is_empty() {
        default.clone_into(value);
    }
}
