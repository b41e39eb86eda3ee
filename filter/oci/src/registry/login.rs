//! Who asks a registry.

use crate::error::Result;
use crate::registry::credential::Credential;
use crate::registry::docker;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Nobody in particular.
    Anonymous,
    /// Whoever `docker login` logged in, if anyone: `$DOCKER_CONFIG/config.json` and its credential helpers.
    Docker,
    /// Someone with a password.
    Password {
        /// The name.
        username: String,
        /// The password or token.
        password: String,
    },
}

impl Login {
    /// The credential for a registry, and what to warn of.
    pub(super) fn credential(self, registry: &str) -> Result<(Credential, Option<String>)> {
        match self {
            Self::Anonymous => Ok((Credential::None, None)),
            Self::Password { username, password } => {
                Ok((Credential::Password { username, password }, None))
            }
            Self::Docker => docker::credential(registry),
        }
    }
}
