//! Plugins that change while connections are open.

use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::{
    Image, LIMIT, PLUGIN, WASM, apply, both_have, change, expect_unchanged, install, loaded,
    tagged, with_digest, with_tag,
};
use crate::cluster::{settle, until};
use crate::error::Result;
use crate::kubelet::Pod;
use crate::suite::application::Seen;
use crate::suite::bench::{Bench, PORT};
use crate::suite::expect;
use crate::suite::held::Held;
use crate::suite::measure::{SETTLE_LIMIT, visiting};
use crate::suite::telemetry::{Content, NAMESPACE, Telemetry};
use crate::suite::visit::Visits;

const OPENED: &str = "peer_stats_tcp_connections_opened_total";
const CLOSED: &str = "peer_stats_tcp_connections_closed_total";
const RECEIVED: &str = "peer_stats_tcp_received_bytes_total";
const SENT: &str = "peer_stats_tcp_sent_bytes_total";
/// The connections that are open while the plugin is deleted.
const HELD: u64 = 5;
/// The intervals of reports to which the plugin is set, one after another.
const INTERVALS: [&str; 3] = ["7s", "8s", "9s"];
/// The tag of the new image.
const UPGRADE: &str = "upgrade";
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
            change(telemetry, kubectl, &image)?;
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

/// The plugin gets another image under load, while connections are open. They end in the old VM.
pub(in crate::suite) fn upgraded(bench: &mut Bench<'_>) -> Result<String> {
    install(bench, |it| with_digest(it, &it.digest), WASM)?;
    let (telemetry, kubectl) = bench.telemetry()?;
    let new = telemetry.push(Content::Other, UPGRADE)?;
    let before = scrape(telemetry)?;
    drop(telemetry.application.take());
    let held = Held::open(&telemetry.client, telemetry.service, HELD)?;
    let mut visits = visiting(&telemetry.client, telemetry.service, || {
        thread::sleep(MOMENT);
        let image = Image {
            digest: Some(new.clone()),
            ..with_tag(telemetry, UPGRADE)
        };
        apply(kubectl, PORT, &image)?;
        for pod in [&telemetry.client, &telemetry.server] {
            until("the new module", LIMIT, || {
                Ok((loaded(pod)? == new).then_some(()))
            })?;
        }
        both_have(telemetry, Some(WASM))?;
        thread::sleep(MOMENT);
        Ok(())
    })?;
    expect::holds(visits.made > 0, || "no connection was made".to_owned())?;
    held.finish(&mut visits);
    let made = visits.made;
    expect_reported(telemetry, &before, made)?;
    expect_unchanged(&visits, telemetry.application.seen().iter())?;
    Ok(format!(
        "{made} connections, {HELD} of them open during the change, none failed, each and its bytes counted once on both sides"
    ))
}

/// Both plugins have reported this number of connections since `before`.
fn expect_reported(telemetry: &Telemetry, before: &[Exposition; 2], number: u64) -> Result<()> {
    let number = number as f64;
    let expected = || {
        let seen = telemetry.application.seen();
        let total = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>() as f64;
        [number, number, total(|it| it.bytes), total(|it| it.sent)].repeat(2)
    };
    let since = || -> Result<Vec<f64>> {
        let after = scrape(telemetry)?;
        let pairs = before.iter().zip(&after);
        let of = |(old, new): (&Exposition, &Exposition)| {
            [OPENED, CLOSED, RECEIVED, SENT].map(|name| new.sum(name, &[]) - old.sum(name, &[]))
        };
        Ok(pairs.flat_map(of).collect())
    };
    settle("the connections being reported", SETTLE_LIMIT, || {
        let seen = telemetry.application.seen().len() as f64;
        Ok(seen == number && since()? == expected())
    })?;
    expect::equal(
        "opened, closed, received and sent, client and server",
        since()?,
        expected(),
    )
}

fn scrape(telemetry: &Telemetry) -> Result<[Exposition; 2]> {
    let [client, server] = [&telemetry.client, &telemetry.server].map(Pod::metrics);
    Ok([client?, server?])
}
