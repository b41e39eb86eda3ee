//! The lengths that a frame's header can announce.

use mesh::labels::Reporter;
use mesh::testing::Result;

use crate::case::Case;
use crate::session::HostileSession;
use crate::wire;

const CAP: usize = 65_536;
const BOUND: u64 = 48 << 20;

/// Where encodings and buffers change: varints, TLS records, Envoy's slices, the cap.
const LENGTHS: [usize; 26] = [
    0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 127, 128, 129, 255, 256, 1023, 4095, 4096, 16_383, 16_384,
    16_385, 32_767, 32_768, 65_534, 65_535, CAP,
];
const TOO_LARGE: [u32; 6] = [
    CAP as u32 + 1,
    1 << 17,
    1 << 24,
    0x7fff_ffff,
    0x8000_0000,
    u32::MAX,
];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for length in LENGTHS {
        let name = format!("{length} bytes of zeros");
        cases.push(Case::malformed(name, &wire::frame(&vec![0; length])));
        if length > 0 {
            let missing = [wire::header(length as u32), vec![0; length - 1]].concat();
            cases.push(Case::truncated(
                format!("one byte less than {length}"),
                missing,
                b"",
            ));
        }
    }
    for length in [300, 16_384, CAP - 1, CAP] {
        let name = format!("a valid frame of {length} bytes");
        let case = Case::exchanged(&name, &wire::of_length(length), b"payload");
        cases.push(case.labelled("workload", "long"));
    }
    for length in TOO_LARGE {
        let sends = [wire::header(length), b"never seen".to_vec()].concat();
        cases.push(Case::too_large(format!("{length} announced"), sends));
    }
    cases.push(Case::too_large(
        "a valid frame over the cap",
        wire::of_length(CAP + 1),
    ));
    for length in 1..8 {
        let begun: Vec<u8> = wire::header(5).into_iter().take(length).collect();
        let name = format!("the end after {length} bytes of a header");
        cases.push(Case::truncated(name, begun.clone(), &begun));
    }
    cases.push(Case::truncated(
        "the end after a header",
        wire::header(5),
        b"",
    ));
    cases
}

#[test]
fn every_frame_length_of_a_client_has_its_result() -> Result {
    play(Reporter::Destination)
}

#[test]
fn every_frame_length_of_a_server_has_its_result() -> Result {
    play(Reporter::Source)
}

fn play(reporter: Reporter) -> Result {
    let mut session = HostileSession::start("lengths", reporter, serde_json::json!({}))?;
    for case in cases() {
        session.play(&case)?;
    }
    session.end(BOUND)
}
