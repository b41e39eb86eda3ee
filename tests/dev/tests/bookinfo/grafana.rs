//! The TCP panels of Istio's Grafana dashboards, with the values that Grafana gives the template
//! variables.

mod tests;

use std::collections::{BTreeMap, BTreeSet};

use mesh::prometheus::Prometheus;
use mesh::testing::Result;

const PANELS: &str = include_str!("grafana/panels.tsv");
const VARIABLES: &str = include_str!("grafana/variables.tsv");

/// The value of Grafana's `$__rate_interval`: four scrapes.
const RATE_INTERVAL: &str = "4s";

/// A dashboard with the values of its variables that the user selects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    dashboard: &'static str,
    chosen: &'static [(&'static str, &'static str)],
    /// Whether traffic to the chosen service or workload is mTLS.
    mutual_tls: bool,
}

/// Every selection of reporter and of other variables that changes the data of a panel.
pub(crate) const VIEWS: [View; 7] = [
    View {
        dashboard: "mesh",
        chosen: &[],
        mutual_tls: true,
    },
    View {
        dashboard: "service",
        chosen: &[("service", MYSQLDB), ("qrep", "destination")],
        mutual_tls: true,
    },
    View {
        dashboard: "service",
        chosen: &[("service", MYSQLDB), ("qrep", "source")],
        mutual_tls: true,
    },
    View {
        dashboard: "service",
        chosen: &[("service", PRODUCTPAGE), ("qrep", "destination")],
        mutual_tls: false,
    },
    View {
        dashboard: "workload",
        chosen: &[
            ("namespace", "default"),
            ("workload", "details-v1"),
            ("qrep", "destination"),
        ],
        mutual_tls: true,
    },
    View {
        dashboard: "workload",
        chosen: &[
            ("namespace", "default"),
            ("workload", "details-v1"),
            ("qrep", "source"),
        ],
        mutual_tls: true,
    },
    View {
        dashboard: "workload",
        chosen: &[
            ("namespace", "default"),
            ("workload", "productpage-v1"),
            ("qrep", "destination"),
        ],
        mutual_tls: false,
    },
];
const MYSQLDB: &str = "mysqldb.default.svc.cluster.local";
const PRODUCTPAGE: &str = "productpage.default.svc.cluster.local";

/// One query of a panel in a view.
#[derive(Debug)]
struct Panel {
    name: String,
    query: String,
    has_data: bool,
}

/// The faults of the panels with the current data.
pub(crate) fn faults(prometheus: &Prometheus) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for view in VIEWS {
        let variables = match view.variables(prometheus)? {
            Ok(variables) => variables,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for panel in view.panels(&variables) {
            let answer = prometheus.query(&panel.query)?;
            let has_data = answer.iter().any(|series| series.value > 0.0);
            if has_data != panel.has_data {
                let should = if panel.has_data { "no" } else { "unexpected" };
                faults.push(format!("{should} data in {}: {}", panel.name, panel.query));
            }
        }
    }
    Ok(faults)
}

impl View {
    /// The variables: the selected values, and "All" of the others, whose lists come from queries
    /// with the variables before them. The inner error is a list without entries, or without the
    /// selected one.
    fn variables(
        &self,
        prometheus: &Prometheus,
    ) -> Result<std::result::Result<BTreeMap<String, String>, String>> {
        let chosen = self.chosen.iter();
        let mut variables: BTreeMap<_, _> = chosen
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        for [name, query] in rows(VARIABLES, self.dashboard) {
            let query = substitute(query, &variables);
            let answer = prometheus.query(&query)?;
            let values: BTreeSet<_> = answer
                .into_iter()
                .flat_map(|series| series.labels.into_values())
                .collect();
            let is_listed = match variables.get(name) {
                Some(chosen) => values.contains(chosen),
                None => !values.is_empty(),
            };
            if !is_listed {
                return Ok(Err(format!(
                    "${name} of {self:?} has only {values:?}: {query}"
                )));
            }
            variables
                .entry(name.to_owned())
                .or_insert_with(|| all(&values));
        }
        Ok(Ok(variables))
    }

    fn panels(&self, variables: &BTreeMap<String, String>) -> Vec<Panel> {
        let Self {
            dashboard, chosen, ..
        } = self;
        let panel = |[row, title, query]: [&str; 3]| Panel {
            name: format!("{dashboard}/{row}/{title} with {chosen:?}"),
            query: substitute(query, variables),
            has_data: self.has_data(query),
        };
        rows(PANELS, dashboard).map(panel).collect()
    }

    /// Whether a query must have a result. Those for mTLS have none for the source, as in Istio:
    /// only the destination reports the policy, and the source reports `unknown`.
    fn has_data(&self, query: &str) -> bool {
        let by_source = query.contains(r#"reporter="source""#)
            || query.contains(r#"reporter=~"$qrep""#) && self.chosen.contains(&("qrep", "source"));
        if query.contains(r#"connection_security_policy="mutual_tls""#) {
            self.mutual_tls && !by_source
        } else if query.contains(r#"connection_security_policy!="mutual_tls""#) {
            !self.mutual_tls || by_source
        } else {
            true
        }
    }
}

/// The rows of a dashboard in a table, without the column with its name.
fn rows<const N: usize>(
    table: &'static str,
    dashboard: &str,
) -> impl Iterator<Item = [&'static str; N]> {
    let lines = table
        .lines()
        .filter_map(move |line| line.strip_prefix(dashboard));
    lines.map(|line| {
        let mut columns = line.trim_start().split('\t');
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    })
}

/// "All" of a variable's values.
pub(crate) fn all(values: &BTreeSet<String>) -> String {
    let escaped = values.iter().map(|value| value.replace('.', r"\\."));
    format!("({})", escaped.collect::<Vec<_>>().join("|"))
}

pub(crate) fn substitute(query: &str, variables: &BTreeMap<String, String>) -> String {
    let query = query.replace("$__rate_interval", RATE_INTERVAL);
    variables.iter().fold(query, |query, (name, value)| {
        query.replace(&format!("\"${name}\""), &format!("\"{value}\""))
    })
}
