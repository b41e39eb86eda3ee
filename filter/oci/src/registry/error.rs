//! What a registry's answer means to whoever asked.

use std::error::Error as _;

use oci_client::errors::{OciDistributionError as Answer, OciErrorCode};
use oci_client::secrets::RegistryAuth;

use super::Registry;
use crate::error::Error;

impl Registry {
    pub(super) fn error(&self, name: &str, answer: Answer) -> Error {
        let registry = || self.reference.resolve_registry().to_owned();
        let name = name.to_owned();
        match answer {
            Answer::UnauthorizedError { .. } | Answer::AuthenticationFailure(_) => {
                self.unauthorised(name)
            }
            Answer::DigestError(error) => Error::Corrupted {
                what: name,
                reason: error.to_string(),
            },
            Answer::ImageManifestNotFoundError(_) | Answer::ServerError { code: 404, .. } => {
                Error::NotFound { name }
            }
            Answer::ServerError {
                code: 401 | 403, ..
            } => self.unauthorised(name),
            Answer::RegistryError { envelope, .. } => {
                let has = |codes: &[OciErrorCode]| {
                    envelope
                        .errors
                        .iter()
                        .any(|error| codes.contains(&error.code))
                };
                if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                    self.unauthorised(name)
                } else if has(&[
                    OciErrorCode::ManifestUnknown,
                    OciErrorCode::NameUnknown,
                    OciErrorCode::BlobUnknown,
                    OciErrorCode::NotFound,
                ]) {
                    Error::NotFound { name }
                } else {
                    Error::Registry {
                        name,
                        reason: envelope.to_string(),
                    }
                }
            }
            Answer::RequestError(error) => {
                // The reason is at the end of the chain.
                let mut reason = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    reason = cause.to_string();
                    source = cause.source();
                }
                Error::Unreachable {
                    registry: registry(),
                    reason,
                }
            }
            other => Error::Registry {
                name,
                reason: other.to_string(),
            },
        }
    }

    fn unauthorised(&self, name: String) -> Error {
        Error::Unauthorised {
            registry: self.reference.resolve_registry().to_owned(),
            who: match &self.auth {
                RegistryAuth::Basic(username, _) => username.clone(),
                _ => "anybody".into(),
            },
            name,
        }
    }
}
