//! The error of a chaos test.

use crate::scenario::Failure;
use crate::sidecar::StartError;

use super::invariants::Violation;

/// The reason why a scenario cannot be tested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChaosError {
    /// The filter does not start without a fault.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step cannot be played.
    #[error(transparent)]
    Play(#[from] Failure),
    /// An invariant does not hold without a fault.
    #[error("undisturbed: {0}")]
    Undisturbed(Violation),
}
