//! The errors of uploads.

use oci_client::errors::{OciDistributionError, OciErrorCode};

use crate::error::Error;
use crate::registry::http;
use crate::registry::session::Session;

/// The error of an upload of the image `name`.
pub(super) fn upload(session: &Session, name: &str, error: OciDistributionError) -> Error {
    let other = |reason: String| Error::Registry {
        name: name.to_owned(),
        reason,
    };
    match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_)
        | OciDistributionError::ServerError {
            code: 401 | 403, ..
        } => session.rejected(name),
        OciDistributionError::RequestError(error) => http::unreachable(session.host(), &error),
        OciDistributionError::RegistryError { envelope, .. } => {
            let is_rejected = envelope.errors.iter().any(|error| {
                matches!(
                    error.code,
                    OciErrorCode::Unauthorized | OciErrorCode::Denied
                )
            });
            match is_rejected {
                true => session.rejected(name),
                false => other(envelope.to_string()),
            }
        }
        error => other(error.to_string()),
    }
}
