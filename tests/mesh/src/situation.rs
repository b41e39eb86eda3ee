//! The situations of a mesh in which the same test can run.

use std::env;

use serde_json::{Value, json};

use crate::bootstrap::Hop;
use crate::error::{Error, Result};
use crate::exposition::Labels;
use crate::labels::{self, Reporter, owned};
use crate::workload::Workload;

/// The variable that [`Situation::from_env`] reads.
pub const VARIABLE: &str = "MESH_SITUATION";

/// The connection between the sidecars of a mesh, and whether they exchange metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Situation {
    /// No TLS.
    Plain,
    /// Mutual TLS, and the exchange at both ends.
    #[default]
    Exchange,
    /// Mutual TLS, and filters without the exchange (`peer_exchange.mode: off`).
    Telemetry,
}

/// The labels of a client that come only from the exchange, with their values without it.
const CLIENT_LABELS_WITHOUT_EXCHANGE: [(&str, &str); 6] = [
    ("source_workload", "unknown"),
    ("source_canonical_service", "unknown"),
    ("source_canonical_revision", "latest"),
    ("source_app", "unknown"),
    ("source_version", "unknown"),
    ("source_cluster", "unknown"),
];

/// The labels of a server that are not in the endpoint metadata, with their values without the
/// exchange.
const SERVER_LABELS_WITHOUT_EXCHANGE: [(&str, &str); 2] = [
    ("destination_app", "unknown"),
    ("destination_version", "unknown"),
];

/// The labels that come from certificates, with their values without TLS.
const LABELS_WITHOUT_TLS: [(&str, &str); 2] = [
    ("source_principal", "unknown"),
    ("destination_principal", "unknown"),
];

impl Situation {
    /// All situations.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Exchange, Self::Telemetry];

    /// Returns the situation that `MESH_SITUATION` names, or [`Situation::Exchange`] if it is not
    /// set.
    ///
    /// # Errors
    /// The value is not the name of a situation.
    pub fn from_env() -> Result<Self> {
        let Some(value) = env::var_os(VARIABLE) else {
            return Ok(Self::default());
        };
        let value = value.to_string_lossy().into_owned();
        let named = Self::ALL.into_iter().find(|one| one.name() == value);
        named.ok_or_else(|| Error::BadOverride {
            variable: VARIABLE,
            value,
            reason: format!("valid values: {}", Self::ALL.map(Self::name).join(", ")),
        })
    }

    /// The value of `MESH_SITUATION` for this situation.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Exchange => "exchange",
            Self::Telemetry => "telemetry",
        }
    }

    /// The connection between the sidecars.
    #[must_use]
    pub fn hop(self) -> Hop {
        match self {
            Self::Plain => Hop::Plaintext,
            Self::Exchange | Self::Telemetry => Hop::Mesh,
        }
    }

    /// Returns the configuration of a filter with the changes for this situation.
    #[must_use]
    pub fn configuration(self, mut configuration: Value) -> Value {
        if let (Self::Telemetry, Some(members)) = (self, configuration.as_object_mut()) {
            members.insert("peer_exchange".to_owned(), json!({ "mode": "off" }));
        }
        configuration
    }

    /// The 23 labels of a connection that completed the exchange, if the situation has one.
    #[must_use]
    pub fn labels(self, reporter: Reporter, client: &Workload, server: &Workload) -> Labels {
        let mut labels = labels::exchanged(reporter, client, server);
        if self == Self::Exchange {
            return labels;
        }
        labels.extend(without_exchange(reporter));
        if self == Self::Plain {
            labels.extend(owned(LABELS_WITHOUT_TLS));
            if reporter == Reporter::Destination {
                labels.extend(owned([
                    ("source_workload_namespace", "unknown"),
                    ("connection_security_policy", "none"),
                ]));
            }
        }
        labels
    }
}

/// The labels that are different without the exchange.
#[must_use]
pub fn without_exchange(reporter: Reporter) -> Labels {
    match reporter {
        Reporter::Source => owned(SERVER_LABELS_WITHOUT_EXCHANGE),
        Reporter::Destination => owned(CLIENT_LABELS_WITHOUT_EXCHANGE),
    }
}
