use peer_exchange::{Frame, HEADER_LEN, Struct, Value};

use super::*;
use crate::host::Status;
use crate::host::fake::FakeHost;

/// The result of a stream of chunks.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// The bytes that went on, and how many of them were called payload.
    out: Vec<u8>,
    payload: usize,
    events: Vec<String>,
    duplicates: usize,
}

/// Feeds the chunks, the last one with the end of the stream if `end`.
fn feed(chunks: &[&[u8]], end: bool) -> Seen {
    let host = &FakeHost::default();
    let mut reader = Some(Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD));
    let mut seen = Seen::default();
    for (index, chunk) in chunks.iter().enumerate() {
        host.data.replace(chunk.to_vec());
        let end = end && index + 1 == chunks.len();
        match &mut reader {
            None => seen.payload += chunk.len(),
            Some(active) => {
                let read = active
                    .take_frame(&host, Buffer::Downstream, chunk.len(), end)
                    .expect("a host that works");
                seen.payload += read.payload;
                seen.duplicates += usize::from(read.duplicate);
                seen.events.extend(read.event.map(|event| name(&event)));
                if read.finished {
                    reader = None;
                }
            }
        }
        seen.out.extend(host.data.take());
    }
    seen
}

fn name(event: &FrameEvent) -> String {
    match event {
        FrameEvent::Frame(payload) => match payload.frame().map(|frame| frame.metadata()) {
            Ok(Some(metadata)) => format!("peer {}", metadata.workload_name),
            Ok(None) => "no metadata".to_owned(),
            Err(_) => "malformed".to_owned(),
        },
        FrameEvent::TooLarge(_) => "too large".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn frame() -> Vec<u8> {
    Frame::new(
        Struct::from_iter([("WORKLOAD_NAME", Value::from("w"))]),
        "id",
    )
    .encode()
}

#[test]
fn a_frame_of_many_reads_may_come_in_parts() {
    let long = "x".repeat(10_000);
    let metadata = Struct::from_iter([
        ("WORKLOAD_NAME", Value::from("w")),
        ("LONG", Value::from(long.as_str())),
    ]);
    let stream = Frame::new(metadata, "id").encode();
    let (first, second) = stream.split_at(2 * READ_AHEAD);
    let seen = feed(&[first, second], false);
    assert_eq!(seen.events, ["peer w"]);
    assert_eq!((seen.out.len(), seen.payload), (0, 0));
}

/// A frame whose payload is these bytes.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    [MAGIC.as_slice(), &length.to_be_bytes(), payload].concat()
}

/// Feeds `stream` whole, cut in two at every place, and byte by byte, and expects the same.
fn everywhere(stream: &[u8], end: bool, out: &[u8], events: &[&str]) {
    let expected = |seen: Seen, how: &str| {
        assert_eq!(seen.out, out, "{how}");
        assert_eq!(seen.payload, out.len(), "{how}");
        assert_eq!(seen.events, events, "{how}");
    };
    expected(feed(&[stream], end), "whole");
    for at in 1..stream.len() {
        let (head, tail) = stream.split_at(at);
        expected(feed(&[head, tail], end), &format!("cut at {at}"));
        expected(
            feed(&[head, b"", tail], end),
            &format!("cut at {at} with nothing between"),
        );
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    expected(feed(&bytes, end), "byte by byte");
}

#[test]
fn a_frame_is_removed_and_the_payload_passes() {
    everywhere(
        &[frame(), b"hello".to_vec()].concat(),
        false,
        b"hello",
        &["peer w"],
    );
    everywhere(&frame(), true, b"", &["peer w"]);
}

// Shows: filter/docs/peer-exchange.md, "at the first mismatch it releases them in order"
#[test]
fn payload_without_a_frame_passes_unchanged() {
    for payload in [
        "GET / HTTP/1.1\r\n",
        "=",
        "=#",
        "=#\u{4}",
        "=#\u{4}x and more",
        "\u{3d}=#\u{4}g",
    ] {
        let end = MAGIC.starts_with(payload.as_bytes());
        let event = if end { "truncated" } else { "absent" };
        everywhere(payload.as_bytes(), end, payload.as_bytes(), &[event]);
    }
}

#[test]
fn a_stream_that_ends_inside_the_header_keeps_its_bytes() {
    let frame = frame();
    for len in 1..HEADER_LEN {
        everywhere(&frame[..len], true, &frame[..len], &["truncated"]);
    }
}

#[test]
fn a_stream_that_ends_inside_the_frames_payload_drops_the_frame() {
    let frame = frame();
    for len in HEADER_LEN..frame.len() {
        everywhere(&frame[..len], true, b"", &["truncated"]);
    }
}

#[test]
fn an_empty_stream_has_no_frame() {
    assert_eq!(feed(&[b""], true).events, ["absent"]);
    assert_eq!(feed(&[b""], false).events, [""; 0]);
}

#[test]
fn a_malformed_or_empty_frame_is_removed_whole() {
    let malformed = framed(b"\xff\xff\xff\xff");
    everywhere(
        &[malformed, b"hello".to_vec()].concat(),
        false,
        b"hello",
        &["malformed"],
    );
    let empty = framed(b"");
    everywhere(
        &[empty, b"hello".to_vec()].concat(),
        false,
        b"hello",
        &["malformed"],
    );
    let nothing = Frame {
        fields: Struct::default(),
    }
    .encode();
    everywhere(
        &[nothing, b"hello".to_vec()].concat(),
        false,
        b"hello",
        &["no metadata"],
    );
}

#[test]
fn a_frame_over_the_limit_passes_no_byte() {
    let header = [MAGIC.as_slice(), &u32::MAX.to_be_bytes(), b"payload"].concat();
    let seen = feed(&[&header], false);
    assert_eq!(
        (seen.out, seen.events),
        (vec![], vec!["too large".to_owned()])
    );
}

#[test]
fn a_second_frame_is_payload_and_is_reported() {
    let second = frame();
    let stream = [frame(), second.clone()].concat();
    everywhere(&stream, false, &second, &["peer w"]);
    for at in 1..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(feed(&[head, tail], false).duplicates, 1, "cut at {at}");
    }
    let other = [frame(), b"=#\x04h".to_vec()].concat();
    assert_eq!(feed(&[&other], false).duplicates, 0);
}

#[test]
fn a_whole_frame_takes_two_hostcalls() {
    let host = &FakeHost::default();
    let frame = frame();
    host.data.replace([frame, vec![b'x'; 100_000]].concat());
    let size = host.data.borrow().len();
    let read = Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD)
        .take_frame(&host, Buffer::Downstream, size, false)
        .expect("a host that works");
    assert_eq!(read.payload, 100_000);
    // One read, which also returns the bytes behind the frame, and the drain.
    assert_eq!(host.hostcalls.get(), 2);
}

