//! Who asks a registry.

use std::env;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use crate::error::{Error, Result};

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
    pub(super) fn auth(self, registry: &str) -> Result<RegistryAuth> {
        let credential = match self {
            Self::Anonymous => return Ok(RegistryAuth::Anonymous),
            Self::Password { username, password } => {
                return Ok(RegistryAuth::Basic(username, password));
            }
            Self::Docker if docker_config().is_none() => return Ok(RegistryAuth::Anonymous),
            Self::Docker => docker_credential::get_credential(registry),
        };
        let unusable = |reason: String| {
            Err(Error::DockerConfig {
                registry: registry.to_owned(),
                reason,
            })
        };
        match credential {
            Ok(DockerCredential::UsernamePassword(username, password)) => {
                Ok(RegistryAuth::Basic(username, password))
            }
            Ok(DockerCredential::IdentityToken(_)) => {
                unusable("they are an identity token. Use --username and --password-stdin".into())
            }
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
            Err(error) => unusable(error.to_string()),
        }
    }
}

/// The file that `docker login` writes, if there is one.
fn docker_config() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".docker"));
    let dir = env::var_os("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(home)?;
    Some(dir.join("config.json")).filter(|file| file.is_file())
}
