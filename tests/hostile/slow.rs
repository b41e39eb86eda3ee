//! Frames that take longer than one reporting interval, after which a connection's labels are
//! frozen.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mesh::labels::{OPENED, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use serde_json::json;

use crate::case::Case;
use crate::session::HostileSession;
use crate::wire;

const BOUND: u64 = 48 << 20;

/// The frame is removed from the stream, but the labels are frozen without it.
#[test]
fn a_frame_over_many_intervals_is_removed_and_sets_no_labels() -> Result {
    let mut session = HostileSession::start("slow", Reporter::Destination, json!({}))?;
    let case = Case::exchanged("slow", &wire::named("slow"), b"payload");
    let mut stream = session.connect()?;
    stream.set_nodelay(true)?;
    let (payload, frame) = (b"payload", wire::named("slow"));
    for (index, byte) in frame.iter().enumerate() {
        stream.write_all(&[*byte])?;
        if index == frame.len() / 2 {
            let envoy = session.envoy()?;
            poll::until("labels that are frozen without the frame", LIMIT, || {
                let unknown = [("source_workload", "unknown")];
                let opened = envoy.metrics()?.sum(OPENED, &unknown);
                Ok(if opened == 1.0 {
                    Look::Found(())
                } else {
                    Look::NotYet(opened.to_string())
                })
            })?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    stream.write_all(payload)?;
    wire::skip_frame(&mut stream)?;
    let mut echo = [0; 7];
    stream.read_exact(&mut echo)?;
    assert_eq!(&echo, payload);
    stream.shutdown(Shutdown::Write)?;
    assert_eq!(stream.read(&mut echo)?, 0);
    drop(stream);
    session.expect(&case)?;
    session.settled("slow")?;
    session.end(BOUND)
}

/// Fifty connections with the first 100 bytes of a frame take the memory of these bytes, not of
/// fifty frames.
#[test]
fn an_incomplete_frame_takes_the_memory_of_its_received_bytes() -> Result {
    let mut session = HostileSession::start("unended", Reporter::Destination, json!({}))?;
    let begun = wire::of_length(60_000)[..100].to_vec();
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = session.connect()?;
        stream.write_all(&begun)?;
        streams.push(stream);
    }
    // An interval later they are open, counted without the frames' labels, and take little memory.
    let nobody = session.labels(&[])?;
    for _ in &streams {
        session.expect_opened(&nobody);
    }
    session.settled("unended, open")?;
    session.play(
        &Case::exchanged("another", &wire::named("another"), b"payload")
            .labelled("workload", "another"),
    )?;
    assert!(session.growth()? < BOUND);
    for mut stream in streams {
        stream.shutdown(Shutdown::Write)?;
        assert_eq!(stream.read(&mut [0; 1])?, 0);
        session.expect_ended(&Case::truncated("unended", begun.clone(), b""), &nobody);
    }
    session.settled("unended")?;
    session.end(BOUND)
}
