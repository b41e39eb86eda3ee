//! Requests to admin interfaces and other local servers.

use std::time::Duration;

use crate::error::{Error, Result};

/// The time limit of a request. An Envoy whose main thread is stuck accepts it and never answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Gets a URL as text.
///
/// # Errors
/// There is no response, or its status is an error.
pub fn http_get(url: &str) -> Result<String> {
    http_query(url, &[])
}

/// Gets a URL with query parameters as text.
///
/// # Errors
/// There is no response, or its status is an error.
pub fn http_query(url: &str, parameters: &[(&str, &str)]) -> Result<String> {
    http_query_within(ANSWER_LIMIT, url, parameters)
}

pub(crate) fn http_query_within(
    limit: Duration,
    url: &str,
    parameters: &[(&str, &str)],
) -> Result<String> {
    let failed = |error: ureq::Error| Error::Http {
        url: url.to_owned(),
        reason: error.to_string(),
    };
    let mut response = ureq::get(url)
        .config()
        .timeout_global(Some(limit))
        .build()
        .query_pairs(parameters.iter().copied())
        .call()
        .map_err(failed)?;
    response
        .body_mut()
        .with_config()
        .limit(u64::MAX)
        .read_to_string()
        .map_err(failed)
}
