//! A small soak. The large one is `cargo soak --concurrent 9000 --connections 300000`.

use dev::soak::{self, Options};
use mesh::Counts;

#[test]
fn no_connection_and_no_byte_is_lost() -> mesh::Result<()> {
    let report = soak::soak(&Options {
        concurrent: 200,
        connections: 1000,
        seconds: 0,
        json: false,
    })?;
    assert_eq!(report.concurrent, 200);
    let Counts {
        opened,
        closed,
        received,
        sent,
    } = report.counts;
    // The warm-up adds a thousand connections.
    assert_eq!((opened, closed), (2200, 2200));
    assert!(received > 0 && received == sent, "{report}");
    assert!(report.is_clean(), "{report}");

    // A lost connection at one end is found.
    let mut short = report;
    short.sidecars[0].counts.opened -= 1;
    assert_eq!(short.losses(), 1);
    assert!(!short.is_clean());
    Ok(())
}
