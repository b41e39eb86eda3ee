//! What holds for every frame, every stream and every split.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::indexing_slicing)] // What panics fails the law.

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
        // Of no NaN, which is equal to nothing.
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

/// Streams of which many begin like a frame.
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

/// What becomes of a stream that comes in these pieces: the outcome, and the bytes that go on.
fn receive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Decoded, Vec<u8>) {
    let mut decoder = Decoder::default();
    let (mut outcome, mut released) = (Decoded::NeedMore, Vec::new());
    for mut piece in pieces {
        if outcome == Decoded::NeedMore {
            let step = decoder.decode(piece);
            piece = &piece[step.consumed..];
            if let Decoded::NotFrame { held } = step.decoded {
                released.extend_from_slice(held);
                outcome = Decoded::NotFrame { held: &[] };
            } else {
                outcome = step.decoded;
            }
        }
        released.extend_from_slice(piece);
    }
    if outcome == Decoded::NeedMore
        && let Truncated::Header { held } = decoder.truncated()
    {
        released.extend_from_slice(held);
    }
    (outcome, released)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(fields in members(value()), tail in vec(any::<u8>(), 0..20)) {
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
    fn splits_change_nothing(stream in stream(), size in 1_usize..20) {
        prop_assert_eq!(receive(stream.chunks(size)), receive([stream.as_slice()]));
    }

    #[test]
    fn bytes_that_go_on_are_the_streams_end(stream in stream()) {
        let (outcome, released) = receive([stream.as_slice()]);
        prop_assert!(stream.ends_with(&released));
        match outcome {
            Decoded::NotFrame { .. } => prop_assert_eq!(released, stream),
            Decoded::NeedMore if stream.len() < HEADER_LEN => prop_assert_eq!(released, stream),
            _ => prop_assert!(released.len() + HEADER_LEN <= stream.len()),
        }
    }
}
