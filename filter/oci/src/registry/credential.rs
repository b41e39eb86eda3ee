//! The credential that is sent to a registry or its token service.

use oci_client::secrets::RegistryAuth;

use crate::error::Error;

/// A credential for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// No credential.
    None,
    /// A name and a password.
    Password { username: String, password: String },
    /// An identity token, which a token service exchanges for a bearer token.
    Identity(String),
    /// A bearer token for the registry itself.
    Token(String),
}

impl Credential {
    /// The authorization for a registry with the `Basic` scheme.
    pub(super) fn basic(&self) -> RegistryAuth {
        match self {
            Self::Password { username, password } => {
                RegistryAuth::Basic(username.clone(), password.clone())
            }
            _ => RegistryAuth::Anonymous,
        }
    }

    /// The error of a registry that rejects this credential; `name` is the image's.
    pub(super) fn rejected(&self, registry: &str, name: &str) -> Error {
        Error::Unauthorised {
            registry: registry.to_owned(),
            who: match self {
                Self::None => "an anonymous user",
                Self::Password { username, .. } => username,
                Self::Identity(_) | Self::Token(_) => "the owner of the token from `docker login`",
            }
            .to_owned(),
            name: name.to_owned(),
        }
    }
}
