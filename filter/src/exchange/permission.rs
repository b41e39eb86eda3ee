//! The rules of the exchange: may a frame be read, may one be written?
//!
//! A frame is written only where it is known to be read, because an application must not receive
//! one. A frame has this workload's metadata, so it goes to peers with TLS, and frames are accepted
//! over mutual TLS only. In mode `on` and for
//! `peer_exchange.clusters`, the configuration says that they are read.

use super::context::ExchangeContext;
use super::facts::{Facts, Upstream};
use super::proofs::Taken;
use crate::config::Mode;
use crate::host::attributes::path;
use crate::host::{Host, Status};
use crate::labels::Reporter;

/// The peer's first bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum FirstBytes {
    /// None came, or too few to tell.
    Pending,
    /// A frame.
    Frame,
    /// Something else.
    Payload,
}

/// The permission to write a frame.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Permission {
    Denied,
    /// The peer is known to read frames, or the operator says so.
    Granted,
    /// The server sent a frame on an earlier connection. Its answer shows whether it still reads
    /// them.
    ByProof(Taken),
}

/// Whether a frame of the peer may be read. The facts must be final: the peer's first bytes are
/// here, so its TLS handshake is over.
///
/// # Errors
/// A hostcall failed. Without its fact, a frame could pass as payload.
pub(super) fn may_read<H: Host>(
    context: &ExchangeContext<'_, H>,
    reporter: Reporter,
    facts: &mut Facts,
) -> Result<bool, Status> {
    match (context.local.mode(), reporter) {
        (Mode::Off, _) => Ok(false),
        (Mode::On, _) => Ok(true),
        // Servers of a listed cluster may have certificates of another kind.
        (Mode::Auto | Mode::Receive, Reporter::Source) => Ok(facts
            .upstream_is_spiffe(context, Upstream::Established)?
            || facts.is_listed(context)
                && context
                    .attributes
                    .text(path::UPSTREAM_TLS_VERSION)
                    .is_some()),
        (Mode::Auto | Mode::Receive, Reporter::Destination | Reporter::Waypoint) => {
            facts.is_mtls(context)
        }
    }
}

/// Whether this workload's frame may be written in front of the first bytes of its direction.
pub(super) fn may_write<H: Host>(
    context: &ExchangeContext<'_, H>,
    reporter: Reporter,
    peer: FirstBytes,
    facts: &mut Facts,
) -> Permission {
    let is_known = match (context.local.mode(), reporter) {
        (Mode::Off | Mode::Receive, _) => false,
        (Mode::On, _) => true,
        (Mode::Auto, Reporter::Destination | Reporter::Waypoint) => {
            peer == FirstBytes::Frame || facts.client_offered(context)
        }
        (Mode::Auto, Reporter::Source) if peer == FirstBytes::Frame => facts.server_reads,
        (Mode::Auto, Reporter::Source) => {
            match facts.upstream_is_spiffe(context, Upstream::MayBeConnecting) {
                Ok(true) if facts.is_listed(context) => true,
                // A server that spoke first and sent no frame has no exchange any more.
                Ok(true) if peer == FirstBytes::Pending => {
                    let server = facts.server(context);
                    let taken = server.and_then(|server| context.proofs().take(server));
                    return taken.map_or(Permission::Denied, Permission::ByProof);
                }
                _ => false,
            }
        }
    };
    match is_known {
        true => Permission::Granted,
        false => Permission::Denied,
    }
}
