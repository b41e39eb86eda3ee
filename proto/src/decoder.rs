use core::mem;

use crate::{HEADER_LEN, MAGIC, Payload, TooLarge};

/// The longest payload that [`Decoder::default`] accepts, in bytes: 64 KiB. Istio's senders write
/// 0.5 to 2 KiB.
pub const DEFAULT_MAX_PAYLOAD: u32 = 64 * 1024;

/// Removes the frame from the start of a stream that arrives in pieces of any size.
///
/// The caller passes the unread bytes to [`decode`](Self::decode), or only the first
/// [`wants`](Self::wants) of them, and removes the `consumed` bytes of each step, until the result
/// is not [`NeedMore`](Decoded::NeedMore). The decoder is then in its initial state. If the stream
/// ends before that, [`truncated`](Self::truncated) returns the consumed bytes or their number.
///
/// Its memory grows with the received bytes, not with the length in a header.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_payload: u32,
    /// The bytes of the frame so far, header included.
    received: Vec<u8>,
}

/// The result of one call of [`Decoder::decode`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Step {
    /// The number of input bytes that belong to the frame. The decoder stores them; the caller
    /// removes them from the stream.
    pub consumed: usize,
    /// The result of all bytes so far.
    pub decoded: Decoded,
}

/// The start of a stream, as far as it is decoded.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// The bytes so far can belong to a frame. The whole input was consumed.
    NeedMore,
    /// The stream does not begin with a frame. Nothing of the input was consumed.
    NotFrame {
        /// The bytes that earlier calls consumed. The caller puts them back in front of the input.
        held: &'static [u8],
    },
    /// A whole frame. [`Payload::frame`] validates its payload.
    Frame(Payload),
    /// A frame over the limit. Only its header was consumed: the payload is still in the stream.
    /// Its length is not trusted, so its end is unknown.
    TooLarge(TooLarge),
}

/// The consumed bytes of a stream that ended inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated<'a> {
    /// It ended inside the header. The bytes can be application data: the caller forwards them.
    Header {
        /// The consumed bytes, fewer than [`HEADER_LEN`]; empty if the stream was empty.
        held: &'a [u8],
    },
    /// It ended after the header. The bytes belong to a frame: the caller drops them.
    Payload {
        /// The number of consumed bytes, header included.
        received: usize,
    },
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_PAYLOAD)
    }
}

impl Decoder {
    /// Creates a decoder that rejects payloads longer than `max_payload` bytes.
    pub const fn new(max_payload: u32) -> Self {
        Self {
            max_payload,
            received: Vec::new(),
        }
    }

    /// The number of bytes that the decoder can use now: the rest of the header, then the rest of
    /// the payload. At least 1, without bytes after the frame.
    pub fn wants(&self) -> usize {
        self.end().saturating_sub(self.received.len())
    }

    /// Decodes the next bytes of the stream. Reads no byte after the frame.
    pub fn decode(&mut self, input: &[u8]) -> Step {
        let mut consumed = 0;
        if self.received.len() < HEADER_LEN {
            if !self.continues_magic(input) {
                let held = first(&MAGIC, mem::take(&mut self.received).len());
                let decoded = Decoded::NotFrame { held };
                return Step { consumed, decoded };
            }
            consumed += self.take(input);
        }
        if let Some(length) = self.payload_len()
            && length > self.max_payload
        {
            self.received.clear();
            let max = self.max_payload;
            let decoded = Decoded::TooLarge(TooLarge { length, max });
            return Step { consumed, decoded };
        }
        consumed += self.take(input.get(consumed..).unwrap_or_default());
        if self.wants() > 0 {
            let decoded = Decoded::NeedMore;
            return Step { consumed, decoded };
        }
        let mut payload = mem::take(&mut self.received);
        payload.drain(..HEADER_LEN);
        let decoded = Decoded::Frame(Payload(payload));
        Step { consumed, decoded }
    }

    /// Returns the bytes consumed so far, for a stream that ends now.
    pub fn truncated(&self) -> Truncated<'_> {
        if self.received.len() < HEADER_LEN {
            Truncated::Header {
                held: &self.received,
            }
        } else {
            Truncated::Payload {
                received: self.received.len(),
            }
        }
    }

    /// The length of the header, or of the whole frame after the header was received.
    fn end(&self) -> usize {
        let payload = self.payload_len().map_or(0, |length| length as usize);
        HEADER_LEN.saturating_add(payload)
    }

    /// The length of the payload; `None` until the whole header was received.
    fn payload_len(&self) -> Option<u32> {
        let length = self.received.get(MAGIC.len()..HEADER_LEN)?;
        Some(u32::from_be_bytes(length.try_into().ok()?))
    }

    /// Whether the next bytes of the stream match the magic, as far as both reach.
    fn continues_magic(&self, input: &[u8]) -> bool {
        let expected = MAGIC.iter().skip(self.received.len());
        input
            .iter()
            .zip(expected)
            .all(|(byte, magic)| byte == magic)
    }

    /// Stores the bytes of the input that belong to the frame, and returns their number.
    fn take(&mut self, input: &[u8]) -> usize {
        let wanted = first(input, self.wants());
        self.received.extend_from_slice(wanted);
        wanted.len()
    }
}

/// The first `n` bytes, or all if there are fewer.
fn first(bytes: &[u8], n: usize) -> &[u8] {
    bytes.get(..n).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
