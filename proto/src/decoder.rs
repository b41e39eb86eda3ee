use core::mem;

use crate::{HEADER_LEN, MAGIC, Payload, TooLarge};

/// The longest payload that [`Decoder::default`] accepts, in bytes: 64 KiB. Istio's senders write
/// 0.5 to 2 KiB.
pub const DEFAULT_MAX_PAYLOAD: u32 = 64 * 1024;

/// Takes the frame off the head of a stream that arrives in pieces of any size.
///
/// A caller gives [`decode`](Self::decode) the unread bytes, or only the first
/// [`wants`](Self::wants) of them, and removes what the step `consumed`, until the step says
/// something else than [`NeedMore`](Decoded::NeedMore). Then the decoder is as new. When the stream
/// ends before, [`truncated`](Self::truncated) says what was taken.
///
/// The memory it takes grows with the bytes received, never with the length a header announces.
#[derive(Clone, Debug)]
pub struct Decoder {
    max_payload: u32,
    /// The frame's bytes so far, header included.
    received: Vec<u8>,
}

/// What one call of [`Decoder::decode`] did.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Step {
    /// How many bytes of the input belong to the frame. The decoder has them: the caller removes
    /// them from the stream.
    pub consumed: usize,
    /// What the bytes are so far.
    pub decoded: Decoded,
}

/// What the head of a stream is.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// Not decided yet; the whole input was consumed.
    NeedMore,
    /// The stream does not begin with a frame. Nothing of the input was consumed.
    NotFrame {
        /// What earlier calls consumed: goes back in front of the input.
        held: &'static [u8],
    },
    /// A whole frame; whether it is worth anything is its payload's to say.
    Frame(Payload),
    /// A frame that is not accepted. Only its header was consumed: the payload is still in the
    /// stream and its length is not to be trusted, so neither is what follows.
    TooLarge(TooLarge),
}

/// What was taken from a stream that ended inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated<'a> {
    /// It ended inside the header, so these bytes may as well be the application's: they go on.
    Header {
        /// What was consumed, less than [`HEADER_LEN`]; nothing when the stream was empty.
        held: &'a [u8],
    },
    /// It ended behind the header, so the bytes are a frame's: they are dropped.
    Payload {
        /// How many bytes were consumed, header included.
        received: usize,
    },
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_PAYLOAD)
    }
}

impl Decoder {
    /// A decoder that refuses payloads longer than `max_payload` bytes.
    pub const fn new(max_payload: u32) -> Self {
        Self {
            max_payload,
            received: Vec::new(),
        }
    }

    /// How many bytes can be used now: the rest of the header, then the rest of the payload. At
    /// least 1, and never a byte behind the frame.
    pub fn wants(&self) -> usize {
        self.end().saturating_sub(self.received.len())
    }

    /// Looks at the next bytes of the stream, at no more of them than it needs.
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

    /// What was taken so far, for a stream that ends now.
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

    /// Where the frame ends, as far as is known: behind the header, then behind the payload.
    fn end(&self) -> usize {
        let payload = self.payload_len().map_or(0, |length| length as usize);
        HEADER_LEN.saturating_add(payload)
    }

    /// The payload's length, once the header is there.
    fn payload_len(&self) -> Option<u32> {
        let length = self.received.get(MAGIC.len()..HEADER_LEN)?;
        Some(u32::from_be_bytes(length.try_into().ok()?))
    }

    /// Whether the next bytes of the stream agree with the magic as far as they go.
    fn continues_magic(&self, input: &[u8]) -> bool {
        let expected = MAGIC.iter().skip(self.received.len());
        input
            .iter()
            .zip(expected)
            .all(|(byte, magic)| byte == magic)
    }

    /// Takes what is wanted of the input and says how much that was.
    fn take(&mut self, input: &[u8]) -> usize {
        let wanted = first(input, self.wants());
        self.received.extend_from_slice(wanted);
        wanted.len()
    }
}

/// The first `n` bytes, or all when there are less.
fn first(bytes: &[u8], n: usize) -> &[u8] {
    bytes.get(..n).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
