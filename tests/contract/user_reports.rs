//! Problems that users of Istio's TCP metrics report, each as the property that prevents it.

mod population;

use std::collections::BTreeSet;
use std::io::{Read, Write};

use mesh::Counts;
use mesh::apps::{self, App};
use mesh::exposition::{Exposition, Labels};
use mesh::labels::{CLOSED, METRICS, OPENED, RECEIVED, Reporter, SENT};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};

use self::population::Population;
use crate::pair::{Pair, greet, mode};

/// "Source and destination of my database's traffic are `unknown`, and nothing tells me why."
///
/// If both sidecars exchange their metadata, no label of any series is unknown, even for a
/// connection without a byte. The exception is the security policy, which Istio does not set at the
/// source. If one does not, the counter of exchanges has the reason.
#[test]
fn unknown_labels_have_a_reason_and_there_are_none_after_an_exchange() -> Result {
    let exchanged = Pair::start("report-exchanged", |mesh, service| mesh.service(service))?;
    greet(exchanged.connect()?)?;
    drop(exchanged.connect()?);
    for reporter in Reporter::BOTH {
        let metrics = ended(&exchanged, reporter, 2)?;
        for series in metrics
            .iter()
            .filter(|series| METRICS.contains(&series.name.as_str()))
        {
            let unknown = unknown_labels(&series.labels);
            let never = match reporter {
                Reporter::Source => vec!["connection_security_policy"],
                Reporter::Destination => vec![],
            };
            assert_eq!(unknown, never, "{series}");
        }
        assert_eq!(reasons(&exchanged, reporter, 2)?, ["exchanged"]);
    }
    let off = Pair::start("report-off", |mesh, service| {
        mesh.client_filter(mode("off")).service(service)
    })?;
    greet(off.connect()?)?;
    for (reporter, reason) in [
        (Reporter::Source, "not_attempted"),
        (Reporter::Destination, "absent"),
    ] {
        let metrics = ended(&off, reporter, 1)?;
        assert_ne!(unknown_labels(&metrics.one(OPENED, &[])?.labels), [""; 0]);
        assert_eq!(reasons(&off, reporter, 1)?, [reason]);
    }
    Ok(())
}

/// "My connection pool is open for days and its metrics come when it closes."
///
/// Every connection is reported with its bytes so far while it is open: one without bytes, one
/// whose server does not answer, one whose server sends first, and one with bytes both ways.
#[test]
fn open_connections_are_reported() -> Result {
    let population = Population::start("report-close", 1)?;
    let _silent = population.connect("lines")?;
    let _unanswered = population.send(b"hush\n")?;
    let _answered = greet(population.connect("lines")?)?;
    let mut greeted = population.connect("greeter")?;
    greeted.read_exact(&mut [0; 8])?;
    let lines = Counts {
        opened: 3,
        closed: 0,
        received: 5 + 6,
        sent: 12,
    };
    let greeter = Counts {
        opened: 1,
        closed: 0,
        received: 0,
        sent: 8,
    };
    for reporter in Reporter::BOTH {
        population.reports(reporter, "lines", lines)?;
        population.reports(reporter, "greeter", greeter)?;
    }
    Ok(())
}

/// "Opened minus closed should be what is open, but it grows, or is negative: a connection opens
/// under one label set and closes under another."
///
/// All four metrics have the same label sets. In no scrape has a series more closed than opened
/// connections, and the difference is the number of open ones. When all connections are closed, the
/// two are equal in every series. This holds however a connection ends.
// Shows: README.md, "opened − closed is the number of open connections in every series"
#[test]
fn opened_and_closed_agree_in_every_series() -> Result {
    let population = Population::start("report-disagree", 1)?;
    let open = population.play()?;
    for (metrics, expected) in population.settle()? {
        same_label_sets(&metrics);
        let difference = metrics.sum(OPENED, &[]) - metrics.sum(CLOSED, &[]);
        assert_eq!(difference, expected as f64, "{metrics:?}");
    }
    population.end(open)?;
    for (metrics, expected) in population.settle()? {
        same_label_sets(&metrics);
        assert_eq!(expected, 0, "open connections");
        for (opened, closed) in metrics.named(OPENED).zip(metrics.named(CLOSED)) {
            assert_eq!(opened.labels, closed.labels, "Envoy sorts by label set");
            assert_eq!(opened.value, closed.value, "{opened}");
        }
    }
    Ok(())
}

