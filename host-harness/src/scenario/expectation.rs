//! Expectations: conditions for received bytes, metrics and logs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::bytes::Bytes;

/// Conditions at a point of a scenario. A condition that is not given is not checked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expectation {
    /// The connection of `client` and `server`.
    #[serde(default)]
    pub connection: String,
    /// Conditions for the client application.
    #[serde(default)]
    pub client: Option<Arrival>,
    /// Conditions for the server application.
    #[serde(default)]
    pub server: Option<Arrival>,
    /// Conditions for the client's sidecar.
    #[serde(default)]
    pub outbound: Option<Report>,
    /// Conditions for the server's sidecar.
    #[serde(default)]
    pub inbound: Option<Report>,
    /// Further conditions, of which at least one must be met: for effects that differ with the order
    /// in which the proxies see the bytes.
    #[serde(default)]
    pub one_of: Vec<Self>,
    /// A filter has failed: a text that the description of the failure contains, such as
    /// `proxy_on_downstream_data trapped`, `hangs` or `the inbound sidecar`. Without it, a scenario
    /// in which a filter fails has failed. As the only step, it expects a filter that does not
    /// start.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Conditions for an application at one end of a connection.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Arrival {
    /// All bytes that it has received.
    #[serde(default)]
    pub received: Option<Bytes>,
    /// The number of bytes that it has received.
    #[serde(default)]
    pub bytes: Option<usize>,
    /// Whether the other end has ended its half, or the connection.
    #[serde(default)]
    pub ended: Option<bool>,
}

/// Conditions for a sidecar.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// Metrics and their values.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Texts that log lines contain.
    #[serde(default)]
    pub log: Vec<String>,
}

/// A metric, summed over all series with at least these labels.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Metric {
    /// The Prometheus name.
    pub name: String,
    /// The labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The sum.
    pub value: u64,
    /// The number of series in the sum.
    #[serde(default)]
    pub series: Option<usize>,
}
