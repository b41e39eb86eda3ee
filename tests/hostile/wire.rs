//! Encodes frames byte by byte, including those that no codec encodes.

use std::io::{self, Read};

use peer_exchange::{MAGIC, METADATA_KEY, TYPE_URL};

/// A header that announces `length` bytes.
pub(crate) fn header(length: u32) -> Vec<u8> {
    [MAGIC, length.to_be_bytes()].concat()
}

/// Reads a frame and drops it.
pub(crate) fn skip_frame(stream: &mut impl Read) -> io::Result<()> {
    let mut header = [0; 8];
    stream.read_exact(&mut header)?;
    let [a, b, c, d, length @ ..] = header;
    assert_eq!([a, b, c, d], MAGIC);
    stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize])
}

/// A frame with any payload.
pub(crate) fn frame(payload: &[u8]) -> Vec<u8> {
    [header(payload.len() as u32), payload.to_vec()].concat()
}

/// A frame with these encoded entries as the metadata.
pub(crate) fn metadata(entries: &[Vec<u8>]) -> Vec<u8> {
    holding(&entry(METADATA_KEY, &structure(entries)))
}

/// A frame whose outermost struct is this.
pub(crate) fn holding(fields: &[u8]) -> Vec<u8> {
    frame(&[field(1, TYPE_URL.as_bytes()), field(2, fields)].concat())
}

/// A frame with these texts as the metadata.
pub(crate) fn texts(pairs: &[(&str, &str)]) -> Vec<u8> {
    metadata(
        &pairs
            .iter()
            .map(|(key, value)| entry(key, &text(value)))
            .collect::<Vec<_>>(),
    )
}

/// The frame of a workload that has a name and no other metadata.
pub(crate) fn named(workload: &str) -> Vec<u8> {
    texts(&[("WORKLOAD_NAME", workload)])
}

/// A valid frame with a payload of exactly this length; the workload's name is `long`.
pub(crate) fn of_length(length: usize) -> Vec<u8> {
    let with =
        |padding: usize| texts(&[("PADDING", &"x".repeat(padding)), ("WORKLOAD_NAME", "long")]);
    // Lengths inside the frame take more bytes as it grows, so the padding is found in two steps.
    let first = with(length - 200).len() - 8;
    with(length - 200 + (length - first))
}

/// An entry of a struct: a name and an encoded value.
pub(crate) fn entry(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

/// A string value.
pub(crate) fn text(value: impl AsRef<[u8]>) -> Vec<u8> {
    field(3, value.as_ref())
}

/// A struct value.
pub(crate) fn structure(entries: &[Vec<u8>]) -> Vec<u8> {
    field(5, &entries.concat())
}

/// Lists in lists, this deep.
pub(crate) fn lists(depth: usize) -> Vec<u8> {
    (0..depth).fold(text("bottom"), |inner, _| field(6, &field(1, &inner)))
}

/// A field with a length.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}
