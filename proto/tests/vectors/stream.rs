use std::fmt;

use peer_exchange::{Decoded, Decoder, Frame, Truncated};

/// What a stream has come to. `Display` is its name in the files.
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

    /// The state of that name.
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

/// The receiving end of a stream, as a filter has it: bytes come in pieces, those of the frame are
/// taken, all others go on.
#[derive(Default)]
pub(crate) struct Stream {
    decoder: Decoder,
    pub(crate) state: State,
    /// The frame, once there is one.
    pub(crate) frame: Option<Frame>,
    /// All bytes that went on.
    pub(crate) released: Vec<u8>,
    /// How many bytes were taken for good, once that is known.
    pub(crate) consumed: usize,
}

impl Stream {
    /// A piece arrives.
    pub(crate) fn feed(&mut self, mut piece: &[u8]) {
        while self.state == State::NeedMore && !piece.is_empty() {
            // One byte more than wanted: it would be seen if the decoder took it.
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
        // A frame that is too large costs the connection: nothing goes on.
        if self.state != State::TooLarge {
            self.released.extend_from_slice(piece);
        }
    }

    /// The stream ends.
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
