//! Why a configuration is rejected.

use std::fmt;

use super::duration::DurationError;
use super::expression::error::ExpressionError;

/// Why a configuration is rejected.
///
/// `path` is the place of the key in the document, like `peer_exchange.clusters[2]`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON.
    NotJson {
        /// The parser's message, with line and column.
        reason: String,
    },
    /// The bytes are no text. Envoy passes a `google.protobuf.Struct` as protobuf and not, as its
    /// documentation says, as JSON (`MessageUtil::anyToBytes`).
    NotText,
    /// A key that does not exist.
    UnknownKey {
        /// The key's place.
        path: String,
        /// The closest key that exists there.
        nearest: &'static str,
        /// Every key that exists there.
        allowed: &'static [&'static str],
    },
    /// A key or a name that is given twice; snake_case and camelCase are one key.
    Repeated {
        /// The place of one of them.
        path: String,
    },
    /// A required key is missing.
    MissingKey {
        /// The key's place.
        path: String,
    },
    /// A value of the wrong JSON type.
    WrongType {
        /// The key's place.
        path: String,
        /// The expected type.
        expected: &'static str,
        /// The type of the value and, if it is short, the value.
        found: String,
    },
    /// A number that is too small or too large.
    OutOfRange {
        /// The key's place.
        path: String,
        /// The value.
        found: u64,
        /// The least and the greatest allowed number.
        allowed: (u64, u64),
    },
    /// A text that is none of the allowed values.
    UnknownValue {
        /// The key's place.
        path: String,
        /// The value.
        found: String,
        /// The closest allowed value.
        nearest: String,
        /// The allowed values.
        allowed: Vec<String>,
    },
    /// A text that is no name of a metric or label.
    Name {
        /// The key's place.
        path: String,
        /// The value.
        found: String,
    },
    /// A separator that labels or values may contain.
    Separator {
        /// The key's place.
        path: String,
        /// The value.
        found: String,
    },
    /// A text that is no duration.
    Duration {
        /// The key's place.
        path: String,
        /// The value.
        found: String,
        /// The reason.
        reason: DurationError,
    },
    /// `additional_labels` make this workload's frame longer than peers accept.
    FrameTooLong {
        /// The length of the frame's payload, in bytes.
        found: usize,
        /// The greatest accepted length.
        accepted: usize,
    },
    /// An expression that cannot be evaluated.
    Expression {
        /// The key's place.
        path: String,
        /// The value.
        found: String,
        /// The reason.
        reason: ExpressionError,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { reason } => write!(f, "the configuration is not JSON: {reason}"),
            Self::NotText => f.write_str(
                "the configuration is binary: Envoy hands a google.protobuf.Struct over as protobuf; \
                 write the JSON into a google.protobuf.StringValue",
            ),
            Self::UnknownKey {
                path,
                nearest,
                allowed,
            } => write!(
                f,
                "{path}: no such key; did you mean {nearest:?}? Allowed here: {}",
                allowed.join(", ")
            ),
            Self::Repeated { path } => write!(f, "{path}: given twice"),
            Self::MissingKey { path } => write!(f, "{path}: must be given"),
            Self::WrongType {
                path,
                expected,
                found,
            } => {
                write!(f, "{path}: expected {expected}, found {found}")
            }
            Self::OutOfRange {
                path,
                found,
                allowed: (least, greatest),
            } => write!(f, "{path}: {found} is not between {least} and {greatest}"),
            Self::UnknownValue {
                path,
                found,
                nearest,
                allowed,
            } => write!(
                f,
                "{path}: {found:?} does not exist; did you mean {nearest:?}? Allowed here: {}",
                allowed.join(", ")
            ),
            Self::Name { path, found } => write!(
                f,
                "{path}: {found:?} is no name; write letters, digits and _, and no digit first"
            ),
            Self::Separator { path, found } => write!(
                f,
                "{path}: {found:?} is no separator; one of its characters has to be none of \
                 letters, digits, control characters and . _ - / :"
            ),
            Self::Duration {
                path,
                found,
                reason,
            } => write!(f, "{path}: {found:?} {reason}"),
            Self::FrameTooLong { found, accepted } => write!(
                f,
                "additional_labels: with these labels the frame of this node has {found} bytes, and \
                 peers close a connection with more than {accepted}; name fewer or shorter labels"
            ),
            Self::Expression {
                path,
                found,
                reason,
            } => write!(f, "{path}: the expression {found:?} {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}
