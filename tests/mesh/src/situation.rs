//! What a mesh can be like, so that one test can be run in each.

use std::env;

use serde_json::{Value, json};

use crate::bootstrap::Hop;
use crate::error::{Error, Result};
use crate::exposition::Labels;
use crate::labels::{self, Reporter, owned};
use crate::workload::Workload;

/// The variable that [`Situation::from_env`] reads.
pub const VARIABLE: &str = "MESH_SITUATION";

/// What is between the sidecars of a mesh, and whether they exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Situation {
    /// No TLS.
    Plain,
    /// Mutual TLS, and the exchange at both ends.
    #[default]
    Exchange,
    /// Mutual TLS, and filters that only count (`peer_exchange.mode: off`).
    Telemetry,
}

/// What nobody but the peer itself can tell of a client.
const UNTOLD_CLIENT: [(&str, &str); 6] = [
    ("source_workload", "unknown"),
    ("source_canonical_service", "unknown"),
    ("source_canonical_revision", "latest"),
    ("source_app", "unknown"),
    ("source_version", "unknown"),
    ("source_cluster", "unknown"),
];

/// What the control plane does not tell of a server.
const UNTOLD_SERVER: [(&str, &str); 2] = [
    ("destination_app", "unknown"),
    ("destination_version", "unknown"),
];

/// What nobody proves without TLS.
const UNPROVEN: [(&str, &str); 2] = [
    ("source_principal", "unknown"),
    ("destination_principal", "unknown"),
];

impl Situation {
    /// All.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Exchange, Self::Telemetry];

    /// The one that `MESH_SITUATION` names, or [`Situation::Exchange`] if it is not set.
    ///
    /// # Errors
    /// It names none.
    pub fn from_env() -> Result<Self> {
        let Some(value) = env::var_os(VARIABLE) else {
            return Ok(Self::default());
        };
        let value = value.to_string_lossy().into_owned();
        let named = Self::ALL.into_iter().find(|one| one.name() == value);
        named.ok_or_else(|| Error::BadOverride {
            variable: VARIABLE,
            value,
            reason: format!("it is one of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }

    /// Its name in `MESH_SITUATION`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Exchange => "exchange",
            Self::Telemetry => "telemetry",
        }
    }

    /// What is between the sidecars.
    #[must_use]
    pub fn hop(self) -> Hop {
        match self {
            Self::Plain => Hop::Plaintext,
            Self::Exchange | Self::Telemetry => Hop::Mesh,
        }
    }

    /// A filter's configuration, made to fit.
    #[must_use]
    pub fn configuration(self, mut configuration: Value) -> Value {
        if let (Self::Telemetry, Some(members)) = (self, configuration.as_object_mut()) {
            members.insert("peer_exchange".to_owned(), json!({ "mode": "off" }));
        }
        configuration
    }

    /// The 23 labels that a reporter gives a connection which it could judge in full.
    #[must_use]
    pub fn labels(self, reporter: Reporter, client: &Workload, server: &Workload) -> Labels {
        let mut labels = labels::exchanged(reporter, client, server);
        if self == Self::Exchange {
            return labels;
        }
        labels.extend(match reporter {
            Reporter::Source => owned(UNTOLD_SERVER),
            Reporter::Destination => owned(UNTOLD_CLIENT),
        });
        if self == Self::Plain {
            labels.extend(owned(UNPROVEN));
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