#[test]
fn a_failed_read_of_the_buffer_ends_the_connection() {
    let frame = frame();
    for held in 0..frame.len() {
        let host = &FakeHost::default();
        let mut reader = Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD);
        host.data.replace(frame[..held].to_vec());
        let _ = reader
            .take_frame(&host, Buffer::Downstream, held, false)
            .expect("a host that works");
        host.fail_from
            .set(Some((host.hostcalls.get() + 1, Status(10))));
        let read = reader.take_frame(&host, Buffer::Downstream, 4, false);
        assert_eq!(
            read.err(),
            Some(HostFailure::reading_buffer(Status(10))),
            "{held} bytes held"
        );
    }
}

#[test]
fn a_failed_write_of_the_buffer_ends_the_connection() {
    let host = &FakeHost::default();
    let frame = frame();
    host.data.replace(frame.clone());
    host.fail_from.set(Some((2, Status(10))));
    let read = Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD).take_frame(
        &host,
        Buffer::Downstream,
        frame.len(),
        false,
    );
    assert_eq!(read.err(), Some(HostFailure::changing_buffer(Status(10))));
}

#[test]
fn a_reader_holds_bytes_only_while_a_frame_is_incomplete() {
    let host = &FakeHost::default();
    let frame = frame();
    let all_but_one = &frame[..frame.len() - 1];
    for (bytes, holding) in [
        (&[][..], false),
        (&frame[..1], true),
        (&frame[..HEADER_LEN], true),
        (all_but_one, true),
        (&frame[..], false),
    ] {
        let mut reader = Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD);
        host.data.replace(bytes.to_vec());
        let read = reader.take_frame(&host, Buffer::Downstream, bytes.len(), false);
        read.expect("a host that works");
        assert_eq!(reader.is_holding(), holding, "{} bytes", bytes.len());
    }
}

/// A host that returns fewer bytes than there are.
#[test]
fn a_short_read_ends_the_connection() {
    let host = &FakeHost::default();
    host.data.replace(frame());
    let size = host.data.borrow().len() + 1;
    let mut reader = Reader::new(peer_exchange::DEFAULT_MAX_PAYLOAD);
    let step = reader.take_frame(&host, Buffer::Downstream, size, false);
    let error = HostError::ShortRead {
        expected: size,
        returned: size - 1,
    };
    assert_eq!(step.err(), Some(HostFailure::reading_buffer(error)));
}
