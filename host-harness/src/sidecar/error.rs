//! The error of a start.

use std::collections::BTreeSet;

use crate::attributes::PROXY_ATTRIBUTES;
use crate::failure::FilterFailure;
use crate::log::LogLine;
use crate::module::LoadError;

/// The reason why an Envoy does not start, or its listener is not updated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The module cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A chain has the name of a cluster that does not exist.
    #[error(
        "filter chain {chain:?}: there is no cluster {cluster:?}, but {known:?}: add it with `other_cluster`"
    )]
    NoCluster {
        /// The name of the chain.
        chain: String,
        /// The name of the cluster.
        cluster: String,
        /// The names of the clusters that exist.
        known: Vec<String>,
    },
    /// An update names a wasm filter by a position at which there is none.
    #[error("there is no wasm filter {position}: the sidecar has {count}, counted from 0")]
    NoFilter {
        /// The position.
        position: usize,
        /// The number of wasm filters in all chains.
        count: usize,
    },
    /// `proxy_on_vm_start` or `proxy_on_configure` returned false, or trapped.
    #[error("{}{}", refusal(failure.as_deref(), logs), missing(missing_properties))]
    Refused {
        /// The log lines up to then.
        logs: Vec<LogLine>,
        /// The properties that the filter requested and that do not exist.
        missing_properties: BTreeSet<String>,
        /// The failure of the filter, if it did not return false.
        failure: Option<Box<FilterFailure>>,
    },
}

impl StartError {
    /// Returns the failure of the filter's VM, if that is the reason.
    pub fn failure(&self) -> Option<&FilterFailure> {
        match self {
            Self::Refused { failure, .. } => failure.as_deref(),
            Self::Load(LoadError::Trapped(failure)) => Some(failure),
            Self::Load(_) | Self::NoCluster { .. } | Self::NoFilter { .. } => None,
        }
    }

    /// Returns whether the filter is the reason: it trapped, or returned false. Any other filter
    /// might start.
    pub fn is_of_filter(&self) -> bool {
        matches!(self, Self::Refused { .. }) || self.failure().is_some()
    }
}

fn refusal(failure: Option<&FilterFailure>, logs: &[LogLine]) -> String {
    failure.map_or_else(
        || {
            format!(
                "the filter refuses its configuration; it logged:{}",
                lines(logs)
            )
        },
        ToString::to_string,
    )
}

fn lines(logs: &[LogLine]) -> String {
    if logs.is_empty() {
        return " nothing".into();
    }
    logs.iter().map(|line| format!("\n  {line}")).collect()
}

/// The missing properties. The cause may be only that they are attribute roots of older Envoys.
fn missing(properties: &BTreeSet<String>) -> String {
    if properties.is_empty() {
        return String::new();
    }
    let names: Vec<_> = properties.iter().map(String::as_str).collect();
    let hint = match names.iter().any(|path| is_legacy(path)) {
        true => "; Envoys before 1.33 had such roots: Profile::Legacy, or a node that says more",
        false => "",
    };
    format!(
        "\nit asked for properties that are not there: {}{hint}",
        names.join(", ")
    )
}

fn is_legacy(path: &str) -> bool {
    let root = path.split('.').next().unwrap_or(path);
    PROXY_ATTRIBUTES.contains(&root)
}
