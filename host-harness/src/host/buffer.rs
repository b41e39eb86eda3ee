//! A data buffer with Envoy's rules for edits by range.

use crate::abi::{HostResult, Status};

/// The unit of a block for bytes that a filter adds. Envoy: `Slice::sliceSize`.
const PAGE: usize = 4096;

/// Bytes that pass through the filters.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// The free bytes behind the last one in its block of memory. Envoy: `Slice::reservableSize`.
    room: usize,
    read: usize,
    written: usize,
}

impl Buffer {
    /// Adds bytes that a connection has read. `room`: the free bytes behind them.
    pub(crate) fn append(&mut self, data: &[u8], room: usize) {
        self.read += data.len();
        self.room = room;
        self.bytes.extend_from_slice(data);
    }

    /// Removes and returns all bytes, which are written to the other connection.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.written += self.bytes.len();
        self.room = 0;
        std::mem::take(&mut self.bytes)
    }

    /// The free bytes behind the last one.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// The number of bytes that were appended since the connection began.
    pub(crate) fn total_read(&self) -> usize {
        self.read
    }

    /// The number of bytes that were taken since the connection began.
    pub(crate) fn total_written(&self) -> usize {
        self.written
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Replaces a range. Envoy since 1.20 (`Buffer::copyFrom`): at the start, drains `length` bytes
    /// and prepends; at or past the end, appends; in between, fails with `BadArgument`.
    pub(crate) fn copy_from(&mut self, start: usize, length: usize, data: &[u8]) -> HostResult {
        if start == 0 {
            if length >= self.bytes.len() {
                self.room = 0;
            }
            self.bytes
                .splice(..length.min(self.bytes.len()), data.iter().copied());
        } else if start >= self.bytes.len() {
            self.bytes.extend_from_slice(data);
            self.room = match self.room.checked_sub(data.len()) {
                Some(room) => room,
                None => (data.len() - self.room).next_multiple_of(PAGE) - (data.len() - self.room),
            };
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
        let mut buffer = Buffer::default();
        buffer.append(b"abcdef", 0);
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
