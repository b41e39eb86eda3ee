//! `metrics[]`: `name`, `dimensions`, `tags_to_remove`, `match`, `drop`.

use mesh::labels::{METRICS, OPENED, Reporter};
use mesh::testing::Result;
use serde_json::json;

use super::{Reported, remove, set};

#[test]
fn dimensions_replace_and_add_labels() -> Result {
    let configuration = json!({ "metrics": [
        { "dimensions": { "source_app": "'shown'", "role": "'any'" } },
    ] });
    Reported::with("dimensions", configuration)?.is_exchanged_but(|_, _, labels| {
        set(labels, [("source_app", "shown"), ("role", "any")]);
    })
}

/// Its stats tag says where a label begins, or Envoy would find `app` in `source_app`. The log says
/// so too.
#[test]
fn a_label_may_be_named_like_the_tail_of_another() -> Result {
    let configuration = json!({ "metrics": [{ "dimensions": { "app": "'mine'" } }] });
    let reported = Reported::with("tail", configuration)?;
    reported.is_exchanged_but(|_, _, labels| set(labels, [("app", "mine")]))?;
    let log = reported.pair.sidecar(Reporter::Source)?.log_text()?;
    assert!(
        log.contains("metrics[0].dimensions.app: app ends like source_app"),
        "{log}"
    );
    Ok(())
}

#[test]
fn name_chooses_one_metric() -> Result {
    let configuration = json!({ "metrics": [
        { "name": "tcp_connections_opened_total", "dimensions": { "role": "'opened'" } },
    ] });
    Reported::with("name", configuration)?.is_exchanged_but(|metric, _, labels| {
        if metric == OPENED {
            set(labels, [("role", "opened")]);
        }
    })
}

#[test]
fn tags_to_remove_takes_labels_off() -> Result {
    let configuration = json!({ "metrics": [
        { "tags_to_remove": ["source_principal", "destination_principal", "no_such_label"] },
        { "name": "tcp_connections_opened_total", "tags_to_remove": ["source_version"] },
    ] });
    Reported::with("tags", configuration)?.is_exchanged_but(|metric, _, labels| {
        remove(labels, ["source_principal", "destination_principal"]);
        if metric == OPENED {
            remove(labels, ["source_version"]);
        }
    })
}

/// Istio 1.7's test of a customised configuration.
#[test]
fn a_later_entry_brings_back_what_an_earlier_one_removed() -> Result {
    let configuration = json!({ "metrics": [
        { "tags_to_remove": ["response_flags", "source_principal"] },
        { "dimensions": { "source_principal": "'back'" } },
    ] });
    Reported::with("entries", configuration)?.is_exchanged_but(|_, _, labels| {
        remove(labels, ["response_flags"]);
        set(labels, [("source_principal", "back")]);
    })
}

/// As in Istio; never an empty value.
#[test]
fn an_expression_without_a_value_is_unknown() -> Result {
    let configuration = json!({ "metrics": [
        { "dimensions": { "role": "node.metadata['NOT_THERE']", "note": "''" } },
    ] });
    Reported::with("unknown", configuration)?.is_exchanged_but(|_, _, labels| {
        set(labels, [("role", "unknown"), ("note", "unknown")]);
    })
}

#[test]
fn drop_leaves_a_metric_out() -> Result {
    let configuration = json!({ "metrics": [
        { "name": "tcp_received_bytes_total", "drop": true },
    ] });
    let reported = Reported::with("drop", configuration)?;
    for reporter in Reporter::BOTH {
        for metric in METRICS {
            let series = reported.by(reporter).named(metric).count();
            let expected = usize::from(metric != "istio_tcp_received_bytes_total");
            assert_eq!(series, expected, "{metric} of {reporter}");
        }
    }
    Ok(())
}

/// Declared by Istio and never implemented: here it chooses connections.
#[test]
fn match_chooses_connections() -> Result {
    let configuration = json!({ "metrics": [
        { "match": "connection.mtls", "dimensions": { "role": "'proven'" } },
        { "match": "cluster_name.startsWith('outbound|')", "tags_to_remove": ["source_app"] },
        { "match": "cluster_name == 'another'", "drop": true },
    ] });
    Reported::with("match", configuration)?.is_exchanged_but(|_, reporter, labels| match reporter {
        Reporter::Source => remove(labels, ["source_app"]),
        Reporter::Destination => set(labels, [("role", "proven")]),
    })
}
