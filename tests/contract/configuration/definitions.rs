//! `definitions[]`: metrics of the user's own, recorded once per connection.

use mesh::exposition::Labels;
use mesh::labels::{self, Reporter};
use mesh::testing::Result;
use serde_json::{Value, json};

use super::{Reported, at_intervals, becomes, flush_on_admin, tagged_db, tagged_web};
use crate::pair::Pair;

/// Without labels, unless `metrics[]` gives it some.
#[test]
fn a_counter_a_gauge_and_a_histogram() -> Result {
    let configuration = at_intervals(json!({
        "definitions": [
            { "name": "calls", "value": "10" },
            { "name": "bytes", "value": "size('12345')", "type": "COUNTER" },
            { "name": "level", "value": "7", "type": "GAUGE" },
            { "name": "weight", "value": "25", "type": "HISTOGRAM" },
        ],
        "metrics": [{ "name": "calls", "dimensions": { "role": "node.metadata['WORKLOAD_NAME']" } }],
    }));
    let pair = Pair::start("definitions", |mesh, service| {
        let client = |bootstrap: &mut Value| {
            tagged_web(bootstrap);
            flush_on_admin(bootstrap);
        };
        let server = |bootstrap: &mut Value| {
            tagged_db(bootstrap);
            flush_on_admin(bootstrap);
        };
        mesh.configuration(configuration)
            .edit_client(client)
            .service(service.edit(server))
    })?;
    let reported = Reported::of(pair)?;
    reported.is_exchanged_but(|_, _, _| {})?;
    for (reporter, workload) in [
        (Reporter::Source, "web-v2"),
        (Reporter::Destination, "db-v1"),
    ] {
        let envoy = reported.pair.sidecar(reporter)?;
        let none = Labels::new();
        becomes(
            envoy,
            "istio_calls",
            &labels::owned([("role", workload)]),
            10.0,
        )?;
        becomes(envoy, "istio_bytes", &none, 5.0)?;
        becomes(envoy, "istio_level", &none, 7.0)?;
        becomes(envoy, "istio_weight_count", &none, 1.0)?;
        let metrics = envoy.metrics()?;
        let bucket = |le| metrics.one("istio_weight_bucket", &[("le", le)]);
        assert_eq!((bucket("10")?.value, bucket("50")?.value), (0.0, 1.0));
    }
    Ok(())
}

/// As in modern Istio.
#[test]
fn a_standard_metric_cannot_be_defined_anew() -> Result {
    let configuration =
        json!({ "definitions": [{ "name": "tcp_sent_bytes_total", "value": "1" }] });
    let reported = Reported::with("redefined", configuration)?;
    reported.is_exchanged_but(|_, _, _| {})?;
    for reporter in Reporter::BOTH {
        let sent = reported
            .by(reporter)
            .one("istio_tcp_sent_bytes_total", &[])?;
        assert_eq!(sent.value, 12.0);
        let log = reported.pair.sidecar(reporter)?.log_text()?;
        let line = "definitions[0] has no effect: tcp_sent_bytes_total is a metric already";
        assert!(log.contains(line), "{log}");
    }
    Ok(())
}
