//! What Envoy says when the filter's configuration is bad: it does not start, and says why.

use serde_json::{Value, json};
use testbed::Scratch;
use testbed::apps::{self, App};
use testbed::mesh::{Mesh, Service};
use testbed::tools::EnvoyBinary;
use testbed::{Workload, wasm};

use crate::fixture::{Fixture, Result, SERVICE};

/// What starting a mesh with this configuration fails with.
fn refusal(name: &str, configuration: Value) -> Result<String> {
    let scratch = Scratch::new(name)?;
    let app = App::start(apps::echo)?;
    let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
    let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
        .configuration(configuration)
        .service(service)
        .start(&scratch);
    match mesh {
        Ok(_) => Err("Envoy accepted it".into()),
        Err(error) => Ok(error.to_string()),
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
        let said = refusal(name, configuration)?;
        assert!(said.contains(reason), "{name}: {said}");
    }
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
