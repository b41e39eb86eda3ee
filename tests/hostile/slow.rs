//! A frame that takes its time: longer than the filter waits with a connection's labels.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mesh::labels::{OPENED, Reporter};
use mesh::poll::{self, Look};
use serde_json::json;

use crate::case::Case;
use crate::siege::Siege;
use crate::{Result, wire};

const BOUND: u64 = 48 << 20;
const LIMIT: Duration = Duration::from_secs(30);

/// It is taken off all the same, but comes too late for the labels.
#[test]
fn a_frame_byte_by_byte_over_many_intervals() -> Result {
    let mut siege = Siege::lay("slow", Reporter::Destination, json!({}))?;
    let case = Case::exchanged("slow", &wire::named("slow"), b"payload");
    let mut stream = siege.connect()?;
    stream.set_nodelay(true)?;
    let (payload, frame) = (b"payload", wire::named("slow"));
    for (index, byte) in frame.iter().enumerate() {
        stream.write_all(&[*byte])?;
        if index == frame.len() / 2 {
            let envoy = siege.envoy()?;
            poll::until("the labels being settled without the frame", LIMIT, || {
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
    siege.expect(&case)?;
    siege.settled("slow")?;
    siege.lift(BOUND)
}

/// Fifty connections that begin a frame and never go on cost fifty beginnings, not fifty frames.
#[test]
fn beginnings_without_an_end() -> Result {
    let mut siege = Siege::lay("unended", Reporter::Destination, json!({}))?;
    let begun = wire::of_length(60_000)[..100].to_vec();
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut stream = siege.connect()?;
        stream.write_all(&begun)?;
        streams.push(stream);
    }
    // A whole interval later they are still there, counted as what is known of them, and cost next
    // to nothing.
    let nobody = siege.labels(&[])?;
    for _ in &streams {
        siege.opens(&nobody);
    }
    siege.settled("unended, open")?;
    siege.play(
        &Case::exchanged("another", &wire::named("another"), b"payload")
            .believed("workload", "another"),
    )?;
    assert!(siege.growth()? < BOUND);
    for mut stream in streams {
        stream.shutdown(Shutdown::Write)?;
        assert_eq!(stream.read(&mut [0; 1])?, 0);
        siege.ends(&Case::truncated("unended", begun.clone(), b""), &nobody);
    }
    siege.settled("unended")?;
    siege.lift(BOUND)
}
