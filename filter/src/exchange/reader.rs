//! Takes the peer's frame off the beginning of one direction.
//!
//! The reader never pauses the connection: it drains bytes that may belong to a frame into the
//! decoder, and the rest, which may be empty, goes on. Envoy cannot resume its write path, and a
//! paused frame could exceed the connection's buffer limit.

use peer_exchange::{Decoded, Decoder, MAGIC, Payload, TooLarge, Truncated};

use super::failure::HostFailure;
use crate::host::{Buffer, Host, HostError};

/// The number of bytes to read at once: the length of a usual frame.
const READ_AHEAD: usize = 2048;

/// Takes the peer's frame off the beginning of one direction.
#[derive(Debug)]
pub(crate) enum Reader {
    /// Bytes of the frame, or bytes that may be its beginning, are read.
    Frame(Decoder),
    /// The frame was taken off; the payload behind it begins with this many bytes of a second
    /// magic.
    BehindFrame(usize),
}

/// The result of one data callback.
#[derive(Debug)]
pub(crate) struct ReadStep {
    /// How many bytes of application payload go on.
    pub(crate) payload: usize,
    /// The kind of the peer's first bytes, once it is known.
    pub(crate) event: Option<FrameEvent>,
    /// The payload begins with a second frame.
    pub(crate) duplicate: bool,
    /// All further bytes are payload.
    pub(crate) finished: bool,
}

/// The kind of the peer's first bytes.
#[derive(Debug)]
pub(crate) enum FrameEvent {
    /// A frame.
    Frame(Payload),
    /// A frame with a payload over the limit. The callback's bytes were dropped, because the
    /// payload behind the frame cannot be found.
    TooLarge(TooLarge),
    /// No frame.
    Absent,
    /// A stream that ended inside the frame.
    Truncated,
}

impl Reader {
    /// A reader that takes frames with a payload of up to `max_payload` bytes.
    pub(crate) fn new(max_payload: u32) -> Self {
        Self::Frame(Decoder::new(max_payload))
    }

    /// Whether the decoder holds bytes of a frame, or bytes that may be its beginning.
    pub(crate) fn is_holding(&self) -> bool {
        match self {
            Self::Frame(decoder) => decoder.truncated() != Truncated::Header { held: &[] },
            Self::BehindFrame(_) => false,
        }
    }

    /// Whether the frame was taken off.
    pub(crate) fn is_behind_frame(&self) -> bool {
        matches!(self, Self::BehindFrame(_))
    }

    /// Reads the `size` bytes of a data callback.
    ///
    /// # Errors
    /// The host did not return or change its buffer. The connection has to end, because the bytes
    /// that go on may contain a frame or differ from those that were sent.
    pub(crate) fn take_frame<H: Host>(
        &mut self,
        host: &H,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> Result<ReadStep, HostFailure> {
        let decoder = match self {
            Self::Frame(decoder) => decoder,
            Self::BehindFrame(passed) => {
                let passed = *passed;
                return Ok(self.watch(host, buffer, passed, size, &[]));
            }
        };
        let mut taken = 0;
        while taken < size {
            let len = decoder.wants().max(READ_AHEAD).min(size - taken);
            let bytes = host
                .buffer(buffer, taken, len)
                .map_err(HostError::Status)
                .and_then(|bytes| HostError::check_length(bytes, len))
                .map_err(HostFailure::reading_buffer)?;
            let step = decoder.decode(&bytes);
            taken += step.consumed;
            let event = match step.decoded {
                Decoded::NeedMore => continue,
                Decoded::NotFrame { held } => {
                    return give_back(host, buffer, held, size, FrameEvent::Absent);
                }
                Decoded::TooLarge(too_large) => {
                    drain(host, buffer, size)?;
                    return Ok(ReadStep::finished(0, FrameEvent::TooLarge(too_large)));
                }
                Decoded::Frame(payload) => FrameEvent::Frame(payload),
            };
            drain(host, buffer, taken)?;
            let ahead = bytes.get(step.consumed..).unwrap_or_default();
            let watched = self.watch(host, buffer, 0, size - taken, ahead);
            return Ok(ReadStep {
                event: Some(event),
                ..watched
            });
        }
        if end_of_stream {
            return truncate(decoder, host, buffer, taken, size);
        }
        drain(host, buffer, taken)?;
        Ok(ReadStep {
            payload: 0,
            event: None,
            duplicate: false,
            finished: false,
        })
    }

    /// Looks for a second magic directly behind the first frame. Its bytes are payload and go on.
    /// `ahead` are those that were read before.
    fn watch<H: Host>(
        &mut self,
        host: &H,
        buffer: Buffer,
        passed: usize,
        size: usize,
        ahead: &[u8],
    ) -> ReadStep {
        let expected = MAGIC.get(passed..).unwrap_or_default();
        let window = expected.len().min(size);
        let expected_here = expected.get(..window).unwrap_or_default();
        let agrees = match ahead.get(..window) {
            Some(ahead) => ahead == expected_here,
            None => host
                .buffer(buffer, 0, window)
                .is_ok_and(|bytes| bytes == expected_here),
        };
        *self = Self::BehindFrame(passed + window);
        let whole = window == expected.len();
        ReadStep {
            payload: size,
            event: None,
            duplicate: agrees && whole,
            finished: !agrees || whole,
        }
    }
}

impl ReadStep {
    fn finished(payload: usize, event: FrameEvent) -> Self {
        Self {
            payload,
            event: Some(event),
            duplicate: false,
            finished: true,
        }
    }
}

/// Handles a stream that ends inside a frame, or inside bytes that may be its beginning: bytes that
/// may be payload go on, a frame's do not.
fn truncate<H: Host>(
    decoder: &Decoder,
    host: &H,
    buffer: Buffer,
    taken: usize,
    size: usize,
) -> Result<ReadStep, HostFailure> {
    match decoder.truncated() {
        Truncated::Header { held: [] } => Ok(ReadStep::finished(size, FrameEvent::Absent)),
        Truncated::Header { held } => give_back(
            host,
            buffer,
            earlier(held, taken),
            size,
            FrameEvent::Truncated,
        ),
        Truncated::Payload { .. } => {
            drain(host, buffer, taken)?;
            Ok(ReadStep::finished(size - taken, FrameEvent::Truncated))
        }
    }
}

/// The bytes held before this callback; the `taken` bytes of this one are still in its buffer.
fn earlier(held: &[u8], taken: usize) -> &[u8] {
    held.get(..held.len().saturating_sub(taken))
        .unwrap_or_default()
}

/// Puts the held bytes back in front of this callback's bytes and ends the reading.
fn give_back<H: Host>(
    host: &H,
    buffer: Buffer,
    held: &[u8],
    size: usize,
    event: FrameEvent,
) -> Result<ReadStep, HostFailure> {
    if !held.is_empty() {
        replace_front(host, buffer, 0, held)?;
    }
    Ok(ReadStep::finished(held.len() + size, event))
}

fn drain<H: Host>(host: &H, buffer: Buffer, len: usize) -> Result<(), HostFailure> {
    if len == 0 {
        return Ok(());
    }
    replace_front(host, buffer, len, &[])
}

fn replace_front<H: Host>(
    host: &H,
    buffer: Buffer,
    len: usize,
    with: &[u8],
) -> Result<(), HostFailure> {
    host.replace_front(buffer, len, with)
        .map_err(HostFailure::changing_buffer)
}

#[cfg(test)]
mod tests;
