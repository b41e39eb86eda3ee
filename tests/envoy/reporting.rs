//! Reports at every tick while a connection is open, and at its end.

use std::io::Write;

use mesh::Counts;
use mesh::apps::{self, App};
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use serde_json::json;

use crate::fixture::{Fixture, SERVICE, expect};

#[test]
fn an_open_connection_is_reported_at_every_tick() -> Result {
    let fixture = Fixture::start("open", App::start(apps::echo)?)?;
    let mut stream = fixture.connect()?;
    let mut bytes = 0;
    // Each round waits for a report of its own, so the connection is open over three ticks at
    // least.
    for message in [b"one".as_slice(), b"three", b"fourteen bytes"] {
        stream.write_all(message)?;
        expect(&mut stream, message)?;
        bytes += message.len() as u64;
        fixture.check_both(Counts {
            opened: 1,
            closed: 0,
            received: bytes,
            sent: bytes,
        })?;
    }
    drop(stream);
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: bytes,
        sent: bytes,
    })
}

#[test]
fn an_idle_connection_is_reported_before_it_closes() -> Result {
    let fixture = Fixture::start("idle", App::start(apps::echo)?)?;
    let stream = fixture.connect()?;
    // No byte passes, so there is no exchange: the labels are those of the certificates and the
    // control plane.
    for reporter in Reporter::BOTH {
        poll::until("the open connection being reported", LIMIT, || {
            let reported = fixture.mesh.reported(reporter, SERVICE)?;
            Ok(match reported.open() {
                1 => Look::Found(()),
                _ => Look::NotYet(format!("{reported:?}")),
            })
        })?;
    }
    drop(stream);
    for reporter in Reporter::BOTH {
        let metrics = fixture.mesh.all_closed(reporter, SERVICE)?;
        let selector = [("reporter", reporter.as_str())];
        let opened = metrics.one(OPENED, &selector)?;
        let closed = metrics.one(CLOSED, &selector)?;
        assert_eq!(opened.labels, closed.labels);
        assert_eq!((opened.value, closed.value), (1.0, 1.0));
        let expected = fixture.labels(reporter)?;
        let principal = "source_principal";
        assert_eq!(opened.labels.get(principal), expected.get(principal));
    }
    Ok(())
}

#[test]
fn without_an_interval_everything_is_reported_at_the_close() -> Result {
    let app = App::start(apps::echo)?;
    let fixture = Fixture::configured("at-close", app, json!({ "tcp_reporting_duration": "0" }))?;
    let mut stream = fixture.connect()?;
    stream.write_all(b"hello")?;
    expect(&mut stream, b"hello")?;
    for reporter in Reporter::BOTH {
        let metrics = fixture.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        for metric in [OPENED, CLOSED, SENT, RECEIVED] {
            assert_eq!(metrics.sum(metric, &[]), 0.0, "{metric} of {reporter}");
        }
    }
    drop(stream);
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 5,
        sent: 5,
    })
}
