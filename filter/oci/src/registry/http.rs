//! HTTP clients, and responses that are read up to a limit.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Response};

use crate::error::{Error, Result};

pub(super) const USER_AGENT: &str = concat!("cargo-oci/", env!("CARGO_PKG_VERSION"));
/// The timeout of a connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout between two reads of a response.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The maximum size of the body of an error response, in bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// A client for a registry or its token service. With `https_only` it follows no redirect to plain
/// HTTP.
pub(super) fn client(registry: &str, https_only: bool) -> Result<Client> {
    let builder = Client::builder()
        .https_only(https_only)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT);
    builder
        .build()
        .map_err(|error| unreachable(registry, &error))
}

/// Reads the body of a response, or returns `None` if it is longer than the limit in bytes.
pub(super) async fn read(
    mut answer: Response,
    limit: u64,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// The error of a request without a response.
pub(super) fn unreachable(server: &str, error: &reqwest::Error) -> Error {
    // The last error of the chain has the reason.
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = cause.to_string();
        source = cause.source();
    }
    Error::Unreachable {
        registry: server.to_owned(),
        reason,
    }
}

/// The reason in an error response, for a message.
pub(super) async fn refusal(answer: Response) -> String {
    let status = answer.status();
    let text = read(answer, MAX_REFUSAL).await.ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    match text.trim() {
        "" => format!("the response is {status}"),
        text => format!("the response is {status}: {text}"),
    }
}
