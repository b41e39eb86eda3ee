//! Frames in the middle of a stream, and payload that looks like a frame.

use mesh::labels::Reporter;
use mesh::testing::Result;
use serde_json::json;

use crate::case::Case;
use crate::session::HostileSession;
use crate::wire;

const BOUND: u64 = 48 << 20;

fn cases() -> Vec<Case> {
    let frame = wire::named("replayed");
    let middle = [b"select 1;", frame.as_slice(), b"select 2;"].concat();
    let replayed =
        |name: &str| Case::exchanged(name, &frame, b"payload").labelled("workload", "replayed");
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
        .labelled("workload", "replayed")
        .and_result("duplicate"),
        Case::exchanged("a frame late in the payload", &frame, &middle)
            .labelled("workload", "replayed"),
        Case::exchanged("a frame of frames", &frame, &frame.repeat(1000))
            .labelled("workload", "replayed")
            .and_result("duplicate"),
        Case::exchanged("a frame and half a magic", &frame, b"=#").labelled("workload", "replayed"),
        Case::exchanged("a frame and nothing", &frame, b"").labelled("workload", "replayed"),
    ]
}

// Shows: filter/docs/peer-exchange.md, "No other content from a peer closes a connection."
#[test]
fn only_a_clients_first_bytes_are_a_frame() -> Result {
    play(Reporter::Destination)
}

#[test]
fn only_a_servers_first_bytes_are_a_frame() -> Result {
    play(Reporter::Source)
}

fn play(reporter: Reporter) -> Result {
    let mut session = HostileSession::start("stream", reporter, json!({}))?;
    for case in cases() {
        session.play(&case)?;
    }
    session.end(BOUND)
}
