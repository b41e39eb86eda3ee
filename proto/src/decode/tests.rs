#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;

/// A length-delimited field.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    [
        &[number << 3 | 2, u8::try_from(content.len()).unwrap()],
        content,
    ]
    .concat()
}

/// A struct with the member `k`.
fn with_member(value: &[u8]) -> Vec<u8> {
    bytes(1, &[bytes(1, b"k"), bytes(2, value)].concat())
}

fn member(value: &[u8]) -> Option<Kind> {
    let mut message = decode_struct(&with_member(value)).unwrap();
    message.fields.remove("k").unwrap().kind
}

fn malformed(message: &[u8]) -> Malformed {
    decode_struct(message).unwrap_err()
}

#[test]
fn an_unknown_field_is_skipped() {
    let entry = [bytes(1, b"k"), bytes(3, b"new"), bytes(2, &bytes(3, b"v"))].concat();
    let message = decode_struct(&bytes(1, &entry)).unwrap();
    assert_eq!(
        message.fields["k"].kind,
        Some(Kind::StringValue("v".into()))
    );
}

#[test]
fn each_malformed_message_has_its_error() {
    assert_eq!(malformed(b"\x0a\x01"), Malformed::Truncated);
    assert_eq!(malformed(b"\x11\0\0\0\0\0\0\0"), Malformed::Truncated);
    assert_eq!(malformed(b"\x15\0\0\0"), Malformed::Truncated);
    assert_eq!(malformed(b"\x18"), Malformed::Truncated);
    assert_eq!(
        malformed(b"\x1b\x08\x01"),
        Malformed::Truncated,
        "a group without an end"
    );
    assert_eq!(malformed(&[0xff; 11]), Malformed::Varint);
    assert_eq!(malformed(b"\x02\x00"), Malformed::FieldNumber, "0");
    assert_eq!(
        malformed(b"\x80\x80\x80\x80\x10"),
        Malformed::FieldNumber,
        "over 32 bits"
    );
    assert_eq!(malformed(b"\x0e"), Malformed::WireType);
    assert_eq!(malformed(b"\x0f"), Malformed::WireType);
    assert_eq!(malformed(b"\x1c"), Malformed::Group);
    assert_eq!(
        malformed(b"\x1b\x24"),
        Malformed::Group,
        "the end of another group"
    );
    assert_eq!(malformed(&bytes(1, &bytes(1, b"\xff"))), Malformed::Utf8);
    assert_eq!(malformed(&with_member(&bytes(3, b"\xff"))), Malformed::Utf8);
    assert_eq!(
        AnyRef::decode(&bytes(1, b"\xff")).err(),
        Some(Malformed::Utf8)
    );
}

#[test]
fn a_length_beyond_the_message_is_truncated() {
    assert_eq!(
        malformed(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Malformed::Truncated
    );
}

#[test]
fn messages_and_groups_nest_a_hundred_deep() {
    let groups = |depth| [vec![0x1b; depth], vec![0x1c; depth]].concat();
    assert_eq!(decode_struct(&groups(100)), Ok(Struct::default()));
    assert_eq!(malformed(&groups(101)), Malformed::Depth);
}

#[test]
fn a_known_field_of_another_wire_type_is_skipped() {
    for skipped in [
        b"\x08\x01".as_slice(),
        b"\x09abcdefgh",
        b"\x0b\x0c",
        b"\x0dabcd",
    ] {
        assert_eq!(
            decode_struct(skipped),
            Ok(Struct::default()),
            "{skipped:x?}"
        );
        let any = AnyRef::decode(skipped).unwrap();
        assert_eq!((any.type_url, any.value), ("", b"".as_slice()));
    }
    assert_eq!(member(b"\x18\x01"), None, "a string as a varint");
}

#[test]
fn parts_of_a_struct_or_list_are_merged() {
    let lists = [
        bytes(6, &bytes(1, b"\x20\x00")),
        bytes(6, &bytes(1, b"\x20\x01")),
    ]
    .concat();
    let values = [false, true]
        .map(|bool| Kind::BoolValue(bool).into())
        .to_vec();
    assert_eq!(member(&lists), Some(Kind::ListValue(ListValue { values })));

    let part = |key: &[u8]| bytes(5, &bytes(1, &bytes(1, key)));
    let parts = Struct::from_iter([("a", Value::default()), ("b", Value::default())]);
    assert_eq!(
        member(&[part(b"a"), part(b"b")].concat()),
        Some(Kind::StructValue(parts))
    );
}

#[test]
fn the_last_kind_wins() {
    assert_eq!(
        member(&[bytes(3, b"x"), b"\x20\x02".to_vec()].concat()),
        Some(Kind::BoolValue(true))
    );
    assert_eq!(
        member(b"\x20\x01\x11\0\0\0\0\0\0\xf0\x3f"),
        Some(Kind::NumberValue(1.0))
    );
    assert_eq!(member(b"\x20\x01\x08\x00"), Some(Kind::NullValue(0)));
}
