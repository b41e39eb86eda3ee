//! The error messages for invalid frames.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed expectation of a test"
)]

use std::error::Error;

use peer_exchange::{Decoded, Decoder, MAGIC, TYPE_URL};

/// A length-delimited field of a protobuf message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend(content);
    field
}

/// The error message for a frame with this payload, and that of its source.
fn errors(payload: &[u8]) -> (String, Option<String>) {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let frame = [&MAGIC[..], &length.to_be_bytes(), payload].concat();
    let Decoded::Frame(payload) = Decoder::default().decode(&frame).decoded else {
        panic!("a whole frame: {payload:?}");
    };
    let invalid = payload.frame().expect_err("an invalid frame");
    (
        invalid.to_string(),
        invalid.source().map(ToString::to_string),
    )
}

#[test]
fn a_payload_that_is_not_an_any_is_reported_with_the_reason() {
    for (payload, reason) in [
        (&[0x0a, 5][..], "it ends inside a field"),
        (&[0xff; 11], "a varint is longer than ten bytes"),
        (&[0x02, 0], "a field number is out of range"),
        (&[0x0e], "a wire type is unknown"),
        (&[0x0c], "a group ends that did not begin"),
        (&[0x0a, 1, 0xff], "a string is not UTF-8"),
    ] {
        let message = format!("its payload is no Any: {reason}");
        assert_eq!(errors(payload), (message, Some(reason.to_owned())));
    }
}

#[test]
fn a_struct_that_is_malformed_or_too_deep_is_reported_with_the_reason() {
    let list_of = |value: &[u8]| field(6, &field(1, value));
    let deep = (0..60).fold(Vec::new(), |value, _| list_of(&value));
    let deep = field(1, &[field(1, b"key"), field(2, &deep)].concat());
    for (value, reason) in [
        (&[0x0a, 5][..], "it ends inside a field"),
        (&deep, "it nests more than a hundred deep"),
    ] {
        let payload = [field(1, TYPE_URL.as_bytes()), field(2, value)].concat();
        let message = format!("its Struct is malformed: {reason}");
        assert_eq!(errors(&payload), (message, Some(reason.to_owned())));
    }
}

#[test]
fn another_message_is_reported_with_its_type() {
    let message = r#"its payload is no Struct but "type.googleapis.com/Other\n""#;
    let payload = field(1, b"type.googleapis.com/Other\n");
    assert_eq!(errors(&payload), (message.to_owned(), None));
}

#[test]
fn a_payload_that_is_too_long_is_reported_with_both_lengths() {
    let frame = [&MAGIC[..], &1000u32.to_be_bytes()].concat();
    let Decoded::TooLarge(too_large) = Decoder::new(999).decode(&frame).decoded else {
        panic!("a frame that is too long");
    };
    let message = "its payload of 1000 bytes is longer than the accepted 999";
    assert_eq!(
        (too_large.to_string().as_str(), too_large.source().is_none()),
        (message, true)
    );
}
