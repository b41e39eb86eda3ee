//! Envoy does not start with an invalid configuration of the filter, and reports the reason.

use mesh::apps::{self, App};
use mesh::labels::{OPENED, Reporter};
use mesh::testing::Result;
use mesh::{Builder, Service};
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, round_trip};

/// The error with which such a mesh does not start.
fn refusal(name: &str, shape: impl FnOnce(Builder, Service) -> Builder) -> Result<String> {
    match Fixture::with(name, App::start(apps::echo)?, shape) {
        Ok(_) => Err("Envoy accepted it".into()),
        Err(error) => Ok(error.to_string()),
    }
}

fn with_a_struct(bootstrap: &mut Value) {
    for filter in chains(bootstrap).flatten() {
        if let Some(configuration) = filter.pointer_mut("/typed_config/config/configuration") {
            *configuration = json!({
                "@type": "type.googleapis.com/google.protobuf.Struct",
                "value": { "peer_exchange": { "mode": "off" } },
            });
        }
    }
}

// Shows: filter/docs/configuration.md, "Invalid configuration is rejected: Envoy's log names"
#[test]
fn a_bad_configuration_is_refused_with_its_reason() -> Result {
    for (name, configuration, reason) in [
        (
            "unknown-key",
            json!({ "tcp_reporting_duraton": "1s" }),
            r#"tcp_reporting_duraton: no such key; did you mean "tcp_reporting_duration"?"#,
        ),
        (
            "negative-duration",
            json!({ "tcp_reporting_duration": "-1s" }),
            r#"tcp_reporting_duration: "-1s" is negative"#,
        ),
        (
            "wrong-type",
            json!({ "peer_exchange": { "mode": 1 } }),
            "peer_exchange.mode: expected a string, found the number 1",
        ),
    ] {
        let said = refusal(name, |mesh, service| {
            mesh.configuration(configuration).service(service)
        })?;
        assert!(said.contains(reason), "{name}: {said}");
    }
    Ok(())
}

/// By Envoy's documentation a Struct is passed as JSON.
#[test]
fn a_configuration_as_a_struct_is_refused_with_what_to_write_instead() -> Result {
    let said = refusal("struct", |mesh, service| {
        mesh.service(service.edit(with_a_struct))
    })?;
    let reason = "write the JSON into a google.protobuf.StringValue";
    assert!(said.contains(reason), "{said}");
    Ok(())
}

fn on_the_clusters(bootstrap: &mut Value) {
    let clusters = bootstrap.pointer_mut("/static_resources/clusters");
    let clusters = clusters.and_then(Value::as_array_mut);
    for cluster in clusters.into_iter().flatten() {
        cluster["filters"] = json!([{
            "name": "envoy.filters.network.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            },
        }]);
    }
}

// Shows: filter/docs/peer-exchange.md, "Envoy has no Wasm filters on upstream connections."
#[test]
fn envoy_takes_no_wasm_filter_on_a_cluster() -> Result {
    let said = refusal("upstream", |mesh, service| {
        mesh.edit_client(on_the_clusters).service(service)
    })?;
    let reason = "Didn't find a registered implementation for 'envoy.filters.network.wasm'";
    assert!(said.contains(reason), "{said}");
    Ok(())
}

// Shows: filter/docs/peer-exchange.md, "The start line in the log names the configured mode"
// Shows: filter/docs/operations.md, "logs version, node and modes at level `info`"
#[test]
fn the_start_is_logged() -> Result {
    let fixture = Fixture::start("start-line", App::start(apps::echo)?)?;
    let log = fixture.mesh.client().log_text()?;
    let line =
        "peer exchange auto (configured auto; native exchange filter: none), reporting every 500ms";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("node \"sidecar~"), "{log}");
    Ok(())
}

/// Under Istio the two differ: the client's connection goes to the service's port, the server's to
/// the target port.
// Shows: filter/docs/operations.md, "`ports` are the ports of a side's own connections"
#[test]
fn destination_port_is_that_of_a_sides_own_listener() -> Result {
    let dimensions = json!({ "request_protocol": "string(destination.port)" });
    let configuration = json!({
        "tcp_reporting_duration": "300ms",
        "metrics": [{ "dimensions": dimensions }],
    });
    let fixture = Fixture::configured("own-ports", App::start(apps::echo)?, configuration)?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    let client = fixture.mesh.client().listener(SERVICE)?.port();
    let server = fixture
        .mesh
        .server(SERVICE)?
        .listener("virtualInbound")?
        .port();
    assert_ne!(client, server);
    for (reporter, port) in [(Reporter::Source, client), (Reporter::Destination, server)] {
        let metrics = fixture.mesh.settled(reporter, SERVICE)?;
        let series = metrics.one(OPENED, &[("request_protocol", &port.to_string())])?;
        assert_eq!(series.value, 1.0, "{reporter}");
    }
    Ok(())
}
