use std::fmt;

use peer_exchange::{Decoded, Decoder, Frame, Truncated};

/// The state of a stream. `Display` prints its name in the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    NeedMore,
    Ok,
    NoMetadata,
    BadProtobuf,
    NotMagic,
    TooLarge,
    /// The stream ended within the frame.
    Aborted,
}

impl State {
    const ALL: [Self; 7] = [
        Self::NeedMore,
        Self::Ok,
        Self::NoMetadata,
        Self::BadProtobuf,
        Self::NotMagic,
        Self::TooLarge,
        Self::Aborted,
    ];

    /// The names, for a message.
    pub(crate) const NAMES: &'static str = "one of need-more, ok, no-metadata, bad-protobuf, \
         not-magic, too-large, aborted";

    /// The state with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::NeedMore => "need-more",
            Self::Ok => "ok",
            Self::NoMetadata => "no-metadata",
            Self::BadProtobuf => "bad-protobuf",
            Self::NotMagic => "not-magic",
            Self::TooLarge => "too-large",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The receiver of a stream, like a filter: bytes arrive in pieces, the bytes of the frame are
/// consumed, all others are released.
#[derive(Default)]
pub(crate) struct Stream {
    decoder: Decoder,
    pub(crate) state: State,
    /// The frame; `None` until it is decoded.
    pub(crate) frame: Option<Frame>,
    /// All released bytes.
    pub(crate) released: Vec<u8>,
    /// The number of bytes that the decoder consumed and did not give back.
    pub(crate) consumed: usize,
}

impl Stream {
    /// Receives a piece.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) {
        while self.state == State::NeedMore && !piece.is_empty() {
            // One byte more than `wants`: a decoder that consumed it would fail the test.
            let view = piece.get(..=self.decoder.wants()).unwrap_or(piece);
            let step = self.decoder.decode(view);
            self.consumed += step.consumed;
            piece = piece.get(step.consumed..).unwrap_or_default();
            self.state = match step.decoded {
                Decoded::NeedMore => State::NeedMore,
                Decoded::NotFrame { held } => {
                    self.consumed -= held.len();
                    self.released.extend_from_slice(held);
                    State::NotMagic
                }
                Decoded::Frame(payload) => match payload.frame() {
                    Ok(frame) => {
                        let has_metadata = frame.metadata().is_some();
                        self.frame = Some(frame);
                        if has_metadata {
                            State::Ok
                        } else {
                            State::NoMetadata
                        }
                    }
                    Err(_) => State::BadProtobuf,
                },
                Decoded::TooLarge(_) => State::TooLarge,
            };
        }
        // A frame that is too large closes the connection: no byte is released.
        if self.state != State::TooLarge {
            self.released.extend_from_slice(piece);
        }
    }

    /// Ends the stream.
    pub(crate) fn end(&mut self) {
        if self.state == State::NeedMore {
            self.state = State::Aborted;
            if let Truncated::Header { held } = self.decoder.truncated() {
                self.consumed -= held.len();
                self.released.extend_from_slice(held);
            }
        }
    }
}
