//! Reading scenario files.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::{Scenario, SidecarSpec};

/// The highest number of orders in which a scenario is played: see [`Scenario::in_each_order`].
const MOST_ORDERS: usize = 1024;

/// The reason why a file is not a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not YAML, or has an unknown or missing key.
    #[error("not a scenario: {0}")]
    Malformed(String),
    /// The steps `at_once` have more orders than are explored.
    #[error(
        "scenario {0:?} has more orders of its `at_once` steps than {MOST_ORDERS}: use fewer such steps, or fewer actions in them"
    )]
    TooManyOrders(String),
    /// The scenario has no sidecar.
    #[error("scenario {0:?} has neither `outbound` nor `inbound`: add one of them")]
    NoSidecar(String),
}

impl Scenario {
    /// Reads a scenario file. If it names a `base`, a file in the same folder, it is merged into
    /// that one: maps are merged, all other values are replaced.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        let mut document: Value = parse(&text)?;
        let base = document
            .as_object_mut()
            .and_then(|document| document.remove("base"));
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let scenario = match base {
            None => Self::parse(&text),
            Some(Value::String(base)) => {
                let base = folder.join(base);
                let mut merged: Value = parse(&read(&base)?)?;
                merge(&mut merged, document);
                Self::checked(serde_json::from_value(merged).map_err(malformed)?)
            }
            Some(other) => Err(malformed(format!(
                "base: expected a file name, found {other}"
            ))),
        };
        Ok(scenario?.in_folder(folder))
    }

    /// The scenario with the files of modules relative to this folder.
    fn in_folder(mut self, folder: &Path) -> Self {
        let sidecars = [&mut self.outbound, &mut self.inbound];
        let filters = sidecars.into_iter().flatten();
        for filter in filters.flat_map(SidecarSpec::wasm_filters_mut) {
            filter.module = filter.module.take().map(|file| folder.join(file));
        }
        self
    }

    /// Reads a scenario from YAML text.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn parse(yaml: &str) -> Result<Self, ScenarioError> {
        Self::checked(parse(yaml)?)
    }

    fn checked(self) -> Result<Self, ScenarioError> {
        if self.outbound.is_none() && self.inbound.is_none() {
            return Err(ScenarioError::NoSidecar(self.name));
        }
        let is_bounded = self.order_count().is_some_and(|count| count <= MOST_ORDERS);
        if !is_bounded {
            return Err(ScenarioError::TooManyOrders(self.name));
        }
        Ok(self)
    }
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path).map_err(|source| ScenarioError::Read {
        path: path.display().to_string(),
        source,
    })
}

fn parse<T: DeserializeOwned>(yaml: &str) -> Result<T, ScenarioError> {
    serde_saphyr::from_str(yaml).map_err(malformed)
}

fn malformed(why: impl ToString) -> ScenarioError {
    ScenarioError::Malformed(why.to_string())
}

/// Merges a document into another one.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
