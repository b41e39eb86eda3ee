//! With exactly the capabilities that the example grants, everything works.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};

use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Filter};
use mesh::{wasm, workspace};
use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, check, check_outcomes, round_trip};

const MEMBER: &str = "capability_restriction_config";

fn example() -> Result<Value> {
    let file = workspace::root().join("envoy-config/capabilities.yaml");
    Ok(serde_saphyr::from_str(&fs::read_to_string(file)?)?)
}

/// Does nothing when the example cannot be read, which the other test complains of.
fn restrict(bootstrap: &mut Value) {
    let granted = example()
        .ok()
        .and_then(|example| example.get(MEMBER).cloned());
    let plugins = chains(bootstrap).flatten().filter(|filter| {
        filter
            .get("name")
            .is_some_and(|name| name == "tcp_peer_stats")
    });
    for plugin in plugins {
        let config = plugin.pointer_mut("/typed_config/config");
        if let Some(config) = config.and_then(Value::as_object_mut) {
            config.insert(MEMBER.to_owned(), granted.clone().into());
        }
    }
}

#[test]
fn with_these_capabilities_the_exchange_works() -> Result {
    let configuration = serde_json::json!({
        "tcp_reporting_duration": "500ms",
        "extended_metrics": true,
        "peer_exchange": { "clusters": [] },
        "metrics": [{ "dimensions": { "destination_app": "filter_state.upstream_peer.app" }, "match": "false" }],
    });
    let fixture = Fixture::with("capabilities", App::start(apps::echo)?, |mesh, service| {
        mesh.configuration(configuration)
            .edit_client(restrict)
            .service(service.edit(restrict))
    })?;
    // The second connection carries the client's frame, because the first one proved that the
    // server reads it.
    for _ in 0..2 {
        assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    }
    let counts = Counts {
        opened: 2,
        closed: 2,
        received: 14,
        sent: 14,
    };
    let labels = fixture.labels(Reporter::Source)?;
    check(&fixture.mesh, SERVICE, Reporter::Source, counts, &labels)?;
    check_outcomes(&fixture.mesh, Reporter::Source, "exchanged", 2)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "exchanged", 1)?;
    for envoy in fixture.mesh.sidecars() {
        let log = envoy.log_text()?;
        assert!(!log.contains("[warning][wasm]"), "{log}");
        assert!(!log.contains("[error][wasm]"), "{log}");
    }
    Ok(())
}

/// The limit is what the two capabilities are for that an honest exchange does not need.
#[test]
fn with_these_capabilities_a_frame_over_the_limit_ends_its_connection() -> Result {
    const HEADER: &[u8] = b"\x3d\x23\x04\x67\xff\xff\xff\xff";
    let ends = |fixture: &Fixture, reporter, write: &[u8]| -> Result {
        let mut stream = fixture.connect()?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(write)?;
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest);
        assert!(!end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
        assert_eq!(rest, b"");
        check_outcomes(&fixture.mesh, reporter, "too_large", 1)?;
        // Not because the client went, which it has not yet.
        poll::until("the connection's close", LIMIT, || {
            let counts = fixture.mesh.reported(reporter, SERVICE)?;
            Ok(match counts.closed {
                1 => Look::Found(()),
                _ => Look::NotYet(format!("{counts:?}")),
            })
        })?;
        for envoy in fixture.mesh.sidecars() {
            let log = envoy.log_text()?;
            assert!(!log.contains("[error][wasm]"), "{log}");
        }
        Ok(())
    };
    let client = Fixture::with(
        "capabilities-client",
        App::start(apps::echo)?,
        |mesh, service| {
            mesh.client_filter(Filter::Absent)
                .service(service.edit(restrict))
        },
    )?;
    ends(&client, Reporter::Destination, HEADER)?;
    let last_words = App::start(|mut stream| {
        let _first = stream.read(&mut [0; 1024])?;
        stream.write_all(HEADER)
    })?;
    let configuration = serde_json::json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "mode": "receive" },
    });
    let server = Fixture::with("capabilities-server", last_words, |mesh, service| {
        mesh.client_filter(Filter::Configured(configuration))
            .edit_client(restrict)
            .service(service.filter(Filter::Absent))
    })?;
    ends(&server, Reporter::Source, b"query")
}

/// A misspelt capability would be one that is not granted.
#[test]
fn every_capability_is_a_function_of_the_module_and_every_hostcall_is_granted() -> Result {
    let module = fs::read(wasm::build()?)?;
    let mut functions = BTreeSet::new();
    for payload in Parser::new(0).parse_all(&module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    functions.insert(import?.name.to_owned());
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    functions.insert(export?.name.to_owned());
                }
            }
            _ => {}
        }
    }
    let example = example()?;
    let granted = example.pointer("/capability_restriction_config/allowed_capabilities");
    let granted = granted
        .and_then(Value::as_object)
        .ok_or("no capabilities")?;
    // The SDK imports more functions than the filter calls.
    let shell = fs::read_to_string(workspace::root().join("filter/shell/src/host.rs"))?;
    let called = shell.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("fn proxy_")?.split_once('(')?;
        Some(format!("proxy_{name}"))
    });
    let called: Vec<_> = called.collect();
    assert!(called.len() > 10, "{called:?}");
    for hostcall in called {
        assert!(granted.contains_key(&hostcall), "{hostcall} is not granted");
    }
    for capability in granted.keys() {
        assert!(functions.contains(capability), "{capability}");
    }
    Ok(())
}
