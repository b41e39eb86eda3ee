//! HTTP clients, and responses that are read up to a limit.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Response};

use crate::error::{Error, Result};

pub(super) const USER_AGENT: &str = concat!("cargo-oci/", env!("CARGO_PKG_VERSION"));
/// How long connecting may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long nothing may arrive of an answer.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read of a refusal at most, in bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// A client for a registry, or for its token service. With `https_only` it follows no redirect to plain HTTP.
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

/// Reads an answer; nothing if it is longer than the limit in bytes.
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

/// The error of a server that does not answer.
pub(super) fn unreachable(server: &str, error: &reqwest::Error) -> Error {
    // The reason is at the end of the chain.
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

/// What a server says of what it refuses.
pub(super) async fn refusal(answer: Response) -> String {
    let status = answer.status();
    let text = read(answer, MAX_REFUSAL).await.ok().flatten();
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    match text.trim() {
        "" => format!("the answer is {status}"),
        text => format!("the answer is {status}: {text}"),
    }
}
