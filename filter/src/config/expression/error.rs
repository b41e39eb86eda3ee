//! Why an expression is rejected.

use std::fmt;

use crate::host::Status;

/// Why an expression is rejected.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ExpressionError {
    /// A string in it does not end.
    OpenString,
    /// A name in it that no attribute has.
    UnknownName {
        /// The name.
        name: String,
        /// The closest name that does exist.
        nearest: &'static str,
    },
    /// A field of a peer that peers do not have.
    UnknownPeerField {
        /// The field.
        name: String,
        /// The closest field that does exist.
        nearest: &'static str,
    },
    /// The host does not compile it.
    Refused(Status),
    /// The host has no CEL.
    NoCel,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenString => write!(f, "has a string that does not end"),
            Self::UnknownName { name, nearest } => write!(
                f,
                "has the name {name:?}, which does not exist; did you mean {nearest:?}? (For another \
                 filter's property write filter_state['{name}'])"
            ),
            Self::UnknownPeerField { name, nearest } => write!(
                f,
                "has the peer field {name:?}, which does not exist; did you mean {nearest:?}?"
            ),
            Self::Refused(status) => write!(
                f,
                "does not compile: {status}; the host's log has the details"
            ),
            Self::NoCel => write!(f, "cannot be used: this host has no CEL"),
        }
    }
}
