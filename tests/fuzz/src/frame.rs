//! The frame decoder.

use peer_exchange::{Decoded, Decoder, HEADER_LEN, InvalidFrame, MAGIC, TooLarge, Truncated};

use crate::source::Source;

/// The result of decoding a stream.
#[derive(Debug, PartialEq)]
enum Outcome {
    Undecided,
    NotFrame,
    /// The frame encoded again, as a NaN does not equal itself.
    Frame(Vec<u8>),
    Invalid(InvalidFrame),
    TooLarge(TooLarge),
}

/// The outcome of decoding a stream does not depend on its pieces, the released bytes are the
/// stream's end, no payload is longer than the cap, and a decoded frame can be encoded and decoded
/// again.
pub fn frame(input: &[u8]) {
    let mut source = Source::new(input);
    let (size, cap) = (usize::from(source.byte()), u32::from(source.short()));
    let stream = source.rest();
    let (outcome, released) = receive(cap, [stream]);
    for size in [1, 7, 8, 9, size.max(1)] {
        let in_pieces = receive(cap, stream.chunks(size));
        assert_eq!(in_pieces.0, outcome, "in pieces of {size}");
        assert_eq!(in_pieces.1, released, "in pieces of {size}");
    }
    assert!(stream.ends_with(&released));
    let framed = stream.starts_with(&MAGIC) && stream.len() >= HEADER_LEN;
    let length = stream
        .get(MAGIC.len()..HEADER_LEN)
        .map(|length| u32::from_be_bytes(length.try_into().unwrap()));
    match outcome {
        Outcome::NotFrame => assert_eq!(released, stream),
        Outcome::Undecided if !framed => assert_eq!(released, stream),
        Outcome::Undecided => assert_eq!(released, b""),
        Outcome::TooLarge(TooLarge {
            length: announced,
            max,
        }) => {
            assert_eq!((Some(announced), max), (length, cap));
            assert!(announced > cap);
        }
        Outcome::Frame(again) => {
            removed(stream, length, &released);
            let decoded = receive(u32::MAX, [again.as_slice()]);
            assert_eq!(decoded, (Outcome::Frame(again), Vec::new()));
        }
        Outcome::Invalid(_) => removed(stream, length, &released),
    }
}

/// Asserts that exactly a frame of this length is removed.
fn removed(stream: &[u8], length: Option<u32>, released: &[u8]) {
    let frame = HEADER_LEN + length.expect("a header") as usize;
    assert_eq!(stream.get(frame..), Some(released));
}

fn receive<'a>(cap: u32, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Outcome, Vec<u8>) {
    let mut decoder = Decoder::new(cap);
    let (mut outcome, mut released) = (Outcome::Undecided, Vec::new());
    for mut piece in pieces {
        if outcome == Outcome::Undecided {
            assert!(decoder.wants() > 0);
            let step = decoder.decode(piece);
            piece = piece.get(step.consumed..).expect("no more than there is");
            outcome = match step.decoded {
                Decoded::NeedMore => {
                    assert!(piece.is_empty());
                    Outcome::Undecided
                }
                Decoded::NotFrame { held } => {
                    released.extend_from_slice(held);
                    Outcome::NotFrame
                }
                Decoded::Frame(payload) => match payload.frame() {
                    Ok(frame) => Outcome::Frame(frame.encode()),
                    Err(invalid) => Outcome::Invalid(invalid),
                },
                Decoded::TooLarge(too_large) => Outcome::TooLarge(too_large),
            };
        }
        if !matches!(outcome, Outcome::TooLarge(_)) {
            released.extend_from_slice(piece);
        }
    }
    if let (Outcome::Undecided, Truncated::Header { held }) = (&outcome, decoder.truncated()) {
        released.extend_from_slice(held);
    }
    (outcome, released)
}
