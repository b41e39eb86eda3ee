//! Frames with many entries, and peers with many names.

use mesh::labels::{OPENED, Reporter};
use mesh::testing::Result;
use serde_json::json;

use crate::case::Case;
use crate::session::HostileSession;
use crate::wire;
use crate::wire::{entry, field, holding, metadata, structure, text};

const MIB: u64 = 1 << 20;
const NAMES: usize = 3000;
const MAX_SERIES: usize = 16;

/// A frame with this many entries.
fn crowded(entries: u32) -> Case {
    let mut all: Vec<_> = (0..entries).map(nameless).collect();
    all.push(entry("WORKLOAD_NAME", &text("crowded")));
    let name = format!("{entries} entries");
    Case::exchanged(&name, &metadata(&all), b"payload").labelled("workload", "crowded")
}

/// A frame with this many labels.
fn labelled(labels: u32) -> Case {
    let all: Vec<_> = (0..labels).map(nameless).collect();
    let frame = metadata(&[
        entry("WORKLOAD_NAME", &text("labelled")),
        entry("LABELS", &structure(&all)),
    ]);
    Case::exchanged(&format!("{labels} labels"), &frame, b"payload")
        .labelled("workload", "labelled")
}

/// An entry with a short name for every number, and without a value.
fn nameless(number: u32) -> Vec<u8> {
    let digits = (0..4).map(|place| b'0' + (number >> (place * 6) & 63) as u8);
    field(1, &field(1, &digits.collect::<Vec<_>>()))
}

/// Frames of the largest `max_frame_bytes`: 100,000 entries with names, half a million without.
#[test]
fn memory_is_bounded_with_the_largest_frame_limit() -> Result {
    let mut session = HostileSession::start(
        "entries",
        Reporter::Destination,
        json!({ "max_frame_bytes": MIB }),
    )?;
    let nothing = holding(&b"\x0a\x00".repeat(500_000));
    let nothing = Case::no_metadata("half a million empty entries", &nothing);
    let round = [crowded(100_000), labelled(100_000), nothing];
    for case in &round {
        session.play(case)?;
    }
    // A guest's memory never shrinks, but freed memory is used again.
    let once = session.growth()?;
    for case in round.iter().cycle().take(12) {
        session.play(case)?;
    }
    let often = session.growth()?;
    eprintln!(
        "the largest frames cost {} MiB, five times {} MiB",
        once / MIB,
        often / MIB
    );
    assert!(
        often < once + 16 * MIB,
        "{} MiB, then {} MiB",
        once / MIB,
        often / MIB
    );
    session.end(96 * MIB)
}

#[test]
fn memory_is_bounded_with_the_default_frame_limit() -> Result {
    let mut session = HostileSession::start("cap", Reporter::Destination, json!({}))?;
    for _ in 0..10 {
        for case in [crowded(5000), labelled(4000)].iter().cycle().take(20) {
            session.send(case)?;
            session.expect(case)?;
        }
        session.settled("ten times")?;
    }
    session.end(48 * MIB)
}

/// A peer with a new name on every connection gets new series up to `max_series`; further names
/// share one series.
#[test]
fn names_beyond_max_series_share_one_series() -> Result {
    let limits = json!({ "max_series": MAX_SERIES });
    let mut session = HostileSession::start("names", Reporter::Destination, limits)?;
    // The background connection has one.
    let own = MAX_SERIES - 1;
    for number in 0..NAMES {
        let name = format!("name-{number}");
        let case = Case::exchanged(&name, &wire::named(&name), b"payload");
        session.send(&case)?;
        if number < own {
            session.expect(&case.labelled("workload", name))?;
        } else {
            let coarse = ["workload_namespace", "principal"];
            let case = coarse
                .iter()
                .fold(case, |case, label| case.labelled(label, "unknown"));
            session.expect(&case)?;
            session.expect_overflow();
        }
    }
    session.settled("names")?;
    let series = session.envoy()?.metrics()?.named(OPENED).count();
    assert_eq!(series, MAX_SERIES + 1, "one more for all other names");
    session.end(48 * MIB)
}
