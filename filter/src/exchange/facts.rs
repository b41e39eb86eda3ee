//! The facts about a connection that its exchange depends on. The host is asked for each when it is
//! needed, and not again once it has answered.

use std::time::Duration;

use super::context::ExchangeContext;
use super::proofs::Server;
use crate::bytes::Bytes;
use crate::host::attributes::path;
use crate::host::{Host, Status};
use crate::peer::ReadBefore;

/// How far the connection to the upstream is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Upstream {
    /// It may have no certificate yet.
    MayBeConnecting,
    /// The upstream's first bytes are here.
    Established,
}

/// The facts that were read so far.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// A lazily connected upstream has no cluster before it is chosen.
    pub(crate) attributes: ReadBefore,
    client_offered: Option<bool>,
    /// Whether the client's connection has TLS.
    client_has_tls: Option<bool>,
    /// Whether the server, which sent a frame, reads this workload's.
    pub(super) server_reads: bool,
}

impl Facts {
    /// Whether the upstream's certificate has a SPIFFE id.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(super) fn upstream_is_spiffe<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        upstream: Upstream,
    ) -> Result<bool, Status> {
        if let Some(san) = &self.attributes.upstream_san {
            return Ok(is_spiffe(san.as_deref()));
        }
        let san = context.attributes.upstream_uri_san()?;
        let is_spiffe = is_spiffe(san.as_deref());
        if san.is_some() || upstream == Upstream::Established {
            self.attributes.upstream_san = Some(san);
        }
        Ok(is_spiffe)
    }

    /// Whether the client showed a certificate. Its TLS handshake is over.
    ///
    /// # Errors
    /// The hostcall failed.
    pub(super) fn is_mtls<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
    ) -> Result<bool, Status> {
        let attributes = &context.attributes;
        // The labels need the SAN too, and a client with a SAN has a certificate. Without TLS, the
        // version is empty, and an empty answer of the host takes less time than a byte.
        let san = attributes.text(path::PEER_SAN);
        let has_tls = san.is_some() || attributes.has_tls()?;
        let is_mtls = san.is_some() || has_tls && attributes.is_mtls()?;
        self.client_has_tls = Some(has_tls);
        self.attributes.client_san = Some(san);
        Ok(is_mtls)
    }

    /// The upstream's cluster; `None` before it is chosen.
    pub(crate) fn cluster<H: Host>(&mut self, context: &ExchangeContext<'_, H>) -> Option<&str> {
        if self.attributes.cluster.is_none() {
            self.attributes.cluster = context.attributes.text(path::CLUSTER);
        }
        self.attributes.cluster.as_deref()
    }

    /// Whether the configuration says that the upstream's cluster reads frames.
    pub(super) fn is_listed<H: Host>(&mut self, context: &ExchangeContext<'_, H>) -> bool {
        let clusters = &context.config.clusters;
        !clusters.is_empty()
            && self.cluster(context).is_some_and(|cluster| {
                clusters
                    .iter()
                    .any(|listed| Bytes(listed.as_str()) == Bytes(cluster))
            })
    }

    /// The upstream, if its cluster and its address are known.
    pub(super) fn server<H: Host>(&mut self, context: &ExchangeContext<'_, H>) -> Option<Server> {
        let cluster = self.cluster(context)?;
        let address = context.attributes.text(path::UPSTREAM_ADDRESS)?;
        Some(Server::new(cluster, &address))
    }

    /// The server, which sent a frame, reads those of clients with a certificate: records the proof
    /// if this proxy is such a client, and returns whether it is.
    pub(super) fn prove_server<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        opened_at: Option<Duration>,
    ) -> bool {
        let Some(server) = self.server(context) else {
            return false;
        };
        let san = context.attributes.text(path::UPSTREAM_LOCAL_SAN);
        if let (Some(_), Some(opened_at)) = (&san, opened_at) {
            context.check_stored(&server, context.proofs().record(&server, opened_at));
        }
        san.is_some()
    }

    /// Whether the client offered the exchange in a TLS handshake that this proxy terminates.
    ///
    /// It is known before the first byte, where the listener computes the JA4 fingerprint of the
    /// ClientHello and a `set_filter_state` filter in front of this one stores it.
    pub(super) fn client_offered<H: Host>(&mut self, context: &ExchangeContext<'_, H>) -> bool {
        if self.client_has_tls == Some(false) {
            return false;
        }
        *self.client_offered.get_or_insert_with(|| {
            let attributes = &context.attributes;
            let fingerprint = attributes.text(path::CLIENT_JA4);
            let protocol = context.config.protocols.first();
            fingerprint
                .zip(protocol)
                .is_some_and(|(fingerprint, protocol)| offers(&fingerprint, protocol))
                // A chain that passes the TLS of the application through has the same ClientHello.
                && attributes.text(path::TLS_VERSION).is_some()
                // The client reads the frames of such servers only.
                && is_spiffe(attributes.text(path::LOCAL_SAN))
        })
    }
}

fn is_spiffe(san: Option<impl AsRef<str>>) -> bool {
    san.is_some_and(|san| san.as_ref().starts_with("spiffe://"))
}

/// Whether a JA4 fingerprint (`t13d0912ie_…`) says that `protocol` was the first ALPN offered: its
/// first part ends with the first and the last character of that name, and `00` without ALPN.
fn offers(fingerprint: &str, protocol: &str) -> bool {
    let part = fingerprint.split('_').next().unwrap_or_default();
    let (mut rest, mut name) = (part.chars(), protocol.chars());
    let (last, first) = (rest.next_back(), rest.next_back());
    last.is_some() && last == name.next_back() && first == name.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_shows_the_first_protocol() {
        let offers = |fingerprint| offers(fingerprint, "istio-peer-exchange");
        assert!(offers("t13d0912ie_f91f431d341e_78e6aca7449b"));
        for other in [
            "t13d0912io_f91f431d341e_78e6aca7449b",
            "t13d0912h2_f91f431d341e_78e6aca7449b",
            "t13d091200_f91f431d341e_78e6aca7449b",
            "t13d0912_ie_ie",
            "-",
            "e",
            "",
        ] {
            assert!(!offers(other), "{other:?}");
        }
    }
}