/// "Two series with one label set: Prometheus refuses the whole scrape."
///
/// There are none with several listeners in one VM, with several workers that have a VM each, and
/// when the same peers connect again.
#[test]
fn duplicate_series_are_never_exposed() -> Result {
    let population = Population::start("report-duplicates", 2)?;
    let open = population.play()?;
    population.settle()?;
    population.end(open)?;
    population.end(population.play()?)?;
    for (metrics, _) in population.settle()? {
        assert!(
            metrics.duplicates().is_empty(),
            "{:?}",
            metrics.duplicates()
        );
        same_label_sets(&metrics);
    }
    Ok(())
}

/// "Is a download sent or received, and why do the two sidecars disagree? Why more bytes than I
/// sent?"
///
/// On both reporters `received` counts the bytes that the client's application sent, and `sent` the
/// bytes that it received: payload alone, without the frames of the exchange and without TLS.
// Shows: README.md, "payload bytes from the client to the server, **on both reporters**"
// Shows: README.md, "Bytes of frames are not counted."
#[test]
fn sent_and_received_are_the_applications_bytes_on_both_reporters() -> Result {
    const DOWNLOAD: usize = 300_000;
    let app = App::start(apps::source(DOWNLOAD))?;
    let pair = Pair::in_front_of("report-bytes", app, |mesh, service| mesh.service(service))?;
    let mut stream = pair.connect()?;
    stream.write_all(b"get")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    assert_eq!(answer.len(), DOWNLOAD);
    drop(stream);
    for reporter in Reporter::BOTH {
        let metrics = ended(&pair, reporter, 1)?;
        assert_eq!(metrics.one(RECEIVED, &[])?.value, 3.0, "{reporter}");
        assert_eq!(metrics.one(SENT, &[])?.value, DOWNLOAD as f64, "{reporter}");
    }
    Ok(())
}

fn unknown_labels(labels: &Labels) -> Vec<&str> {
    let unknown = labels.iter().filter(|(_, value)| *value == "unknown");
    unknown.map(|(label, _)| label.as_str()).collect()
}

/// Waits until this many exchanges have ended. Returns their results.
fn reasons(pair: &Pair, reporter: Reporter, count: u64) -> Result<Vec<String>> {
    const EXCHANGES: &str = "istio_tcp_peer_exchange_total";
    let envoy = pair.sidecar(reporter)?;
    let reasons = poll::until(&format!("{count} exchanges to end"), LIMIT, || {
        let metrics = envoy.metrics()?;
        let results = metrics.named(EXCHANGES).filter(|series| series.value > 0.0);
        let results = results
            .map(|series| series.labels["result"].clone())
            .collect();
        let sum = metrics.sum(EXCHANGES, &[("reporter", reporter.as_str())]);
        Ok(if sum == count as f64 {
            Look::Found(results)
        } else {
            Look::NotYet(format!("{sum}: {results:?}"))
        })
    })?;
    Ok(reasons)
}

/// Waits until this many connections were opened and closed.
fn ended(pair: &Pair, reporter: Reporter, count: u64) -> Result<Exposition> {
    let envoy = pair.sidecar(reporter)?;
    let metrics = poll::until(&format!("{count} connections of {reporter}"), LIMIT, || {
        let metrics = envoy.metrics()?;
        let counts = Counts::reported(&metrics, &[]);
        Ok(if (counts.opened, counts.closed) == (count, count) {
            Look::Found(metrics)
        } else {
            Look::NotYet(format!("{counts:?}"))
        })
    })?;
    Ok(metrics)
}

fn same_label_sets(metrics: &Exposition) {
    let label_sets = |metric| -> BTreeSet<&Labels> {
        metrics.named(metric).map(|series| &series.labels).collect()
    };
    let opened = label_sets(OPENED);
    assert!(!opened.is_empty());
    for metric in METRICS {
        assert_eq!(label_sets(metric), opened, "{metric}");
    }
}
