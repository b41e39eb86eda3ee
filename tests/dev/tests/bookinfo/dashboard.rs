//! This project's Grafana dashboard, with the values that Grafana gives the template variables.

mod schema;
mod structure;

use std::collections::{BTreeMap, BTreeSet};

use mesh::exposition::Series;
use mesh::labels::Reporter;
use mesh::prometheus::Prometheus;
use mesh::testing::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::bookinfo::grafana;

const FILE: &str = include_str!("../../../../envoy-config/grafana/tcp-peer-stats.json");

#[derive(Debug, Deserialize)]
struct Dashboard {
    templating: Templating,
    panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
struct Templating {
    list: Vec<Variable>,
}

#[derive(Debug, Deserialize)]
struct Variable {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    description: String,
    query: Value,
    datasource: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panel {
    id: u32,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default)]
    description: String,
    grid_pos: Place,
    datasource: Option<Value>,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    transformations: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    ref_id: String,
    expr: String,
    #[serde(default)]
    legend_format: String,
    datasource: Value,
}

/// The faults of the panels with the current data, for each reporter, for "All" and for every
/// selected value.
pub(crate) fn faults(prometheus: &Prometheus) -> Result<Vec<String>> {
    let dashboard = Dashboard::read()?;
    let mut faults = Vec::new();
    for reporter in Reporter::BOTH {
        for all in [true, false] {
            let variables = dashboard.variables(prometheus, reporter, all, &mut faults)?;
            for (panel, target) in dashboard.targets() {
                let query = grafana::substitute(&target.expr, &variables);
                let answer = prometheus.query(&query)?;
                let fault = panel.fault(target, &answer);
                faults.extend(fault.map(|fault| format!("{}: {fault}: {query}", panel.title)));
            }
        }
    }
    Ok(faults)
}

impl Dashboard {
    fn read() -> Result<Self> {
        Ok(serde_json::from_str(FILE)?)
    }

    fn targets(&self) -> impl Iterator<Item = (&Panel, &Target)> {
        let panels = self.panels.iter();
        panels.flat_map(|panel| panel.targets.iter().map(move |target| (panel, target)))
    }

    /// The value of every variable, from its list in Prometheus.
    fn variables(
        &self,
        prometheus: &Prometheus,
        reporter: Reporter,
        all: bool,
        faults: &mut Vec<String>,
    ) -> Result<BTreeMap<String, String>> {
        let mut variables = BTreeMap::from([("reporter".to_owned(), reporter.to_string())]);
        for variable in &self.templating.list {
            let Some((selector, label)) = variable.label_values() else {
                continue;
            };
            let selector = grafana::substitute(selector, &variables);
            let values = prometheus.label_values(&selector, label)?;
            if values.is_empty() {
                faults.push(format!("${} has no value: {selector}", variable.name));
            }
            let value = if all {
                ".*".to_owned()
            } else {
                grafana::all(&values.into_iter().collect())
            };
            variables.insert(variable.name.clone(), value);
        }
        Ok(variables)
    }
}

impl Variable {
    /// Selector and label of `label_values(selector, label)`.
    fn label_values(&self) -> Option<(&str, &str)> {
        let query = self.query.get("query")?.as_str()?;
        let arguments = query.strip_prefix("label_values(")?.strip_suffix(')')?;
        arguments.rsplit_once(", ")
    }
}

impl Panel {
    /// The fault of an answer: no data, or two series with the same legend.
    fn fault(&self, target: &Target, answer: &[Series]) -> Option<String> {
        if !answer.iter().any(|series| series.value > 0.0) {
            return Some("no data".to_owned());
        }
        let mut shown = BTreeSet::new();
        for series in answer {
            let name = match self.kind.as_str() {
                "table" => self.columns(series),
                _ => target.legend(series),
            };
            match name {
                Err(missing) => return Some(format!("{series} has no label {missing}")),
                Ok(name) if !shown.insert(name.clone()) => {
                    return Some(format!("two series are shown as {name:?}"));
                }
                Ok(_) => {}
            }
        }
        None
    }

    /// The row of a series in a table. Every label has a column with a heading.
    fn columns(&self, series: &Series) -> std::result::Result<String, String> {
        let headings: Vec<_> = self
            .transformations
            .iter()
            .filter_map(|each| each.pointer("/options/renameByName")?.as_object())
            .flat_map(|names| names.keys().filter(|name| !name.starts_with("Value")))
            .collect();
        if let Some(missing) = headings
            .iter()
            .find(|name| !series.labels.contains_key(name.as_str()))
        {
            return Err((*missing).clone());
        }
        match series.labels.keys().find(|name| !headings.contains(name)) {
            Some(nameless) => Err(format!("… but {nameless} has no heading")),
            None => Ok(format!("{:?}", series.labels)),
        }
    }
}

impl Target {
    /// The legend of a series.
    fn legend(&self, series: &Series) -> std::result::Result<String, String> {
        let mut legend = String::new();
        for (index, part) in self.legend_format.split("{{").enumerate() {
            let (label, text) = match index {
                0 => ("", part),
                _ => part.split_once("}}").unwrap_or((part, "")),
            };
            if !label.is_empty() {
                let value = series.labels.get(label).ok_or_else(|| label.to_owned())?;
                legend.push_str(value);
            }
            legend.push_str(text);
        }
        Ok(legend)
    }
}
