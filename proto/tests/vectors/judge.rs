//! Files of wire vectors: bytes and what becomes of them, judged with the codec.
//!
//! A receiver vector gives the bytes that a stream begins with and what a decoder makes of them; it
//! has to come out the same for every split of those bytes. A sender vector gives a node and the
//! frame it writes. `proto/vectors/peer-exchange.json` is such a file.

use serde_json::Value as Json;

use crate::fields::Fields;
use crate::{receiver, sender};

/// The outcome of a whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// How many vectors came out as they should.
    pub(crate) passed: usize,
    /// Those that did not, in the file's order.
    pub(crate) failures: Vec<Failure>,
}

/// A vector that came out otherwise than it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{vector}: {mismatch}")]
pub(crate) struct Failure {
    /// The vector's name.
    pub(crate) vector: String,
    /// Where it differed.
    pub(crate) mismatch: Mismatch,
}

/// The first difference of a vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: expected {expected}, got {got}")]
pub(crate) struct Mismatch {
    /// What was compared, and how the bytes were split.
    pub(crate) what: String,
    /// What the file says.
    pub(crate) expected: String,
    /// What the codec says.
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
    /// A field is not there.
    #[error("{vector}: field `{field}` is missing")]
    Missing {
        /// The vector, by name or place.
        vector: String,
        /// The field's path.
        field: String,
    },
    /// A field holds something else than it should.
    #[error("{vector}: field `{field}` should be {expected}, not {got}")]
    Unexpected {
        /// The vector, by name or place.
        vector: String,
        /// The field's path.
        field: String,
        /// What belongs there.
        expected: &'static str,
        /// What is there, shortened.
        got: String,
    },
}

/// Judges every vector of a file.
///
/// # Errors
/// When the text is not a file of vectors; the error names the vector and the field at fault.
pub(crate) fn judge(text: &str) -> Result<Report, FormatError> {
    let file: Json = serde_json::from_str(text)?;
    let file = Fields::of("the file", &file)?;
    let (receivers, senders) = (file.list("vectors")?, file.list("sender_vectors")?);
    if receivers.is_none() && senders.is_none() {
        return Err(FormatError::NoVectors);
    }

    let mut report = Report::default();
    for (kind, vectors, judge) in [
        (
            "vectors",
            receivers,
            receiver::judge as fn(&Fields<'_>) -> Verdict,
        ),
        ("sender_vectors", senders, sender::judge),
    ] {
        for (index, vector) in vectors.unwrap_or_default().iter().enumerate() {
            let place = Fields::of(&format!("{kind}[{index}]"), vector)?;
            let name = place.string("name")?;
            match judge(&Fields::of(name, vector)?)? {
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

/// Whether a vector came out as it should, if it can be judged.
pub(crate) type Verdict = Result<Result<(), Mismatch>, FormatError>;

/// `Err` with the difference, unless `expected` is `got`.
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

/// Bytes for a message.
pub(crate) fn show_bytes(bytes: &[u8]) -> String {
    format!("{} bytes {}", bytes.len(), shorten(&hex::encode(bytes)))
}

/// Text for a message: long ones lose their middle.
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
