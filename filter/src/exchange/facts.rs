//! Reads the facts that the gates depend on from the host.

use super::context::ExchangeContext;
use super::gates::Facts;
use crate::config::Mode;
use crate::host::attributes::path;
use crate::host::{Host, Status};
use crate::labels::Reporter;

/// Reads the facts, and the URI SAN of the upstream's certificate if it is one of them.
///
/// A fact that cannot change the gates is left `false`, which saves its hostcall.
///
/// # Errors
/// A hostcall failed. Without its fact, a frame could pass as payload.
pub(super) fn read_facts<H: Host>(
    context: &ExchangeContext<'_, H>,
    reporter: Reporter,
) -> Result<(Facts, Option<String>), Status> {
    let mode = context.local.mode();
    let mut facts = Facts::default();
    let mut upstream_san = None;
    match (mode, reporter) {
        (Mode::Off | Mode::On, _) => {}
        (Mode::Auto | Mode::Receive, Reporter::Destination | Reporter::Waypoint) => {
            facts.downstream_mtls = context.attributes.is_mtls()?;
        }
        (Mode::Auto | Mode::Receive, Reporter::Source) => {
            upstream_san = context.attributes.upstream_uri_san()?;
            facts.upstream_spiffe = upstream_san
                .as_deref()
                .is_some_and(|san| san.starts_with("spiffe://"));
            facts.upstream_supports_exchange =
                facts.upstream_spiffe && mode == Mode::Auto && upstream_supports_exchange(context);
            facts.upstream_refused = facts.upstream_supports_exchange
                && context.local.upstream_refused(&context.attributes);
        }
    }
    Ok((facts, upstream_san))
}

/// Whether the connection's upstream supports the exchange: by its metadata, which Istio's control
/// plane writes, or because its cluster is in `peer_exchange.clusters`.
fn upstream_supports_exchange<H: Host>(context: &ExchangeContext<'_, H>) -> bool {
    let (attributes, clusters) = (&context.attributes, &context.config.clusters);
    attributes.text(path::TLS_MODE).as_deref() == Some("istio")
        || !clusters.is_empty()
            && attributes
                .text(path::CLUSTER)
                .is_some_and(|name| clusters.contains(&name))
}
