//! A server that learns from the ClientHello that its client offered the exchange, in a filter chain
//! that is not matched on the ALPN.

use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::testing::Result;
use mesh::{Filter, Hop};
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, check_outcomes, expect, round_trip};
use crate::proofs::check_complete;

/// Stores the JA4 fingerprint of the ClientHello where the filter reads it.
fn with_fingerprint(server: &mut Value) {
    let listener = &mut server["static_resources"]["listeners"][0];
    listener["listener_filters"][0]["typed_config"]["enable_ja4_fingerprinting"] = json!(true);
    for filters in chains(server) {
        filters.insert(0, json!({
            "name": "envoy.filters.network.set_filter_state",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
                "on_new_connection": [{
                    "object_key": "tcp_peer_stats.client_ja4",
                    "factory_key": "envoy.string",
                    "format_string": { "text_format_source": { "inline_string": "%TLS_JA4_FINGERPRINT%" } },
                }],
            },
        }));
    }
}

/// A client that offers the exchange itself, as under Istio, and whose configuration lists no
/// cluster.
fn offering() -> Filter {
    Filter::Configured(json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "advertise_alpn": true, "clusters": [] },
    }))
}

fn fixture(name: &str, app: App, client: Filter) -> Result<Fixture> {
    Fixture::with(name, app, |mesh, service| {
        let service = service.hop(Hop::MeshWithoutAlpn).edit(with_fingerprint);
        mesh.client_filter(client).service(service)
    })
}

// Shows: filter/docs/peer-exchange.md, "filter in front of this one stores it as"
#[test]
fn a_server_that_speaks_first_has_all_labels_on_both_sides() -> Result {
    let app = App::start(apps::greeting(b"welcome"))?;
    let fixture = fixture("offered-greeting", app, offering())?;
    for _ in 0..2 {
        let mut stream = fixture.connect()?;
        expect(&mut stream, b"welcome")?;
        assert_eq!(round_trip(stream, b"query")?, b"query");
    }
    check_complete(&fixture, Reporter::Source, 2)?;
    check_complete(&fixture, Reporter::Destination, 2)
}

#[test]
fn a_client_learns_of_the_server_on_the_first_connection() -> Result {
    let fixture = fixture("offered-query", App::start(apps::length)?, offering())?;
    for _ in 0..2 {
        assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    }
    check_complete(&fixture, Reporter::Source, 2)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "exchanged", 1)
}

#[test]
fn a_client_that_offered_nothing_gets_no_frame() -> Result {
    let app = App::start(apps::greeting(b"welcome"))?;
    let fixture = fixture("not-offered", app, Filter::Absent)?;
    let mut stream = fixture.connect()?;
    expect(&mut stream, b"welcome")?;
    assert_eq!(round_trip(stream, b"query")?, b"query");
    check_outcomes(&fixture.mesh, Reporter::Destination, "absent", 1)
}
