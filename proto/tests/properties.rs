//! Properties of the codec for random frames, streams and splits.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::indexing_slicing)] // A panic fails the test.

use peer_exchange::{
    Decoded, Decoder, Frame, HEADER_LEN, Kind, ListValue, MAGIC, Struct, Truncated, Value,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(None),
        Just(Some(Kind::NullValue(0))),
        any::<bool>().prop_map(|bool| Some(Kind::BoolValue(bool))),
        // No NaN: it is not equal to itself.
        (-1e300..1e300).prop_map(|number| Some(Kind::NumberValue(number))),
        ".{0,200}".prop_map(|string| Some(Kind::StringValue(string))),
    ];
    leaf.prop_map(|kind| Value { kind })
        .prop_recursive(5, 40, 5, |value| {
            prop_oneof![
                vec(value.clone(), 0..5)
                    .prop_map(|values| Value::from(Kind::ListValue(ListValue { values }))),
                members(value).prop_map(Value::from),
            ]
        })
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Struct> {
    btree_map(".{0,20}", value, 0..5).prop_map(|fields| Struct { fields })
}

/// Streams; many of them begin like a frame.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = || vec(any::<u8>(), 0..40);
    prop_oneof![
        any_bytes(),
        (0..MAGIC.len(), any_bytes()).prop_map(|(n, tail)| [&MAGIC[..n], &tail].concat()),
        (0..40_u32, any_bytes()).prop_map(|(length, tail)| [
            &MAGIC,
            length.to_be_bytes().as_slice(),
            &tail
        ]
        .concat()),
        (members(value()), any_bytes()).prop_map(|(fields, tail)| [
            Frame { fields }.encode(),
            tail
        ]
        .concat()),
    ]
}

/// Decodes a stream that arrives in these pieces. Returns the outcome and the forwarded bytes.
fn receive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Decoded, Vec<u8>) {
    let mut decoder = Decoder::default();
    let (mut outcome, mut forwarded) = (Decoded::NeedMore, Vec::new());
    for mut piece in pieces {
        if outcome == Decoded::NeedMore {
            let step = decoder.decode(piece);
            piece = &piece[step.consumed..];
            if let Decoded::NotFrame { held } = step.decoded {
                forwarded.extend_from_slice(held);
                outcome = Decoded::NotFrame { held: &[] };
            } else {
                outcome = step.decoded;
            }
        }
        forwarded.extend_from_slice(piece);
    }
    if outcome == Decoded::NeedMore
        && let Truncated::Header { held } = decoder.truncated()
    {
        forwarded.extend_from_slice(held);
    }
    (outcome, forwarded)
}

proptest! {
    #[test]
    fn an_encoded_frame_is_decoded(fields in members(value()), tail in vec(any::<u8>(), 0..20)) {
        let frame = Frame { fields };
        let bytes = frame.encode();
        let len = bytes.len();
        let step = Decoder::default().decode(&[bytes, tail].concat());
        prop_assert_eq!(step.consumed, len);
        match step.decoded {
            Decoded::Frame(payload) => prop_assert_eq!(payload.frame(), Ok(frame)),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn splits_do_not_change_the_result(stream in stream(), size in 1_usize..20) {
        prop_assert_eq!(receive(stream.chunks(size)), receive([stream.as_slice()]));
    }

    #[test]
    fn forwarded_bytes_are_the_end_of_the_stream(stream in stream()) {
        let (outcome, forwarded) = receive([stream.as_slice()]);
        prop_assert!(stream.ends_with(&forwarded));
        match outcome {
            Decoded::NotFrame { .. } => prop_assert_eq!(forwarded, stream),
            Decoded::NeedMore if stream.len() < HEADER_LEN => prop_assert_eq!(forwarded, stream),
            _ => prop_assert!(forwarded.len() + HEADER_LEN <= stream.len()),
        }
    }
}
