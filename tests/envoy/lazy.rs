//! Upstreams that are connected after the client's first bytes or after its TLS handshake
//! (`tcp_proxy.upstream_connect_mode`): the same series as with an upstream that is connected at
//! once.

use mesh::apps::{self, App};
use mesh::bootstrap::Bootstrap;
use mesh::labels::Reporter;
use mesh::testing::Result;
use mesh::{Counts, Envoy, EnvoyBinary, Error, Filter, Scratch, available, wasm};
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, check, check_outcomes, round_trip, same_bytes};

const ON_DATA: &str = "ON_DOWNSTREAM_DATA";
const ON_HANDSHAKE: &str = "ON_DOWNSTREAM_TLS_HANDSHAKE";

fn connect(mode: &'static str) -> impl Fn(&mut Value) {
    move |bootstrap| {
        for proxy in chains(bootstrap).filter_map(|filters| filters.last_mut()) {
            proxy["typed_config"]["upstream_connect_mode"] = json!(mode);
            proxy["typed_config"]["max_early_data_bytes"] = json!(8192);
        }
    }
}

fn in_mode(mode: &str) -> Filter {
    Filter::Configured(json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "mode": mode },
    }))
}

/// Whether this Envoy has the modes; 1.36 does not.
fn is_supported() -> Result<bool> {
    let scratch = Scratch::new("lazy-validate")?;
    let mut bootstrap = Bootstrap::server_sidecar()?;
    connect(ON_DATA)(bootstrap.document_mut());
    bootstrap.filter(&wasm::build()?, None);
    let proxy = chains(bootstrap.document_mut()).find_map(|filters| filters.pop());
    let bootstrap = json!({ "static_resources": { "listeners": [{
        "name": "lazy",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [proxy] }],
    }] } });
    let binary = EnvoyBinary::find(None)?;
    let validated = Envoy::validate(&binary, "lazy", &bootstrap, scratch.path());
    // Envoy names the first field that it does not know; the spaces of its sentence are random.
    let fields = ["'upstream_connect_mode'", "'max_early_data_bytes'"];
    let supported = validated.map_err(|error| match error.to_string() {
        reason if fields.iter().any(|field| reason.contains(field)) => Error::NotInstalled {
            program: "an Envoy with tcp_proxy.upstream_connect_mode",
            remedy: "Use a later release of Envoy.",
        },
        _ => error,
    });
    Ok(available(supported)?.is_some())
}

/// One connection whose bytes arrive unchanged.
fn one(fixture: &Fixture) -> Result<Counts> {
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    same_bytes(&fixture.mesh, SERVICE)?;
    Ok(Counts {
        opened: 1,
        closed: 1,
        received: 7,
        sent: 7,
    })
}

#[test]
fn a_server_with_a_lazy_upstream_has_all_labels() -> Result {
    if !is_supported()? {
        return Ok(());
    }
    for mode in [ON_DATA, ON_HANDSHAKE] {
        let fixture = Fixture::with("lazy-server", App::start(apps::echo)?, |mesh, service| {
            mesh.service(service.edit(connect(mode)))
        })?;
        let counts = one(&fixture)?;
        fixture.check_both(counts)?;
    }
    Ok(())
}

/// The client's filter cannot know at the first byte whether the upstream reads frames.
// Shows: filter/docs/peer-exchange.md, "it writes no frame, except in mode `on`."
#[test]
fn a_client_with_a_lazy_upstream_reads_the_servers_frame() -> Result {
    if !is_supported()? {
        return Ok(());
    }
    for server in ["IMMEDIATE", ON_HANDSHAKE] {
        let fixture = Fixture::with("lazy-client", App::start(apps::echo)?, |mesh, service| {
            mesh.edit_client(connect(ON_DATA))
                .service(service.edit(connect(server)))
        })?;
        let counts = one(&fixture)?;
        let labels = fixture.labels(Reporter::Source)?;
        check(&fixture.mesh, SERVICE, Reporter::Source, counts, &labels)?;
        check_outcomes(&fixture.mesh, Reporter::Source, "exchanged", 1)?;
        let labels = fixture
            .mesh
            .labels_without_exchange(Reporter::Destination, SERVICE)?;
        check(
            &fixture.mesh,
            SERVICE,
            Reporter::Destination,
            counts,
            &labels,
        )?;
    }
    Ok(())
}

#[test]
fn a_client_in_mode_on_exchanges_with_a_lazy_upstream() -> Result {
    if !is_supported()? {
        return Ok(());
    }
    let fixture = Fixture::with("lazy-on", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(in_mode("on"))
            .edit_client(connect(ON_DATA))
            .service(service)
    })?;
    let counts = one(&fixture)?;
    fixture.check_both(counts)
}

#[test]
fn without_the_exchange_a_lazy_upstream_has_the_same_labels() -> Result {
    if !is_supported()? {
        return Ok(());
    }
    let fixture = Fixture::with("lazy-off", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(in_mode("off"))
            .edit_client(connect(ON_DATA))
            .service(service.filter(in_mode("off")).edit(connect(ON_DATA)))
    })?;
    let counts = one(&fixture)?;
    for reporter in Reporter::BOTH {
        let labels = fixture.mesh.labels_without_exchange(reporter, SERVICE)?;
        check(&fixture.mesh, SERVICE, reporter, counts, &labels)?;
    }
    Ok(())
}
