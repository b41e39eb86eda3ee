//! Changes of the control plane and of the servers under traffic.

use std::thread;
use std::time::Duration;

use super::bench::Bench;
use super::expect;
use super::lost;
use super::measure::{NUMBER, Place, during, expect_unchanged, measure};
use crate::error::Result;

/// The time that connections get before and after a change.
const MOMENT: Duration = Duration::from_secs(2);

/// An EnvoyFilter of somebody else, with which istiod panics and drops all patches of the proxy.
const FOREIGN: &str = r#"
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: foreign
spec:
  workloadSelector:
    labels:
      app: mysql
  configPatches:
  - applyTo: LISTENER_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        name: virtualInbound
        listenerFilter: envoy.filters.listener.tls_inspector
    patch:
      operation: MERGE
      value:
        name: envoy.filters.listener.tls_inspector
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
          enable_ja4_fingerprinting: true
"#;

pub(super) fn istiod_restarted(bench: &mut Bench<'_>) -> Result<String> {
    lost::prove(bench)?;
    bench.kill_istiod()?;
    let (visits, seen) = during(bench, || {
        thread::sleep(3 * MOMENT);
        Ok(())
    })?;
    expect_unchanged(&visits, seen.iter())?;
    bench.restart_istiod()?;
    bench.settled()?;
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    expect::equal("opened, source", outcome.source.opened(), NUMBER)?;
    expect::equal(
        "opened, destination",
        outcome.destination()?.opened(),
        NUMBER,
    )?;
    expect::equal(
        "incomplete, destination",
        outcome.destination()?.incomplete(),
        0,
    )?;
    let without = visits.made;
    Ok(format!(
        "{without} connections without istiod and {NUMBER} after its restart, none failed, 0 frames"
    ))
}

/// Servers get the filter and lose it again, each time by another pod, under traffic.
pub(super) fn rolled_out(bench: &mut Bench<'_>) -> Result<String> {
    let steps = [false, true, true, false];
    let mut made = 0;
    for has_filter in steps {
        bench.add_server(has_filter, None)?;
        let both = during(bench, || wait(MOMENT))?;
        bench.first_leaves()?;
        let one = during(bench, || {
            bench.endpoints_are_the_servers()?;
            wait(MOMENT)
        })?;
        for (visits, seen) in [both, one] {
            expect_unchanged(&visits, seen.iter())?;
            made += visits.made;
        }
        bench.remove_first()?;
    }
    Ok(format!(
        "{made} connections during {} replacements of the pod, none failed, 0 frames",
        steps.len()
    ))
}

pub(super) fn patches_dropped(bench: &mut Bench<'_>) -> Result<String> {
    lost::prove(bench)?;
    let before = bench.client().metrics()?;
    bench.apply_text(FOREIGN)?;
    bench.server_has_no_filter()?;
    let lost = lost::after_loss(bench, &before, (NUMBER, 1), lost::ONE);
    bench.delete("envoyfilter", "foreign")?;
    bench.chains_have("auto")?;
    lost
}

fn wait(time: Duration) -> Result<()> {
    thread::sleep(time);
    Ok(())
}
