//! The login that a user chooses.

use crate::error::Result;
use crate::registry::credential::Credential;
use crate::registry::docker;

/// The login for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// No login.
    Anonymous,
    /// The login of `docker login`, if there is one: `$DOCKER_CONFIG/config.json` and its
    /// credential helpers.
    Docker,
    /// A user name and a password.
    Password {
        /// The user name.
        username: String,
        /// The password or token.
        password: String,
    },
}

impl Login {
    /// The credential for a registry, and a warning.
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
