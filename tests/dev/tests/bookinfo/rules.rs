//! Prometheus' recording rules and alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use mesh::exposition::Series;
use mesh::prometheus::{self, Prometheus};
use mesh::testing::Result;
use mesh::{available, workspace};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bookinfo::docs;

const RULES: &str = "tcp-peer-stats.rules.yaml";
const CASES: [&str; 2] = [
    "tcp-peer-stats.rules.test.yaml",
    "tcp-peer-stats.days.test.yaml",
];
/// The page with the runbooks.
const OPERATIONS: &str = "filter/docs/operations.md";

#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Cases {
    tests: Vec<Situation>,
}

#[derive(Debug, Deserialize)]
struct Situation {
    name: String,
    #[serde(default)]
    alert_rule_test: Vec<Look>,
}

/// The expected state of an alert at a time.
#[derive(Debug, Deserialize)]
struct Look {
    alertname: String,
    exp_alerts: Vec<Value>,
}

fn folder() -> PathBuf {
    workspace::root().join("envoy-config/prometheus")
}

fn read<T: DeserializeOwned>(file: &str) -> Result<T> {
    Ok(serde_saphyr::from_str(&fs::read_to_string(
        folder().join(file),
    )?)?)
}

/// All rules, in order.
fn rules() -> Result<Vec<Rule>> {
    let Rules { groups } = read(RULES)?;
    Ok(groups.into_iter().flat_map(|group| group.rules).collect())
}

/// The alerts that the proxies in [`super::trouble`] must fire. The others need hours, or a second
/// event.
const ALERTS: [&str; 7] = [
    "TcpConnectionsFail",
    "TcpPeerExchangeBroken",
    "TcpPeerExchangeUnanswered",
    "TcpPeerMismatch",
    "TcpPlaintextBetweenWorkloads",
    "TcpSeriesOverflow",
    "TcpServiceUnreachable",
];

/// The faults of the rules with the current data in Prometheus.
pub(crate) fn faults(prometheus: &Prometheus) -> Result<Vec<String>> {
    let mut faults = prometheus.unhealthy_rules()?;
    for recorded in rules()?.iter().filter_map(|rule| rule.record.as_deref()) {
        let answer = prometheus.query(recorded)?;
        if !answer.iter().any(|series| series.value > 0.0) {
            faults.push(format!("{recorded} has no data"));
        }
    }
    let active = prometheus.query("ALERTS")?;
    let label = |alert: &Series, name: &str| alert.labels.get(name).cloned().unwrap_or_default();
    for name in ALERTS {
        if !active.iter().any(|alert| label(alert, "alertname") == name) {
            faults.push(format!("{name} is silent"));
        }
    }
    // Bookinfo has no fault but the traffic to the black hole.
    faults.extend(active.iter().filter_map(|alert| {
        let about = |name| label(alert, name);
        let is_bookinfos = about("source_workload_namespace") == "default";
        let wanted = about("destination_service_name") == "BlackHoleCluster";
        (is_bookinfos && !wanted).then(|| format!("unexpected alert: {alert}"))
    }));
    Ok(faults)
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() -> Result {
    let [cases, days] = CASES;
    let arguments = ["test", "rules", cases, days];
    available(prometheus::promtool(&folder(), &arguments))?;
    Ok(())
}

/// A new alert needs both kinds of cases.
#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> Result {
    let mut tests = Vec::new();
    for file in CASES {
        tests.extend(read::<Cases>(file)?.tests);
    }
    let rules = rules()?;
    let alerts = rules.iter().filter_map(|rule| rule.alert.as_deref());
    for alert in alerts {
        let looks = |situation: &Situation| -> Vec<bool> {
            let looks = situation.alert_rule_test.iter();
            let own = looks.filter(|look| look.alertname == alert);
            own.map(|look| !look.exp_alerts.is_empty()).collect()
        };
        let fires = tests.iter().any(|each| looks(each).contains(&true));
        // The silence must be in a case without any firing: silence before the duration of an alert
        // is no evidence.
        let is_silent = |fired: Vec<bool>| !fired.is_empty() && !fired.contains(&true);
        let silent = tests.iter().any(|each| is_silent(looks(each)));
        assert!(fires, "no case makes {alert} fire");
        assert!(silent, "{alert} fires in every case");
    }
    let names: BTreeSet<_> = tests.iter().map(|situation| &situation.name).collect();
    assert_eq!(names.len(), tests.len(), "two cases have one name");
    Ok(())
}

#[test]
fn every_alert_has_a_severity_a_description_and_a_runbook() -> Result {
    let explained = docs::observability()?;
    for rule in rules()? {
        let Some(alert) = &rule.alert else { continue };
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(
            matches!(severity, Some("info" | "warning" | "critical")),
            "{alert}: {severity:?}"
        );
        for name in ["summary", "description", "runbook"] {
            let text = rule.annotations.get(name);
            assert!(text.is_some_and(|text| !text.is_empty()), "{alert}: {name}");
        }
        let runbook = rule.annotations["runbook"].as_str();
        // The test of links in `tests/repository` checks that the section exists.
        let section = runbook.strip_prefix(&format!("{OPERATIONS}#"));
        assert!(section.is_some(), "{alert} points to {runbook}");
        assert!(explained.contains(&format!("| `{alert}` | {} |", rule.labels["severity"])));
    }
    Ok(())
}

#[test]
fn rules_read_only_series_of_earlier_rules() -> Result {
    let mut recorded = BTreeSet::new();
    for Rule { record, expr, .. } in rules()? {
        let words = expr.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
        for word in words.filter(|word| word.contains(':')) {
            assert!(recorded.contains(word), "{word} is not recorded before");
        }
        recorded.extend(record);
    }
    Ok(())
}
