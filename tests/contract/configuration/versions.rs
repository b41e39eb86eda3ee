//! Whole configurations of Istio 1.7 and of current releases have the same effect as in Istio.

use mesh::Filter;
use mesh::labels::Reporter;
use mesh::situation::without_exchange;
use mesh::testing::Result;
use serde_json::{Value, json};

use super::{Reported, at_intervals, set};
use crate::pair::{LISTENER, Pair, at, db, web};

/// The configuration in the EnvoyFilters of Istio 1.7's Helm chart, with the dimensions for several
/// clusters, which are standard labels today.
#[test]
fn istio_1_7() -> Result {
    let outbound = json!({
        "debug": "false",
        "stat_prefix": "istio",
        "metrics": [{ "dimensions": {
            "source_cluster": "node.metadata['CLUSTER_ID']",
            "destination_cluster": "upstream_peer.cluster_id",
        } }],
    });
    let inbound = json!({
        "debug": "false",
        "stat_prefix": "istio",
        "metrics": [{ "dimensions": {
            "destination_cluster": "node.metadata['CLUSTER_ID']",
            "source_cluster": "downstream_peer.cluster_id",
        } }],
    });
    let pair = Pair::start("istio-1-7", |mesh, service| {
        let inbound = Filter::Configured(at_intervals(inbound));
        mesh.client_filter(Filter::Configured(at_intervals(outbound)))
            .service(service.filter(inbound))
    })?;
    Reported::of(pair)?.is_exchanged_but(|_, _, _| {})
}

/// The configuration that istiod generates from the Telemetry API: camelCase, seconds, retired
/// fields.
#[test]
fn modern_istio() -> Result {
    let configuration = json!({
        "disableHostHeaderFallback": true,
        "tcpReportingDuration": "1s",
        "metrics": [{ "tagsToRemove": ["request_protocol"], "drop": false }],
        "reporter": "UNSPECIFIED",
        "rotationInterval": "0s",
        "gracefulDeletionInterval": "300s",
    });
    Reported::with("modern", configuration)?.is_exchanged_but(|_, _, labels| {
        labels.remove("request_protocol");
    })
}

/// The same dimensions in the syntax of both.
#[test]
fn both_mean_the_same() -> Result {
    let then = json!({ "metrics": [{
        "dimensions": { "role": "downstream_peer.labels['app'].value", "side": "node.metadata['NAMESPACE']" },
        "tags_to_remove": ["response_flags"],
    }] });
    let now = json!({ "metrics": [{
        "dimensions": {
            "role": "filter_state.downstream_peer.labels['app']",
            "side": "xds.node.metadata['NAMESPACE']",
        },
        "tagsToRemove": ["response_flags"],
    }] });
    for (name, configuration) in [("then", then), ("now", now)] {
        Reported::with(name, configuration)?.is_exchanged_but(|_, reporter, labels| {
            labels.remove("response_flags");
            match reporter {
                Reporter::Source => set(labels, [("role", "unknown"), ("side", "shop")]),
                Reporter::Destination => set(labels, [("role", "web"), ("side", "data")]),
            }
        })?;
    }
    Ok(())
}

/// A WasmPlugin without `pluginConfig` passes no configuration.
#[test]
fn no_configuration_means_the_defaults() -> Result {
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit, Edit); 3] = [
        (
            "no-configuration",
            |client| without_configuration(client, web),
            |server| without_configuration(server, db),
        ),
        (
            "empty-configuration",
            |client| configure(client, web, ""),
            |server| configure(server, db, ""),
        ),
        (
            "empty-object",
            |client| configure(client, web, "{}"),
            |server| configure(server, db, "{}"),
        ),
    ];
    for (name, client, server) in edits {
        let pair = Pair::start(name, |mesh, service| {
            mesh.edit_client(client).service(service.edit(server))
        })?;
        let reported = Reported::of(pair)?;
        // Neither side knows that the other one reads frames.
        reported.is_exchanged_but(|_, by, labels| labels.extend(without_exchange(by)))?;
        for reporter in Reporter::BOTH {
            let log = reported.pair.sidecar(reporter)?.log_text()?;
            assert!(log.contains("reporting every 15s"), "{log}");
        }
    }
    Ok(())
}

/// Fields without effect on TCP and retired fields are accepted and logged as without effect.
#[test]
fn retired_fields_are_accepted_with_a_line_in_the_log() -> Result {
    let configuration = json!({
        "disable_host_header_fallback": true,
        "max_peer_cache_size": 500,
        "rotation_interval": "60s",
        "graceful_deletion_interval": "300s",
        "metrics": [{ "name": "requests_total", "tags_to_remove": ["response_flags"] }],
    });
    let reported = Reported::with("retired", configuration)?;
    reported.is_exchanged_but(|_, _, _| {})?;
    for reporter in Reporter::BOTH {
        let log = reported.pair.sidecar(reporter)?.log_text()?;
        for line in [
            "disable_host_header_fallback has no effect: TCP has no host header",
            "max_peer_cache_size has no effect: the cache of peers has a fixed size",
            "rotation_interval has no effect: series are kept",
            "graceful_deletion_interval has no effect: series are kept",
            "metrics[0] (requests_total) ignored: metrics of HTTP are not recorded",
        ] {
            assert!(log.contains(line), "{line}\n{log}");
        }
    }
    Ok(())
}

/// With `debug` the log has the labels of every connection.
#[test]
fn debug_logs_every_connection() -> Result {
    for (debug, name) in [(json!(true), "debug"), (json!("false"), "no-debug")] {
        let reported = Reported::with(name, json!({ "debug": debug }))?;
        for reporter in Reporter::BOTH {
            let log = reported.pair.sidecar(reporter)?.log_text()?;
            let logged = log.contains("destination_service_name=.=db;.;");
            assert_eq!(logged, debug == true, "{log}");
        }
    }
    Ok(())
}

fn configure(bootstrap: &mut Value, first: fn(&mut Value), text: &str) {
    first(bootstrap);
    plugins(bootstrap, |plugin| {
        plugin["configuration"]["value"] = json!(text)
    });
}

fn without_configuration(bootstrap: &mut Value, first: fn(&mut Value)) {
    first(bootstrap);
    plugins(bootstrap, |plugin| {
        plugin.as_object_mut().unwrap().remove("configuration");
    });
}

/// Every plugin of the one listener; it is the first filter of each chain.
fn plugins(bootstrap: &mut Value, edit: impl Fn(&mut Value)) {
    let chains = at(bootstrap, LISTENER)["filter_chains"].as_array_mut();
    for chain in chains.unwrap() {
        edit(&mut chain["filters"][0]["typed_config"]["config"]);
    }
}
