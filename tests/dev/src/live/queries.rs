//! What the page asks of Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::error::Result;
use mesh::exposition::{Labels, Series};
use mesh::labels::{METRICS, OPENED, RECEIVED, SENT};
use mesh::prometheus::Api;
use mesh::topology::ends;

use super::names::Names;

/// The labels that make or describe a link.
const LABELS: &str = "reporter, source_workload, source_workload_namespace, destination_workload, \
     destination_workload_namespace, destination_service_name, connection_security_policy, response_flags";
/// Results of the exchange in which no peer was expected.
const NOT_ATTEMPTED: &str = "not_attempted";

/// The ends of a link: workload, workload or service, service.
pub(super) type Ends = [String; 3];

/// The period in which the first sample of a link is looked for, in seconds, and the precision.
/// The first one is for links of today, the second one for new ones.
const PERIODS: [(u32, u32); 2] = [(24 * 3600, 300), (3600, 15)];

/// Rates of one link, as one of its reporters counts them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    pub(super) opened: f64,
    pub(super) received: f64,
    pub(super) sent: f64,
}

/// The state of the exchange in the whole mesh.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Exchange {
    /// Connections per second by result; empty without such metrics.
    results: BTreeMap<String, f64>,
    /// The part of the connections with mutual TLS in which the peer's metadata was read.
    exchanged: Option<f64>,
    /// Frames that a server did not answer, in the period of the rates.
    unanswered: f64,
}

/// The time of Prometheus.
pub(super) fn now(api: &Api) -> Result<f64> {
    let answer = api.query("vector(time())")?;
    let now = answer.first().map(|series| series.value);
    now.ok_or_else(|| mesh::Error::malformed("Prometheus' time", "it is empty"))
}

/// All counts, with one series for each link, reporter, security and flags.
pub(super) fn totals(api: &Api) -> Result<(Names, Vec<Series>)> {
    let selector = format!("{{__name__=~\"{}\"}}", METRICS.join("|"));
    let mut series = api.query(&format!("sum by (__name__, {LABELS}) ({selector})"))?;
    let names = Names::of(series.iter().map(|series| &series.labels));
    for series in &mut series {
        names.put(&mut series.labels);
    }
    Ok((names, series))
}

/// The rates of all links: those of the source, or else of the destination.
pub(super) fn rates(api: &Api, names: Names, window: Duration) -> Result<BTreeMap<Ends, Rates>> {
    let mut all: BTreeMap<(Ends, String), Rates> = BTreeMap::new();
    for metric in [OPENED, RECEIVED, SENT] {
        let rate = format!("rate({metric}[{}s])", window.as_secs());
        for mut series in api.query(&format!("sum by ({LABELS}) ({rate})"))? {
            names.put(&mut series.labels);
            let reporter = series.labels.get("reporter").cloned().unwrap_or_default();
            let rates = all.entry((ends(&series.labels), reporter)).or_default();
            *match metric {
                OPENED => &mut rates.opened,
                RECEIVED => &mut rates.received,
                _ => &mut rates.sent,
            } += series.value;
        }
    }
    // `source` comes after `destination` and replaces it.
    Ok(all
        .into_iter()
        .map(|((ends, _), rates)| (ends, rates))
        .collect())
}

/// The first time at which Prometheus has a sample of each link, within a day.
pub(super) fn first_seen(api: &Api, names: Names, now: f64) -> Result<BTreeMap<Ends, f64>> {
    let mut first: BTreeMap<Ends, f64> = BTreeMap::new();
    for (period, step) in PERIODS {
        let start = now - f64::from(period);
        let expression = format!("count by ({LABELS}) ({OPENED})");
        let mut here: BTreeMap<Ends, f64> = BTreeMap::new();
        for mut series in api.range(&expression, [start, now], step)? {
            names.put(&mut series.labels);
            let Some(time) = series.times.first() else {
                continue;
            };
            let own = here.entry(ends(&series.labels)).or_insert(*time);
            *own = own.min(*time);
        }
        merge(&mut first, here, start + f64::from(step));
    }
    Ok(first)
}

/// Adds the times of a finer period, in which a link that is older begins before `begin`.
fn merge(first: &mut BTreeMap<Ends, f64>, finer: BTreeMap<Ends, f64>, begin: f64) {
    for (ends, time) in finer {
        if time >= begin || !first.contains_key(&ends) {
            first.insert(ends, time);
        }
    }
}

/// The oldest time that [`first_seen`] finds.
pub(super) fn horizon(now: f64) -> f64 {
    let [(period, step), _] = PERIODS;
    now - f64::from(period) + f64::from(step)
}

/// The state of the exchange.
pub(super) fn exchange(api: &Api, window: Duration) -> Result<Exchange> {
    let window = window.as_secs();
    let rate = format!("rate(istio_tcp_peer_exchange_total[{window}s])");
    let answer = api.query(&format!("sum by (result) ({rate})"))?;
    let result = |labels: &Labels| labels.get("result").cloned().unwrap_or_default();
    let results: BTreeMap<_, _> = answer
        .into_iter()
        .map(|series| (result(&series.labels), series.value))
        .collect();
    let of = |wanted: &dyn Fn(&str) -> bool| -> f64 {
        let wanted = results.iter().filter(|(result, _)| wanted(result));
        wanted.map(|(_, rate)| rate).sum()
    };
    // `duplicate` is counted in addition to another result.
    let all = of(&|result| result != NOT_ATTEMPTED && result != "duplicate");
    let unanswered = format!("sum(increase(istio_tcp_unanswered_frames_total[{window}s]))");
    let unanswered = api.query(&unanswered)?;
    Ok(Exchange {
        exchanged: (all > 0.0).then(|| of(&|result| result == "exchanged") / all),
        unanswered: unanswered.first().map_or(0.0, |series| series.value),
        results,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finer_time_counts_for_links_that_begin_in_its_period() {
        let ends = |name: &str| [name, "b", "s"].map(str::to_owned);
        let mut first = BTreeMap::from([(ends("old"), 300.0), (ends("young"), 8700.0)]);
        let finer = [("old", 5010.0), ("young", 8415.0), ("new", 8985.0)];
        let finer = finer.map(|(name, time)| (ends(name), time)).into();
        merge(&mut first, finer, 5015.0);
        let expected = [("new", 8985.0), ("old", 300.0), ("young", 8415.0)];
        assert_eq!(
            first,
            expected.map(|(name, time)| (ends(name), time)).into()
        );
    }
}
