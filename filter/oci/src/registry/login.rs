//! Who asks a registry.

use oci_client::secrets::RegistryAuth;

use super::docker;
use crate::error::Result;

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

/// What someone shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// Nothing.
    None,
    /// A name and a password.
    Password { username: String, password: String },
    /// A token that a token service takes for a login.
    Identity(String),
    /// A token that the registry takes.
    Token(String),
}

impl Credential {
    /// What a registry is shown that wants a password.
    pub(super) fn basic(&self) -> RegistryAuth {
        match self {
            Self::Password { username, password } => {
                RegistryAuth::Basic(username.clone(), password.clone())
            }
            _ => RegistryAuth::Anonymous,
        }
    }

    /// Whose it is, for people.
    pub(super) fn owner(&self) -> &str {
        match self {
            Self::None => "anybody",
            Self::Password { username, .. } => username,
            Self::Identity(_) | Self::Token(_) => "the owner of the token from `docker login`",
        }
    }
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
