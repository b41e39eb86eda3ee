//! Files of wire vectors: bytes and their expected results, checked with the codec.
//!
//! A receiver vector has the first bytes of a stream and the result of a decoder, which is the same
//! for every split of the bytes. A sender vector has a node and the frame that it writes.
//! `proto/vectors/peer-exchange.json` is such a file.

use serde_json::Value as Json;

use crate::fields::Fields;
use crate::{receiver, sender};

/// The outcome of a whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The number of vectors with the expected result.
    pub(crate) passed: usize,
    /// The other vectors, in the order of the file.
    pub(crate) failures: Vec<Failure>,
}

/// A vector with another result than expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{vector}: {mismatch}")]
pub(crate) struct Failure {
    /// The vector's name.
    pub(crate) vector: String,
    /// The first difference.
    pub(crate) mismatch: Mismatch,
}

/// The first difference of a vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, got {got}")]
pub(crate) struct Mismatch {
    /// The compared value, and the split of the bytes.
    pub(crate) what: String,
    /// The value in the file.
    pub(crate) expected: String,
    /// The value from the codec.
    pub(crate) got: String,
}

/// A file that does not have the vectors' format.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    /// The file is not JSON.
    #[error("not JSON: {0}; is this a file of vectors?")]
    Json(#[from] serde_json::Error),
    /// The file has neither of the two lists.
    #[error("neither `vectors` nor `sender_vectors` is there; is this a file of vectors?")]
    NoVectors,
    /// A field is missing.
    #[error("{vector}: field `{field}` is missing")]
    Missing {
        /// The vector, by name or place.
        vector: String,
        /// The field's path.
        field: String,
    },
    /// A field has another type or value than expected.
    #[error("{vector}: field `{field}` should be {expected}, not {got}")]
    Unexpected {
        /// The vector, by name or place.
        vector: String,
        /// The field's path.
        field: String,
        /// The expected type or value.
        expected: &'static str,
        /// The field's value, shortened.
        got: String,
    },
}

/// Checks every vector of a file.
///
/// # Errors
/// The text is not a file of vectors. The error contains the name of the vector and of the field.
pub(crate) fn check(text: &str) -> Result<Report, FormatError> {
    let file: Json = serde_json::from_str(text)?;
    let file = Fields::of("the file", &file)?;
    let (receivers, senders) = (file.list("vectors")?, file.list("sender_vectors")?);
    if receivers.is_none() && senders.is_none() {
        return Err(FormatError::NoVectors);
    }

    let mut report = Report::default();
    for (kind, vectors, check) in [
        (
            "vectors",
            receivers,
            receiver::check as fn(&Fields<'_>) -> Verdict,
        ),
        ("sender_vectors", senders, sender::check),
    ] {
        for (index, vector) in vectors.unwrap_or_default().iter().enumerate() {
            let place = Fields::of(&format!("{kind}[{index}]"), vector)?;
            let name = place.string("name")?;
            match check(&Fields::of(name, vector)?)? {
                Ok(()) => report.passed += 1,
                Err(mismatch) => {
                    report.failures.push(Failure {
                        vector: name.to_owned(),
                        mismatch,
                    });
                }
            }
        }
    }
    Ok(report)
}

/// The difference of a vector, if any; or the reason why the vector cannot be checked.
pub(crate) type Verdict = Result<Result<(), Mismatch>, FormatError>;

/// Returns the difference as an error if `expected` is not `got`.
pub(crate) fn compare<T: PartialEq + ?Sized>(
    what: impl Into<String>,
    expected: &T,
    got: &T,
    show: impl Fn(&T) -> String,
) -> Result<(), Mismatch> {
    if expected == got {
        return Ok(());
    }
    Err(Mismatch {
        what: what.into(),
        expected: show(expected),
        got: show(got),
    })
}

/// Formats bytes for a message.
pub(crate) fn show_bytes(bytes: &[u8]) -> String {
    format!("{} bytes {}", bytes.len(), shorten(&hex::encode(bytes)))
}

/// Shortens a text for a message: removes the middle of a long text.
pub(crate) fn shorten(text: &str) -> String {
    const END: usize = 200;
    let count = text.chars().count();
    if count <= 2 * END {
        return text.to_owned();
    }
    let head: String = text.chars().take(END).collect();
    let tail: String = text.chars().skip(count - END).collect();
    format!("{head}…{tail}")
}
