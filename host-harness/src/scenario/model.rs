//! What a scenario file holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::expect::Expectation;
use super::{Bytes, Side};
use crate::host::Fault;
use crate::sidecar::Profile;

/// A scenario: one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a few words.
    pub name: String,
    /// Why it matters, or where the rule stands.
    #[serde(default)]
    pub about: String,
    /// The configuration of both filters, unless a sidecar has its own.
    #[serde(default)]
    pub configuration: Value,
    /// The client's sidecar.
    #[serde(default)]
    pub outbound: Option<SidecarSpec>,
    /// The server's sidecar.
    #[serde(default)]
    pub inbound: Option<SidecarSpec>,
    /// Mutual TLS between the two, or between the only one and whoever is there.
    #[serde(default)]
    pub mtls: Option<Mtls>,
    /// Tags to take out of stat names, as `stats_tags` in Envoy's bootstrap.
    #[serde(default)]
    pub labels: BTreeSet<String>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One sidecar.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarSpec {
    /// Who it is.
    #[serde(default)]
    pub node: NodeSpec,
    /// The filter's configuration, when it is not the scenario's.
    #[serde(default)]
    pub configuration: Option<Value>,
    /// Whether it has the filter at all.
    #[serde(default = "yes")]
    pub filter: bool,
    /// The plugin's root id: a module with several filters in it chooses by it.
    #[serde(default)]
    pub root_id: String,
    /// Which generation of Envoy names the attributes.
    #[serde(default)]
    pub profile: Profile,
    /// Filter state that each connection starts with, as a filter in front leaves it: strings, or objects for a Struct. Only
    /// the harness can do that.
    #[serde(default)]
    pub filter_state: BTreeMap<String, Value>,
    /// Filter state of each connection to the upstream, likewise.
    #[serde(default)]
    pub upstream_filter_state: BTreeMap<String, Value>,
    /// Host calls of the filter that go wrong. Only the harness can do that.
    #[serde(default)]
    pub fault: Option<Fault>,
    /// The cluster that it routes to.
    #[serde(default)]
    pub cluster: Target,
    /// The cluster's one host.
    #[serde(default)]
    pub host: Target,
}

/// The bootstrap's `node`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSpec {
    /// `node.id`
    #[serde(default)]
    pub id: String,
    /// `node.metadata`
    #[serde(default)]
    pub metadata: Value,
}

/// A cluster or a host: its name or address, and its metadata.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The cluster's name; a host has none.
    #[serde(default)]
    pub name: Option<String>,
    /// Metadata by filter.
    #[serde(default)]
    pub metadata: Value,
}

/// The URI SANs of both ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mtls {
    /// The client's.
    pub client: String,
    /// The server's.
    pub server: String,
}

/// One thing that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The client application connects.
    Connect(Connect),
    /// The client application does something.
    Client(Act),
    /// The server application does something.
    Server(Act),
    /// Time passes.
    #[serde(deserialize_with = "duration")]
    Advance(Duration),
    /// Something is so, now or, on a host in real time, soon.
    Expect(Box<Expectation>),
}

/// A connection that is opened.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// The connection's name in later steps; one has to have none.
    #[serde(default)]
    pub connection: String,
    /// What the server says before anybody else.
    #[serde(default)]
    pub greeting: Option<Bytes>,
    /// Cuts every later write into pieces of this many bytes.
    #[serde(default)]
    pub chunks: Option<usize>,
}

/// What an application does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// On which connection.
    #[serde(default)]
    pub connection: String,
    /// Writes these bytes.
    #[serde(default)]
    pub write: Option<Bytes>,
    /// Then ends its direction.
    #[serde(default)]
    pub end: bool,
    /// Or resets the connection.
    #[serde(default)]
    pub reset: bool,
}

/// One thing that an application can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Ends its direction.
    End,
    /// Resets the connection.
    Reset,
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a scenario is.
    #[error("not a scenario: {0}")]
    Malformed(String),
    /// It has no sidecar.
    #[error("scenario {0:?} has neither `outbound` nor `inbound`: add one of them")]
    NoSidecar(String),
}

impl Scenario {
    /// Reads a scenario file. If it names a `base`, a file beside it, it is laid over that one: maps
    /// are merged, everything else is replaced.
    ///
    /// # Errors
    /// See [`ScenarioError`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        let mut document: Value = parse(&text)?;
        let base = document
            .as_object_mut()
            .and_then(|document| document.remove("base"));
        match base {
            None => Self::parse(&text),
            Some(Value::String(base)) => {
                let base = path.parent().unwrap_or_else(|| Path::new("")).join(base);
                let mut merged: Value = parse(&read(&base)?)?;
                lay_over(&mut merged, document);
                Self::checked(serde_json::from_value(merged).map_err(malformed)?)
            }
            Some(other) => Err(malformed(format!(
                "base: expected a file name, found {other}"
            ))),
        }
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
        Ok(self)
    }

    /// The same with host calls of a side's filter going wrong; there is none where there is no such sidecar.
    #[must_use]
    pub fn disturbed(&self, side: Side, fault: Fault) -> Self {
        let mut disturbed = self.clone();
        let sidecar = match side {
            Side::Outbound => &mut disturbed.outbound,
            Side::Inbound => &mut disturbed.inbound,
        };
        if let Some(sidecar) = sidecar {
            sidecar.fault = Some(fault);
        }
        disturbed
    }

    /// A side's sidecar, if there is one.
    pub fn sidecar(&self, side: Side) -> Option<&SidecarSpec> {
        match side {
            Side::Outbound => self.outbound.as_ref(),
            Side::Inbound => self.inbound.as_ref(),
        }
    }

    /// The configuration of a side's filter, as the text that the host delivers: nothing for null.
    pub fn configuration(&self, side: Side) -> Vec<u8> {
        let own = self
            .sidecar(side)
            .and_then(|sidecar| sidecar.configuration.as_ref());
        match own.unwrap_or(&self.configuration) {
            Value::Null => Vec::new(),
            Value::String(text) => text.clone().into_bytes(),
            document => document.to_string().into_bytes(),
        }
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

fn lay_over(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                lay_over(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

fn yes() -> bool {
    true
}

/// `15s`, `500ms`, `2m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let millis = match (digits.parse::<u64>(), unit) {
        (Ok(number), "ms") => Some(number),
        (Ok(number), "s") => number.checked_mul(1_000),
        (Ok(number), "m") => number.checked_mul(60_000),
        _ => None,
    };
    let wrong =
        || serde::de::Error::custom(format!("{text:?} is no duration: write 500ms, 15s or 2m"));
    millis.map(Duration::from_millis).ok_or_else(wrong)
}
