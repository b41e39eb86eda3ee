#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::{Frame, InvalidFrame, METADATA_KEY, Struct, TYPE_URL};

/// A frame with any payload.
fn frame_of(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&MAGIC, length.to_be_bytes().as_slice(), payload].concat()
}

/// An `Any` of that type and value.
fn any(type_url: &str, value: &[u8]) -> Vec<u8> {
    let field = |tag, bytes: &[u8]| [&[tag, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    [field(0x0a, type_url.as_bytes()), field(0x12, value)].concat()
}

fn invalid(bytes: &[u8]) -> InvalidFrame {
    frame(bytes).expect_err("an invalid frame")
}

/// Decodes a whole frame.
fn frame(bytes: &[u8]) -> Result<Frame, InvalidFrame> {
    let step = Decoder::default().decode(bytes);
    assert_eq!(step.consumed, bytes.len(), "consumed bytes");
    match step.decoded {
        Decoded::Frame(payload) => payload.frame(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wants_the_header_then_the_payload() {
    let frame = frame_of(&any(TYPE_URL, b""));
    let mut decoder = Decoder::default();

    assert_eq!(decoder.wants(), HEADER_LEN);
    let step = decoder.decode(&frame[..3]);
    assert_eq!(
        step,
        Step {
            consumed: 3,
            decoded: Decoded::NeedMore
        }
    );
    assert_eq!(decoder.wants(), HEADER_LEN - 3);
    let step = decoder.decode(&frame[3..HEADER_LEN]);
    assert_eq!(
        step,
        Step {
            consumed: 5,
            decoded: Decoded::NeedMore
        }
    );
    assert_eq!(decoder.wants(), frame.len() - HEADER_LEN);
    let step = decoder.decode(&frame[HEADER_LEN..frame.len() - 1]);
    assert_eq!(step.decoded, Decoded::NeedMore);
    assert_eq!(decoder.wants(), 1);
}

#[test]
fn an_empty_input_needs_more() {
    let mut decoder = Decoder::default();
    assert_eq!(
        decoder.decode(b""),
        Step {
            consumed: 0,
            decoded: Decoded::NeedMore
        }
    );
    assert_eq!(decoder.wants(), HEADER_LEN);
}

#[test]
fn the_first_different_byte_decides() {
    for agreeing in 0..MAGIC.len() {
        let mut decoder = Decoder::default();
        let _ = decoder.decode(&MAGIC[..agreeing]);

        let held = &MAGIC[..agreeing];
        let step = decoder.decode(b"x");
        assert_eq!(
            step,
            Step {
                consumed: 0,
                decoded: Decoded::NotFrame { held }
            }
        );
    }
}

#[test]
fn a_decoder_is_reset_after_a_result() {
    let frame = Frame::new(Struct::default(), "n").encode();
    let mut decoder = Decoder::default();
    for stream in [b"GET /".as_slice(), &frame_of(b"\xff"), &frame] {
        assert_ne!(decoder.decode(stream).decoded, Decoded::NeedMore);
        assert_eq!(decoder.wants(), HEADER_LEN);
        assert_eq!(decoder.truncated(), Truncated::Header { held: b"" });
    }
}

#[test]
fn memory_grows_with_the_bytes_received() {
    let mut decoder = Decoder::new(u32::MAX);
    let header = [MAGIC, [0xff; 4]].concat();
    assert_eq!(decoder.decode(&header).decoded, Decoded::NeedMore);
    assert!(decoder.received.capacity() <= 64);
}

#[test]
fn a_frame_is_too_large_by_its_header() {
    let mut decoder = Decoder::new(10);
    let header = [MAGIC, [0, 0, 0, 11]].concat();
    assert_eq!(decoder.decode(&header[..7]).decoded, Decoded::NeedMore);

    let step = decoder.decode(&[header[7], b'x']);
    let too_large = TooLarge {
        length: 11,
        max: 10,
    };
    assert_eq!(
        step,
        Step {
            consumed: 1,
            decoded: Decoded::TooLarge(too_large)
        }
    );
}

#[test]
fn the_longest_payload_is_accepted() {
    let payload = any(TYPE_URL, b"");
    let max = u32::try_from(payload.len()).unwrap();
    let frame = frame_of(&payload);
    assert!(matches!(
        Decoder::new(max).decode(&frame).decoded,
        Decoded::Frame(_)
    ));
    let too_large = TooLarge {
        length: max,
        max: max - 1,
    };
    assert_eq!(
        Decoder::new(max - 1).decode(&frame).decoded,
        Decoded::TooLarge(too_large)
    );
}

#[test]
fn a_payload_that_is_not_an_any_is_malformed() {
    let error = invalid(&frame_of(b"\x0a\x2a"));
    assert!(matches!(error, InvalidFrame::MalformedAny(_)), "{error:?}");
    assert!(
        error.to_string().starts_with("its payload is no Any: "),
        "{error}"
    );
}

#[test]
fn another_message_is_of_the_wrong_type() {
    for type_url in [
        "",
        "google.protobuf.Struct",
        "x/google.protobuf.Value",
        "a\n\"é/",
    ] {
        let error = invalid(&frame_of(&any(type_url, b"")));
        assert_eq!(
            error,
            InvalidFrame::WrongType {
                type_url: type_url.into()
            }
        );
    }
}

#[test]
fn the_type_follows_the_last_slash() {
    let bytes = frame_of(&any("x/y/google.protobuf.Struct", b""));
    assert_eq!(frame(&bytes), Ok(Frame::default()));
}

#[test]
fn a_type_url_is_escaped_and_cut_in_a_message() {
    let shown = |type_url: &str| {
        InvalidFrame::WrongType {
            type_url: type_url.into(),
        }
        .to_string()
    };
    assert_eq!(
        shown("a\n\"/é"),
        r#"its payload is no Struct but "a\n\"/\xc3\xa9""#
    );
    assert_eq!(shown(&"x".repeat(1000)).len(), shown("").len() + 128);
}

#[test]
fn an_empty_payload_has_no_type() {
    let error = invalid(&frame_of(b""));
    assert_eq!(
        error,
        InvalidFrame::WrongType {
            type_url: String::new()
        }
    );
}

#[test]
fn a_value_that_is_not_a_struct_is_malformed() {
    let error = invalid(&frame_of(&any(TYPE_URL, b"\xff")));
    assert!(
        matches!(error, InvalidFrame::MalformedStruct(_)),
        "{error:?}"
    );
    assert!(
        error.to_string().starts_with("its Struct is malformed: "),
        "{error}"
    );
}

#[test]
fn structs_nest_as_deep_as_cpp_allows() {
    // Each level of metadata is three messages on the wire: a map entry, its value and a struct.
    let nested = |levels| {
        let leaf = Struct::from_iter([("x", "y")]);
        (0..levels).fold(leaf, |inner, _| Struct::from_iter([(METADATA_KEY, inner)]))
    };
    let decode = |levels| {
        let fields = nested(levels);
        frame(&Frame { fields }.encode())
    };

    assert!(decode(32).is_ok());
    assert!(matches!(decode(33), Err(InvalidFrame::MalformedStruct(_))));
}

#[test]
fn truncated_inside_the_header_returns_the_bytes() {
    let frame = frame_of(b"");
    for len in 0..HEADER_LEN {
        let mut decoder = Decoder::default();
        let _ = decoder.decode(&frame[..len]);
        assert_eq!(
            decoder.truncated(),
            Truncated::Header {
                held: &frame[..len]
            }
        );
    }
}

#[test]
fn truncated_inside_the_payload_returns_the_number_of_bytes() {
    let mut decoder = Decoder::default();
    let _ = decoder.decode(&frame_of(b"abc")[..10]);
    assert_eq!(decoder.truncated(), Truncated::Payload { received: 10 });
}
