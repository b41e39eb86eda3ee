//! Reading scenario files.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::Scenario;
use super::names::{UnknownName, UnusedKey};

/// The highest number of orders in which a scenario is played: see [`Scenario::in_each_order`].
const MOST_ORDERS: usize = 1024;

/// The name of the text in the messages of the YAML reader.
const SOURCE: &str = "<input>";

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
    /// Real Envoys can produce orders of a step `at_once` that are not explored.
    #[error(
        "scenario {scenario:?}: `steps[{step}].at_once` has {why}, whose orders are not explored: use one connection and, behind `connect`, one action of each application"
    )]
    UnexploredOrders {
        /// The scenario's name.
        scenario: String,
        /// The position of the step, from 0.
        step: usize,
        /// What the step has.
        why: &'static str,
    },
    /// The scenario has no sidecar.
    #[error("scenario {0:?} has neither `outbound` nor `inbound`: add one of them")]
    NoSidecar(String),
    /// A key refers to something that the scenario does not have.
    #[error("scenario {scenario:?}: {unknown}")]
    UnknownName {
        /// The scenario's name.
        scenario: String,
        /// The key and its value.
        unknown: UnknownName,
    },
    /// A key has no effect where it is.
    #[error("scenario {scenario:?}: {unused}")]
    UnusedKey {
        /// The scenario's name.
        scenario: String,
        /// The key and the reason.
        unused: UnusedKey,
    },
    /// The scenario has no name, or no step.
    #[error("not a scenario: it has no key `{0}`")]
    Lacks(&'static str),
    /// The scenario has a `base`, but no folder.
    #[error("only a file has a folder for its `base`: read it with `Scenario::read`")]
    NoFolder,
}

impl Scenario {
    /// Reads a scenario file. If it names a `base`, a file in the same folder, it is merged into
    /// that one: maps are merged, all other values are replaced.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let file = File::read(path.to_owned())?;
        let mut document: Value = file.parse()?;
        let base = document
            .as_object_mut()
            .and_then(|document| document.remove("base"));
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let scenario = match base {
            None => file.parse::<Self>()?.checked(&document),
            Some(Value::String(name)) => {
                let base = File::read(folder.join(name))?;
                let mut merged: Value = base.parse()?;
                merge(&mut merged, document);
                match Self::deserialize(&merged) {
                    Ok(scenario) => scenario.checked(&merged),
                    Err(error) => Err(locate(&[&file, &base], error)),
                }
            }
            Some(other) => Err(malformed(format!(
                "base: expected a file name, found {other}"
            ))),
        };
        Ok(scenario?.in_folder(folder))
    }

    /// The scenario with the files of modules relative to this folder.
    fn in_folder(mut self, folder: &Path) -> Self {
        for filter in self.wasm_filters_mut() {
            filter.module = filter.module.take().map(|file| folder.join(file));
        }
        self
    }

    /// Reads a scenario from YAML text.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn parse(yaml: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_saphyr::from_str(yaml).map_err(malformed)?;
        match scenario.base {
            None => scenario.checked(&serde_saphyr::from_str(yaml).map_err(malformed)?),
            Some(_) => Err(ScenarioError::NoFolder),
        }
    }

    /// Checks what no single key tells. The keys `name` and `steps` are optional in a file with a
    /// base only.
    fn checked(self, document: &Value) -> Result<Self, ScenarioError> {
        let needed = ["name", "steps"].into_iter();
        let mut missing = needed.filter(|key| document.get(key).is_none());
        if let Some(key) = missing.next() {
            return Err(ScenarioError::Lacks(key));
        }
        if self.outbound.is_none() && self.inbound.is_none() {
            return Err(ScenarioError::NoSidecar(self.name));
        }
        let is_bounded = self.order_count().is_some_and(|count| count <= MOST_ORDERS);
        if !is_bounded {
            return Err(ScenarioError::TooManyOrders(self.name));
        }
        if let Err(unknown) = self.check_names() {
            let scenario = self.name;
            return Err(ScenarioError::UnknownName { scenario, unknown });
        }
        if let Err(unused) = self.check_unused() {
            let scenario = self.name;
            return Err(ScenarioError::UnusedKey { scenario, unused });
        }
        if let Some((step, why)) = self.unexplored() {
            let scenario = self.name;
            return Err(ScenarioError::UnexploredOrders {
                scenario,
                step,
                why,
            });
        }
        Ok(self)
    }
}

/// A file and its text.
struct File {
    path: PathBuf,
    text: String,
}

impl File {
    fn read(path: PathBuf) -> Result<Self, ScenarioError> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(ScenarioError::Read {
                path: path.display().to_string(),
                source,
            }),
        }
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, ScenarioError> {
        serde_saphyr::from_str(&self.text).map_err(|error| {
            let message = error.to_string();
            malformed(message.replace(SOURCE, &self.path.display().to_string()))
        })
    }
}

/// The error in a merged document, which has no lines: that of one of its files, if it has it alone.
fn locate(files: &[&File], error: serde_json::Error) -> ScenarioError {
    let mut parsed = files.iter().map(|file| file.parse::<Scenario>());
    let located = parsed.find_map(Result::err);
    located.unwrap_or_else(|| malformed(error))
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
