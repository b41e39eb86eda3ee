//! A data buffer with Envoy's rules for edits by range.

use crate::abi::{HostResult, Status};

/// Bytes that pass through the filters.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    pub(crate) fn append(&mut self, data: &[u8]) {
        self.0.extend_from_slice(data);
    }

    /// Removes and returns all bytes.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Replaces a range. Envoy since 1.20 (`Buffer::copyFrom`): at the start, drains `length` bytes
    /// and prepends; at or past the end, appends; in between, fails with `BadArgument`.
    pub(crate) fn copy_from(&mut self, start: usize, length: usize, data: &[u8]) -> HostResult {
        if start == 0 {
            self.0
                .splice(..length.min(self.0.len()), data.iter().copied());
        } else if start >= self.0.len() {
            self.append(data);
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, length: usize, data: &str) -> (HostResult, String) {
        let mut buffer = Buffer(b"abcdef".to_vec());
        let result = buffer.copy_from(start, length, data.as_bytes());
        (result, String::from_utf8(buffer.take()).unwrap())
    }

    #[test]
    fn at_the_start_it_drains_and_prepends() {
        assert_eq!(edit(0, 0, "X"), (Ok(()), "Xabcdef".into()));
        assert_eq!(edit(0, 2, "X"), (Ok(()), "Xcdef".into()));
        assert_eq!(edit(0, 6, ""), (Ok(()), "".into()));
        assert_eq!(edit(0, 99, "X"), (Ok(()), "X".into()));
    }

    #[test]
    fn at_or_past_the_end_it_appends_whatever_the_length() {
        assert_eq!(edit(6, 0, "X"), (Ok(()), "abcdefX".into()));
        assert_eq!(edit(99, 5, "X"), (Ok(()), "abcdefX".into()));
    }

    #[test]
    fn in_between_is_a_bad_argument_and_changes_nothing() {
        assert_eq!(edit(1, 0, "X"), (Err(Status::BadArgument), "abcdef".into()));
        assert_eq!(edit(5, 1, "X"), (Err(Status::BadArgument), "abcdef".into()));
    }
}
