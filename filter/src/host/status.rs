//! The errors of hostcalls.

use std::fmt;

/// The proxy-wasm status of a hostcall that failed.
///
/// Kept as the raw number because hosts may return numbers that no SDK names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(pub u32);

impl Status {
    /// The host has no such property, metric or function.
    pub const NOT_FOUND: Self = Self(1);
    /// An argument is out of range, or the buffer is not available in this callback.
    pub const BAD_ARGUMENT: Self = Self(2);
    /// The shared data was changed since it was read.
    pub const CAS_MISMATCH: Self = Self(8);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "NotFound",
            2 => "BadArgument",
            3 => "SerializationFailure",
            4 => "ParseFailure",
            5 => "BadExpression",
            6 => "InvalidMemoryAccess",
            7 => "Empty",
            8 => "CasMismatch",
            9 => "ResultMismatch",
            10 => "InternalFailure",
            11 => "BrokenConnection",
            12 => "Unimplemented",
            _ => "unknown status",
        };
        write!(f, "{name} ({})", self.0)
    }
}

/// Why the bytes of a buffer are not available.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostError {
    /// The hostcall failed.
    Status(Status),
    /// The hostcall succeeded, but the host returned another number of bytes than there are.
    ShortRead {
        /// How many bytes were read.
        expected: usize,
        /// How many bytes the host returned.
        returned: usize,
    },
}

impl HostError {
    /// Returns `bytes` if there are `expected` of them.
    ///
    /// # Errors
    /// [`ShortRead`](Self::ShortRead) if there are not.
    pub fn check_length(bytes: Vec<u8>, expected: usize) -> Result<Vec<u8>, Self> {
        if bytes.len() == expected {
            return Ok(bytes);
        }
        Err(Self::ShortRead {
            expected,
            returned: bytes.len(),
        })
    }
}

impl From<Status> for HostError {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::ShortRead { expected, returned } => {
                write!(
                    f,
                    "the host returned {returned} bytes instead of {expected}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names are those of proxy-wasm's `WasmResult`.
    #[test]
    fn a_status_has_its_name_and_number() {
        for (number, text) in [
            (1, "NotFound (1)"),
            (2, "BadArgument (2)"),
            (3, "SerializationFailure (3)"),
            (4, "ParseFailure (4)"),
            (5, "BadExpression (5)"),
            (6, "InvalidMemoryAccess (6)"),
            (7, "Empty (7)"),
            (8, "CasMismatch (8)"),
            (9, "ResultMismatch (9)"),
            (10, "InternalFailure (10)"),
            (11, "BrokenConnection (11)"),
            (12, "Unimplemented (12)"),
            (13, "unknown status (13)"),
        ] {
            assert_eq!(Status(number).to_string(), text);
        }
    }
}
