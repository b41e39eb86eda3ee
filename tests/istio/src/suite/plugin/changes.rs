//! Plugins that change while connections are open.

use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::{Image, LIMIT, PLUGIN, WASM, apply, both_have, expect_unchanged, install, tagged};
use crate::cluster::{settle, until};
use crate::error::Result;
use crate::kubelet::Pod;
use crate::suite::bench::{Bench, PORT};
use crate::suite::expect;
use crate::suite::held::Held;
use crate::suite::measure::{SETTLE_LIMIT, visiting};
use crate::suite::telemetry::{NAMESPACE, Telemetry};
use crate::suite::visit::Visits;

const OPENED: &str = "peer_stats_tcp_connections_opened_total";
const CLOSED: &str = "peer_stats_tcp_connections_closed_total";
/// The connections that are open while the plugin is deleted.
const HELD: u64 = 5;
/// The intervals of reports to which the plugin is set, one after another.
const INTERVALS: [&str; 3] = ["7s", "8s", "9s"];
/// The time that connections get after each change.
const MOMENT: Duration = Duration::from_secs(2);

/// The plugin is deleted: open connections go on, and are counted to their end.
pub(in crate::suite) fn deleted(bench: &mut Bench<'_>) -> Result<String> {
    install(bench, tagged, WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    let before = scrape(telemetry)?;
    drop(telemetry.application.take());
    let held = Held::open(&telemetry.client, telemetry.service, HELD)?;
    kubectl.run(&["delete", "wasmplugin", PLUGIN, "--namespace", NAMESPACE])?;
    both_have(telemetry, None)?;
    let mut visits = Visits::default();
    held.finish(&mut visits);
    expect_reported(telemetry, &before, HELD)?;
    expect_unchanged(&visits, telemetry.application.seen().iter())?;
    Ok(format!(
        "{HELD} open connections, none failed, all counted as opened and closed on both sides"
    ))
}

/// The plugin's configuration changes under load.
pub(in crate::suite) fn reconfigured(bench: &mut Bench<'_>) -> Result<String> {
    install(bench, tagged, WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    let before = scrape(telemetry)?;
    drop(telemetry.application.take());
    let visits = visiting(&telemetry.client, telemetry.service, || {
        for interval in INTERVALS {
            let image = Image {
                interval: Some(interval),
                ..tagged(telemetry)
            };
            apply(kubectl, PORT, &image)?;
            for pod in [&telemetry.client, &telemetry.server] {
                until("the plugin's new configuration", LIMIT, || {
                    let filters = pod.admin("/config_dump?resource=ecds_filters")?;
                    Ok(filters.contains(interval).then_some(()))
                })?;
            }
            thread::sleep(MOMENT);
        }
        Ok(())
    })?;
    let made = visits.made;
    expect_reported(telemetry, &before, made)?;
    expect_unchanged(&visits, telemetry.application.seen().iter())?;
    Ok(format!(
        "{made} connections during {} changes, none failed, each counted once as opened and closed on both sides",
        INTERVALS.len()
    ))
}

/// Both plugins have reported this number of connections since `before`.
fn expect_reported(telemetry: &Telemetry, before: &[Exposition; 2], number: u64) -> Result<()> {
    let number = number as f64;
    let since = || -> Result<Vec<f64>> {
        let after = scrape(telemetry)?;
        let pairs = before.iter().zip(&after);
        let of = |(old, new): (&Exposition, &Exposition)| {
            [OPENED, CLOSED].map(|name| new.sum(name, &[]) - old.sum(name, &[]))
        };
        Ok(pairs.flat_map(of).collect())
    };
    settle("the connections being reported", SETTLE_LIMIT, || {
        let seen = telemetry.application.seen().len() as f64;
        Ok(seen == number && since()? == [number; 4])
    })?;
    expect::equal(
        "opened and closed, client and server",
        since()?,
        vec![number; 4],
    )
}

fn scrape(telemetry: &Telemetry) -> Result<[Exposition; 2]> {
    let [client, server] = [&telemetry.client, &telemetry.server].map(Pod::metrics);
    Ok([client?, server?])
}
