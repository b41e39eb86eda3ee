//! The filter's series after its configuration or its module changes, and after it is removed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mesh::Counts;
use mesh::labels::OPENED;
use mesh::testing::{LIMIT, Result};

use crate::fixture::expect;
use crate::reload::Reloaded;

/// Longer than a test takes on a busy machine.
const DRAIN: Duration = Duration::from_secs(10);

fn echo(stream: &mut TcpStream) -> Result {
    stream.write_all(b"12345")?;
    expect(stream, b"12345")
}

/// An Envoy with three connections behind it and one that is open, each with five bytes each way.
fn start(name: &str) -> Result<(Reloaded, TcpStream)> {
    let reloaded = Reloaded::start(name, DRAIN)?;
    let mut held = reloaded.connect()?;
    held.set_read_timeout(Some(DRAIN + LIMIT))?;
    echo(&mut held)?;
    for _ in 0..3 {
        echo(&mut reloaded.connect()?)?;
    }
    reloaded.report(counts(4, 3))?;
    Ok((reloaded, held))
}

/// Five bytes each way on each connection.
fn counts(opened: u64, closed: u64) -> Counts {
    Counts {
        opened,
        closed,
        received: 5 * opened,
        sent: 5 * opened,
    }
}

/// The same, and five bytes more on the connection that was open at the update.
fn with_update(counts: Counts) -> Counts {
    Counts {
        received: counts.received + 5,
        sent: counts.sent + 5,
        ..counts
    }
}

/// Waits until Envoy has closed the connection and deleted the old generation.
fn drained(reloaded: &Reloaded, mut held: TcpStream) -> Result {
    assert_eq!(held.read(&mut [0])?, 0);
    reloaded.deleted(1)
}

// Shows: filter/docs/failures.md, "A changed plugin configuration does not change the series"
#[test]
fn a_changed_configuration_keeps_the_series() -> Result {
    let (reloaded, mut held) = start("update-configuration")?;
    reloaded.update(1, Some(&reloaded.module))?;
    echo(&mut held)?;
    drained(&reloaded, held)?;
    reloaded.report(with_update(counts(4, 4)))?;
    echo(&mut reloaded.connect()?)?;
    reloaded.report(with_update(counts(5, 5)))
}

// Shows: filter/docs/failures.md, "its series vanish, even if bytes passed on its old connections."
// Shows: filter/docs/operations.md, "A link without one starts again at 0 with its next connection"
#[test]
fn a_changed_module_starts_quiet_series_anew() -> Result {
    let (reloaded, mut held) = start("update-module-quiet")?;
    reloaded.update(1, Some(&reloaded.other_module))?;
    echo(&mut held)?;
    reloaded.report(with_update(counts(4, 3)))?;
    drained(&reloaded, held)?;
    reloaded.report(Counts::default())?;
    assert_eq!(reloaded.envoy.metrics()?.named(OPENED).count(), 0);
    echo(&mut reloaded.connect()?)?;
    reloaded.report(counts(1, 1))
}

// Shows: filter/docs/failures.md, "series of both VMs continue: no reset, no loss"
#[test]
fn a_changed_module_continues_series_that_move_during_the_drain() -> Result {
    let (reloaded, mut held) = start("update-module-busy")?;
    reloaded.update(1, Some(&reloaded.other_module))?;
    echo(&mut held)?;
    let mut new = reloaded.connect()?;
    echo(&mut new)?;
    reloaded.report(with_update(counts(5, 3)))?;
    drained(&reloaded, held)?;
    reloaded.report(with_update(counts(5, 4)))?;
    drop(new);
    echo(&mut reloaded.connect()?)?;
    reloaded.report(with_update(counts(6, 6)))
}

// Shows: filter/docs/failures.md, "Removing the filter removes its series"
// Shows: filter/docs/operations.md, "Its series vanish when the drain ends"
#[test]
fn removing_the_filter_removes_its_series() -> Result {
    let (reloaded, mut held) = start("update-removed")?;
    reloaded.update(1, None)?;
    echo(&mut held)?;
    echo(&mut reloaded.connect()?)?;
    reloaded.report(with_update(counts(4, 3)))?;
    drained(&reloaded, held)?;
    reloaded.report(Counts::default())?;
    assert_eq!(reloaded.envoy.metrics()?.named(OPENED).count(), 0);
    Ok(())
}

// Shows: filter/docs/operations.md, "The listener was not updated; the old listener still serves."
#[test]
fn a_refused_configuration_leaves_the_old_listener_in_place() -> Result {
    let (reloaded, mut held) = start("update-refused")?;
    reloaded.refuse()?;
    let log = reloaded.envoy.log_text()?;
    assert!(log.contains("configuration rejected"), "{log}");
    assert!(log.contains("limits.max_serious"), "{log}");
    echo(&mut held)?;
    echo(&mut reloaded.connect()?)?;
    reloaded.report(with_update(counts(5, 4)))
}
