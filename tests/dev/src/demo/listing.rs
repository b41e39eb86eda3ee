//! The listing of opened and closed connections, as in Prometheus' console.

use std::time::Duration;

use super::interrupt::Interrupt;
use super::report::Console;
use super::snapshot::Snapshot;
use mesh::error::Result;
use mesh::exposition::Series;
use mesh::labels::{CLOSED, OPENED};
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::report::Check;

const SCRAPE_LIMIT: Duration = Duration::from_secs(20);

/// A listing, and the check that Prometheus and the Envoys have the same values, if Prometheus is
/// installed.
pub(super) struct Listed {
    pub(super) listing: Console,
    pub(super) check: Option<Check>,
}

/// Reads the listing from Prometheus, or from the Envoys' scrape if Prometheus is not installed.
pub(super) fn console(
    snapshot: &Snapshot,
    prometheus: Option<&Prometheus>,
    interrupt: &Interrupt,
) -> Result<Listed> {
    let from_envoys: Vec<Series> = [OPENED, CLOSED]
        .into_iter()
        .flat_map(|metric| snapshot.named(metric).cloned())
        .collect();
    let Some(prometheus) = prometheus else {
        let source = "the Envoys' /stats/prometheus (`prometheus` is not installed)".to_owned();
        return Ok(Listed {
            listing: Console {
                source,
                series: from_envoys,
            },
            check: None,
        });
    };
    let mut newest = Vec::new();
    let agreed = poll::until("Prometheus having the Envoys' values", SCRAPE_LIMIT, || {
        interrupt.check()?;
        newest = prometheus.query(OPENED)?;
        newest.extend(prometheus.query(CLOSED)?);
        let same = newest.len() == from_envoys.len()
            && from_envoys
                .iter()
                .all(|series| newest.iter().any(|other| is_same(other, series)));
        Ok(if same {
            Look::Found(())
        } else {
            Look::NotYet(format!("{} series", newest.len()))
        })
    });
    let agreed = match agreed {
        Err(error) if !error.is_timeout() => return Err(error),
        other => other.is_ok(),
    };
    let check = Check::new(
        "Prometheus has the same connection counts as the Envoys",
        agreed,
        format!("{} series at {}", newest.len(), prometheus.url()),
    );
    let source = format!("Prometheus' HTTP API at {}", prometheus.url());
    Ok(Listed {
        listing: Console {
            source,
            series: newest,
        },
        check: Some(check),
    })
}

/// Whether the series are the same. Prometheus adds labels of the scrape.
fn is_same(scraped: &Series, own: &Series) -> bool {
    scraped.name == own.name
        && scraped.value.total_cmp(&own.value).is_eq()
        && own
            .labels
            .iter()
            .all(|(name, value)| scraped.labels.get(name) == Some(value))
}
