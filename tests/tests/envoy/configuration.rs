//! What Envoy says when the filter's configuration is bad: it does not start, and says why.

use serde_json::{Value, json};
use testbed::apps::{self, App};
use testbed::mesh::{Builder, Service};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, Result};

/// What starting such a mesh fails with.
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

/// Envoy's documentation has it that a Struct comes as JSON.
#[test]
fn a_configuration_as_a_struct_is_refused_with_what_to_write_instead() -> Result {
    let said = refusal("struct", |mesh, service| {
        mesh.service(service.edit(with_a_struct))
    })?;
    let reason = "write the JSON into a google.protobuf.StringValue";
    assert!(said.contains(reason), "{said}");
    Ok(())
}

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
