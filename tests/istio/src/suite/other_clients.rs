//! Clients without the filter, and clients that a policy of Istio denies.

use std::time::Duration;

use super::application::First;
use super::bench::Bench;
use super::expect;
use super::lost;
use super::measure::{NUMBER, Place, all_ended, measure, unanswered};
use super::names;
use super::path::Path;
use super::visit::{Failure, Visits, visit};
use crate::cluster::until;
use crate::error::Result;

const LIMIT: Duration = Duration::from_secs(40);
/// The frames that the client writes to a server that denies its connections.
const FRAMES: u64 = 1;
const DENY: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: deny
spec:
  selector:
    matchLabels:
      app: mysql
  action: DENY
  rules:
  - to:
    - operation:
        ports: ["13306"]
"#;

/// A sidecar that offers the ALPN of mutual TLS only, as one without the filter does.
pub(super) fn without_filter(bench: &mut Bench<'_>) -> Result<String> {
    bench.plain_client()?;
    let server = bench.server()?;
    let path = Path {
        client: Some(bench.started_plain_client()?),
        address: bench.service(),
        application: &server.application,
        server: Some(&server.pod),
    };
    let travelled = path.travel((0, NUMBER))?;
    let labels = names::by_certificate(&server.version);
    travelled
        .destination
        .expect_labels("destination", &labels, NUMBER)?;
    let beside = measure(bench, Place::Mesh, (NUMBER, 1))?;
    beside.expect_unchanged(NUMBER)?;
    expect::at_most("incomplete", beside.destination()?.incomplete(), 1)?;
    Ok(format!(
        "{NUMBER} connections without the filter and {NUMBER} beside it, all counted, 0 frames"
    ))
}

pub(super) fn denied(bench: &mut Bench<'_>) -> Result<String> {
    lost::prove(bench)?;
    let before = bench.client().metrics()?;
    bench.apply_text(DENY)?;
    let denied = bench.settled().and_then(|_| {
        one_until(bench, "the policy being in force", |visits| {
            !visits.all_succeeded()
        })?;
        drop(bench.server()?.application.take());
        let visits = from_client(bench, NUMBER)?;
        let is_ended =
            |(_, failure): &&(u64, Failure)| matches!(failure, Failure::Ended { received: 0, .. });
        let ended = visits.failed.iter().filter(is_ended).count() as u64;
        expect::holds(ended == NUMBER, || {
            let first = visits.first_failed();
            format!("connections that ended without an answer: {ended}, not {NUMBER}; {first}")
        })?;
        all_ended(bench)?;
        // Envoy connects to the application before the policy's filter sees the first byte.
        let seen = bench.server()?.application.seen();
        let bytes: usize = seen.iter().map(|seen| seen.bytes).sum();
        expect::equal("bytes at the application", bytes, 0)
    });
    bench.delete("authorizationpolicy", "deny")?;
    one_until(bench, "the end of the policy", Visits::all_succeeded)?;
    denied?;
    // The server's filter reads the frame of the first denied connection. The connection ends
    // before its own, so the client has no proof for the others.
    let counted = unanswered(bench, &before, FRAMES)?;
    expect::equal("frames without an answer", counted, FRAMES)?;
    Ok(format!(
        "{NUMBER} connections denied, 0 bytes at the application, {counted} frames without an answer"
    ))
}

/// Opens connections, one at a time, until one is right.
fn one_until(bench: &Bench<'_>, what: &str, is_right: impl Fn(&Visits) -> bool) -> Result<()> {
    until(what, LIMIT, || {
        Ok(is_right(&from_client(bench, 1)?).then_some(()))
    })
}

/// Opens connections from the client's pod, one after another.
fn from_client(bench: &Bench<'_>, number: u64) -> Result<Visits> {
    let address = bench.service();
    let client = bench.client();
    client.inside(|| Ok(visit(address, First::Client, number, 1)))
}
