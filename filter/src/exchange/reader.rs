//! One connection's part in the exchange: taking the peer's frame off one direction and putting
//! our own in front of the other.
//!
//! Nothing here ever waits by pausing: bytes that may belong to a frame are drained into the
//! decoder and the (possibly empty) rest goes on. Envoy's write path has no resume, and a paused
//! frame could outgrow the connection's buffer limit.

use peer_exchange::{Decoded, Decoder, MAGIC, Payload, TooLarge, Truncated};

use crate::host::{Buffer, Host, Status};

/// How many bytes are read at once, if there are as many: all of a usual frame.
const READ_AHEAD: usize = 2048;

/// Takes the peer's frame off the head of a direction.
#[derive(Debug)]
pub(crate) enum Reader {
    /// The frame, or what may become one, is being read.
    Frame(Decoder),
    /// The frame is off; the payload behind it agrees with this many bytes of a second magic.
    Behind(usize),
}

/// What one data callback did to the direction that is read.
#[derive(Debug)]
pub(crate) struct Read {
    /// How many bytes of application payload go on.
    pub(crate) payload: usize,
    /// What was decided, if anything.
    pub(crate) event: Option<Event>,
    /// The payload begins with a second frame.
    pub(crate) duplicate: bool,
    /// Nothing more is to be read: the direction is plain payload from here on.
    pub(crate) finished: bool,
}

/// What the peer's first bytes turned out to be.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame.
    Frame(Payload),
    /// A frame that is too large: its end cannot be found and everything behind its header was
    /// dropped.
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

    /// Whether bytes of a frame, or of what may become one, are held.
    pub(crate) fn is_holding(&self) -> bool {
        match self {
            Self::Frame(decoder) => decoder.truncated() != Truncated::Header { held: &[] },
            Self::Behind(_) => false,
        }
    }

    /// Looks at the `size` bytes of a data callback.
    ///
    /// # Errors
    /// The host refused to show or to edit its buffer: the bytes that go on may have a frame in
    /// them, or are not those that were sent, so the connection has to end.
    pub(crate) fn read<H: Host>(
        &mut self,
        host: &H,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> Result<Read, Status> {
        let decoder = match self {
            Self::Frame(decoder) => decoder,
            Self::Behind(passed) => {
                let passed = *passed;
                return Ok(self.watch(host, buffer, passed, size, &[]));
            }
        };
        let mut taken = 0;
        while taken < size {
            let len = decoder.wants().max(READ_AHEAD).min(size - taken);
            let bytes = host.buffer(buffer, taken, len)?;
            if bytes.len() != len {
                return Err(Status::BAD_ARGUMENT);
            }
            let step = decoder.decode(&bytes);
            taken += step.consumed;
            let event = match step.decoded {
                Decoded::NeedMore => continue,
                Decoded::NotFrame { held } => {
                    return give_back(host, buffer, held, size, Event::Absent);
                }
                Decoded::TooLarge(too_large) => {
                    drain(host, buffer, size)?;
                    return Ok(Read::finished(0, Event::TooLarge(too_large)));
                }
                Decoded::Frame(payload) => Event::Frame(payload),
            };
            drain(host, buffer, taken)?;
            let ahead = bytes.get(step.consumed..).unwrap_or_default();
            let watched = self.watch(host, buffer, 0, size - taken, ahead);
            return Ok(Read {
                event: Some(event),
                ..watched
            });
        }
        if end_of_stream {
            return truncate(decoder, host, buffer, taken, size);
        }
        drain(host, buffer, taken)?;
        Ok(Read {
            payload: 0,
            event: None,
            duplicate: false,
            finished: false,
        })
    }

    /// Looks for a second magic right behind the first frame; its bytes are payload and pass.
    /// `ahead` is what was read of them already.
    fn watch<H: Host>(
        &mut self,
        host: &H,
        buffer: Buffer,
        passed: usize,
        size: usize,
        ahead: &[u8],
    ) -> Read {
        let expected = MAGIC.get(passed..).unwrap_or_default();
        let window = expected.len().min(size);
        let expected_here = expected.get(..window).unwrap_or_default();
        let agrees = match ahead.get(..window) {
            Some(ahead) => ahead == expected_here,
            None => host
                .buffer(buffer, 0, window)
                .is_ok_and(|bytes| bytes == expected_here),
        };
        *self = Self::Behind(passed + window);
        let whole = window == expected.len();
        Read {
            payload: size,
            event: None,
            duplicate: agrees && whole,
            finished: !agrees || whole,
        }
    }
}

impl Read {
    fn finished(payload: usize, event: Event) -> Self {
        Self {
            payload,
            event: Some(event),
            duplicate: false,
            finished: true,
        }
    }
}

/// The stream ends inside what may be a frame: bytes that may be the application's go on, bytes
/// that are a frame's do not.
fn truncate<H: Host>(
    decoder: &Decoder,
    host: &H,
    buffer: Buffer,
    taken: usize,
    size: usize,
) -> Result<Read, Status> {
    match decoder.truncated() {
        Truncated::Header { held: [] } => Ok(Read::finished(size, Event::Absent)),
        Truncated::Header { held } => {
            give_back(host, buffer, earlier(held, taken), size, Event::Truncated)
        }
        Truncated::Payload { .. } => {
            drain(host, buffer, taken)?;
            Ok(Read::finished(size - taken, Event::Truncated))
        }
    }
}

/// What was held before this callback; the `taken` bytes of this one are still in its buffer.
fn earlier(held: &[u8], taken: usize) -> &[u8] {
    held.get(..held.len().saturating_sub(taken))
        .unwrap_or_default()
}

/// Ends the reading with what was held back in its place, in front of this callback's bytes.
fn give_back<H: Host>(
    host: &H,
    buffer: Buffer,
    held: &[u8],
    size: usize,
    event: Event,
) -> Result<Read, Status> {
    if !held.is_empty() {
        host.replace_front(buffer, 0, held)?;
    }
    Ok(Read::finished(held.len() + size, event))
}

fn drain<H: Host>(host: &H, buffer: Buffer, len: usize) -> Result<(), Status> {
    if len > 0 {
        host.replace_front(buffer, len, &[])
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
