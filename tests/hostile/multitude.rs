//! Many of something: entries in a frame, names of workloads.

use mesh::labels::{OPENED, Reporter};
use serde_json::json;

use crate::case::Case;
use crate::siege::Siege;
use crate::wire::{entry, field, holding, metadata, structure, text};
use crate::{Result, wire};

const MIB: u64 = 1 << 20;
const NAMES: usize = 3000;
const MAX_SERIES: usize = 16;

/// A name for every number, as short as may be.
fn crowded(entries: u32) -> Case {
    let mut all: Vec<_> = (0..entries).map(nameless).collect();
    all.push(entry("WORKLOAD_NAME", &text("crowded")));
    let name = format!("{entries} entries");
    Case::exchanged(&name, &metadata(&all), b"payload").believed("workload", "crowded")
}

fn labelled(labels: u32) -> Case {
    let all: Vec<_> = (0..labels).map(nameless).collect();
    let frame = metadata(&[
        entry("WORKLOAD_NAME", &text("labelled")),
        entry("LABELS", &structure(&all)),
    ]);
    Case::exchanged(&format!("{labels} labels"), &frame, b"payload")
        .believed("workload", "labelled")
}

/// An entry without a value.
fn nameless(number: u32) -> Vec<u8> {
    let digits = (0..4).map(|place| b'0' + (number >> (place * 6) & 63) as u8);
    field(1, &field(1, &digits.collect::<Vec<_>>()))
}

/// As many as the largest cap takes: 100,000 with names, half a million without.
#[test]
fn entries_within_the_largest_cap() -> Result {
    let mut siege = Siege::lay(
        "entries",
        Reporter::Destination,
        json!({ "max_frame_bytes": MIB }),
    )?;
    let nothing = holding(&b"\x0a\x00".repeat(500_000));
    let nothing = Case::no_metadata("half a million empty entries", &nothing);
    let round = [crowded(100_000), labelled(100_000), nothing];
    for case in &round {
        siege.play(case)?;
    }
    // A guest's memory never shrinks, but what is given back is used again.
    let once = siege.growth()?;
    for case in round.iter().cycle().take(12) {
        siege.play(case)?;
    }
    let often = siege.growth()?;
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
    siege.lift(96 * MIB)
}

#[test]
fn entries_within_the_default_cap() -> Result {
    let mut siege = Siege::lay("cap", Reporter::Destination, json!({}))?;
    for _ in 0..10 {
        for case in [crowded(5000), labelled(4000)].iter().cycle().take(20) {
            siege.send(case)?;
            siege.expect(case)?;
        }
        siege.settled("ten times")?;
    }
    siege.lift(48 * MIB)
}

/// A peer that calls itself something else every time gets its own series until they are all taken,
/// and then shares one.
#[test]
fn names_without_number() -> Result {
    let limits = json!({ "max_series": MAX_SERIES });
    let mut siege = Siege::lay("names", Reporter::Destination, limits)?;
    // The bystander has one.
    let own = MAX_SERIES - 1;
    for number in 0..NAMES {
        let name = format!("name-{number}");
        let case = Case::exchanged(&name, &wire::named(&name), b"payload");
        siege.send(&case)?;
        if number < own {
            siege.expect(&case.believed("workload", name))?;
        } else {
            let coarse = ["workload_namespace", "principal"];
            let case = coarse
                .iter()
                .fold(case, |case, label| case.believed(label, "unknown"));
            siege.expect(&case)?;
            siege.overflow();
        }
    }
    siege.settled("names")?;
    let told = siege.envoy()?.metrics()?.named(OPENED).count();
    assert_eq!(told, MAX_SERIES + 1, "one more for all the others");
    siege.lift(48 * MIB)
}
