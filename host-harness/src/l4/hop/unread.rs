//! What has arrived on a socket, as read events.

use crate::host::Buffer;
use crate::l4::segment::Socket;

/// The unit of a read. Envoy: `Slice::default_slice_size_`.
const SLICE: usize = 16 * 1024;

/// The most that one system call reads. Envoy: `default_read_reservation_size_`.
const LONGEST_READ: usize = 8 * SLICE;

/// What has arrived on a socket and was not read yet.
#[derive(Debug)]
pub(super) struct Reading {
    bytes: Vec<u8>,
    end: bool,
    /// `per_connection_buffer_limit_bytes`; 0 for none.
    pub(super) limit: usize,
    /// The read buffer is above its high watermark: reading is disabled until it is below the low
    /// one.
    is_full: bool,
    /// Reading is enabled again with bytes in the read buffer: they are passed to the filters once
    /// more.
    is_again: bool,
    /// The last read event has left bytes: they are read after what that event leads to.
    has_rest: bool,
}

/// A read event.
pub(super) struct ReadEvent {
    pub(super) bytes: Vec<u8>,
    /// The free bytes behind the last one in the read buffer.
    pub(super) room: usize,
    pub(super) end: bool,
    /// The connection was reset. An event of its own, after the last bytes.
    pub(super) reset: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            end: false,
            limit: 1024 * 1024,
            is_full: false,
            is_again: false,
            has_rest: false,
        }
    }
}

impl Reading {
    pub(super) fn arrive(&mut self, bytes: &[u8], end: bool) {
        self.bytes.extend_from_slice(bytes);
        self.end |= end;
    }

    pub(super) fn is_unread(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// Lets the rest of the last read event be read. Returns whether there is one.
    pub(super) fn take_rest(&mut self) -> bool {
        std::mem::take(&mut self.has_rest)
    }

    pub(super) fn is_ended(&self) -> bool {
        self.end
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Compares the length of the read buffer with the watermarks. Envoy: `WatermarkBuffer`.
    pub(super) fn measure(&mut self, buffered: usize) {
        if self.limit == 0 {
            return;
        }
        if buffered > self.limit {
            self.is_full = true;
        } else if self.is_full && buffered <= self.limit / 2 {
            self.is_full = false;
            self.is_again = buffered > 0;
        }
    }

    /// The next read event of a socket that is read, into this read buffer. Envoy reads until there is
    /// nothing more or the buffer has reached its limit: `RawBufferSocket::doRead`.
    pub(super) fn next(&mut self, socket: Socket, buffer: &Buffer) -> Option<ReadEvent> {
        let (buffered, mut room) = (buffer.len(), buffer.room());
        self.measure(buffered);
        if self.is_full || self.has_rest || !socket.open {
            return None;
        }
        let is_again = std::mem::take(&mut self.is_again);
        let mut size = 0;
        let has_room = |length: usize| self.limit == 0 || length < self.limit;
        let mut is_first = true;
        while size < self.bytes.len() && (is_first || has_room(buffered + size)) {
            let allowed = self.limit.saturating_sub(buffered + size);
            let longest = match self.limit {
                0 => LONGEST_READ,
                _ => allowed.clamp(1, LONGEST_READ).next_multiple_of(SLICE),
            };
            let read = reservation(room, longest).min(self.bytes.len() - size);
            room = room_after(room, longest, read);
            size += read;
            is_first = false;
        }
        self.has_rest = size < self.bytes.len();
        let is_all = size == self.bytes.len() && (size == 0 || has_room(buffered + size));
        let is_last = is_all && !socket.read_end;
        let end = is_last && self.end;
        let reset = is_last && socket.reset && !end && size == 0;
        let is_event = size > 0 || end || reset || is_again;
        is_event.then(|| ReadEvent {
            bytes: self.bytes.drain(..size).collect(),
            room,
            end,
            reset,
        })
    }
}

/// The bytes of the last block that a read uses, if that has this room.
fn used_room(room: usize, longest: usize) -> usize {
    match room >= longest || room >= SLICE / 8 {
        true => room.min(longest),
        false => 0,
    }
}

/// The most that one system call reads: the room in the last block, and new blocks. Envoy:
/// `OwnedImpl::reserveWithMaxLength`.
fn reservation(room: usize, longest: usize) -> usize {
    let mut reserved = used_room(room, longest);
    let mut left = longest - reserved;
    while left >= SLICE || (left > 0 && reserved < SLICE) {
        reserved += SLICE;
        left = left.saturating_sub(SLICE);
    }
    reserved
}

/// The room in the last block after a read of this length.
fn room_after(room: usize, longest: usize, read: usize) -> usize {
    let used = used_room(room, longest);
    match read.checked_sub(used) {
        Some(in_new) if in_new > 0 => in_new.next_multiple_of(SLICE) - in_new,
        _ if used > 0 => room - read,
        _ => room,
    }
}
