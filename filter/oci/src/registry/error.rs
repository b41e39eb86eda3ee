//! What a registry's answer to an upload means to whoever asked.

use oci_client::errors::{OciDistributionError as Answer, OciErrorCode};

use crate::error::Error;
use crate::registry::{Registry, http};

impl Registry {
    pub(super) fn error(&self, name: &str, answer: Answer) -> Error {
        let has = |codes: &[OciErrorCode]| match &answer {
            Answer::RegistryError { envelope, .. } => {
                let mut errors = envelope.errors.iter();
                errors.any(|error| codes.contains(&error.code))
            }
            _ => false,
        };
        if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
            return self.unauthorised(name);
        }
        match answer {
            Answer::UnauthorizedError { .. }
            | Answer::AuthenticationFailure(_)
            | Answer::ServerError {
                code: 401 | 403, ..
            } => self.unauthorised(name),
            Answer::RequestError(error) => http::unreachable(self.host(), &error),
            Answer::RegistryError { envelope, .. } => Error::Registry {
                name: name.to_owned(),
                reason: envelope.to_string(),
            },
            other => Error::Registry {
                name: name.to_owned(),
                reason: other.to_string(),
            },
        }
    }

    pub(super) fn unauthorised(&self, name: &str) -> Error {
        Error::Unauthorised {
            registry: self.host().to_owned(),
            who: self.credential.owner().to_owned(),
            name: name.to_owned(),
        }
    }
}
