//! The error of a start.

use envoy_process::Error;
use host_harness::scenario::StageError;

use crate::failures;

/// The reason why a scenario's Envoys do not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Envoy refuses the filter: it trapped or hangs in its start, or rejects its configuration.
    #[error("{0}")]
    Filter(String),
    /// Any other reason.
    #[error(transparent)]
    Other(#[from] StageError),
}

/// Envoy's words for a plugin that does not start.
const REFUSED: &str = "Unable to create Wasm plugin";

impl StartError {
    /// Tells whether the filter is the reason that an Envoy does not start, by its log.
    pub(crate) fn of(error: Error) -> Self {
        let text = error.to_string();
        if let Some(failure) = failures::in_log(&text).first() {
            return Self::Filter(failure.to_string());
        }
        match error {
            Error::ProcessEnded { .. } if text.contains(REFUSED) => Self::Filter(text),
            Error::TimedOut { .. } | Error::Http { .. } => Self::Filter(format!(
                "a callback of the root context hangs, so that Envoy does not respond: {text}"
            )),
            other => Self::Other(StageError::new(other)),
        }
    }
}
