//! Telemetry only, beside a native exchange filter: the peer is the one that that filter left in filter state.
//!
//! Stock Envoy has no such filter. `set_filter_state` stands in for it: it can leave a string, so it leaves the bytes of the
//! message that a native filter would leave.

use peer_exchange::Struct;
use prost::Message as _;
use serde_json::{Value, json};
use testbed::Workload;
use testbed::apps::{self, App};
use testbed::labels::Reporter;
use testbed::mesh::Counts;

use crate::bootstrap::chains;
use crate::fixture::{Fixture, Result, SERVICE, round_trip};

const EXCHANGE: &str = "envoy.filters.network.set_filter_state";

/// A filter that knows this peer. Every length and every byte of the message is below 0x80, so it is text as well.
fn exchange(key: &str, peer: &Workload, upstream: bool) -> Value {
    let message = Struct::from_iter([
        ("workload", peer.name.as_str()),
        ("namespace", &peer.namespace),
        ("service", &peer.app),
        ("revision", &peer.version),
        ("app", &peer.app),
        ("version", &peer.version),
        ("cluster", &peer.cluster_id),
    ]);
    let bytes = message.encode_to_vec();
    let shared = if upstream { "ONCE" } else { "NONE" };
    json!({
        "name": EXCHANGE,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
            "on_new_connection": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": String::from_utf8_lossy(&bytes) } },
                "shared_with_upstream": shared,
            }],
        },
    })
}

fn beside_exchange_at_server(bootstrap: &mut Value) {
    for filters in chains(bootstrap) {
        filters.insert(
            0,
            exchange("downstream_peer", &Workload::ratings_v2(), false),
        );
    }
}

fn beside_exchange_at_client(bootstrap: &mut Value) {
    let server = Workload::bookinfo(SERVICE, "v1");
    for filters in chains(bootstrap) {
        filters.insert(0, exchange("upstream_peer", &server, true));
    }
}

#[test]
fn the_labels_of_both_sides_are_those_that_a_native_exchange_found_out() -> Result {
    let off = json!({ "tcp_reporting_duration": "500ms", "peer_exchange": { "mode": "off" } });
    let fixture = Fixture::with("native-peer", App::start(apps::echo)?, |mesh, service| {
        mesh.configuration(off)
            .edit_client(beside_exchange_at_client)
            .service(service.edit(beside_exchange_at_server))
    })?;
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
    fixture.check_both(Counts {
        opened: 1,
        closed: 1,
        received: 7,
        sent: 7,
    })?;
    for reporter in Reporter::BOTH {
        let metrics = fixture.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        assert_eq!(
            metrics.sum("istio_tcp_peer_exchange_total", &[("result", "exchanged")]),
            0.0
        );
    }
    Ok(())
}
