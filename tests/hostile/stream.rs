//! Frames where none belong, and payload that looks like one.

use mesh::labels::Reporter;
use serde_json::json;

use crate::case::Case;
use crate::siege::Siege;
use crate::{Result, wire};

const BOUND: u64 = 48 << 20;

fn cases() -> Vec<Case> {
    let frame = wire::named("replayed");
    let middle = [b"select 1;", frame.as_slice(), b"select 2;"].concat();
    let replayed =
        |name: &str| Case::exchanged(name, &frame, b"payload").believed("workload", "replayed");
    vec![
        Case::absent("a frame in the middle", &middle),
        Case::absent(
            "a frame behind one byte",
            &[b"x", frame.as_slice()].concat(),
        ),
        Case::absent(
            "a frame behind half a magic",
            &[b"=#", frame.as_slice()].concat(),
        ),
        Case::absent("three bytes of the magic", b"=#\x04 is how it begins"),
        Case::absent("the magic backwards", b"g\x04#="),
        Case::too_large(
            "the magic as payload",
            b"=#\x04gis all that it takes".to_vec(),
        ),
        Case::too_large("nothing but magics", b"=#\x04g".repeat(1000)),
        replayed("a frame"),
        replayed("the same frame on another connection"),
        Case::exchanged(
            "the same frame twice",
            &frame,
            &[frame.as_slice(), b"payload"].concat(),
        )
        .believed("workload", "replayed")
        .and("duplicate"),
        Case::exchanged("a frame late in the payload", &frame, &middle)
            .believed("workload", "replayed"),
        Case::exchanged("a frame of frames", &frame, &frame.repeat(1000))
            .believed("workload", "replayed")
            .and("duplicate"),
        Case::exchanged("a frame and half a magic", &frame, b"=#").believed("workload", "replayed"),
        Case::exchanged("a frame and nothing", &frame, b"").believed("workload", "replayed"),
    ]
}

// Shows: filter/docs/peer-exchange.md, "No other content from a peer closes a connection."
#[test]
fn of_clients() -> Result {
    play(Reporter::Destination)
}

#[test]
fn of_servers() -> Result {
    play(Reporter::Source)
}

fn play(reporter: Reporter) -> Result {
    let mut siege = Siege::lay("stream", reporter, json!({}))?;
    for case in cases() {
        siege.play(&case)?;
    }
    siege.lift(BOUND)
}
