//! Telemetry only, beside a native exchange filter: the peer is the one that the native filter
//! stores in filter state.
//!
//! Stock Envoy has no such filter: [`native`] stands in for it.

use mesh::Counts;
use mesh::Workload;
use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::native;
use mesh::testing::Result;
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, round_trip};

fn beside_exchange_at_server(bootstrap: &mut Value) {
    for filters in chains(bootstrap) {
        filters.insert(0, native::downstream_peer(&Workload::ratings_v2()));
    }
}

fn beside_exchange_at_client(bootstrap: &mut Value) {
    let server = Workload::bookinfo(SERVICE, "v1");
    for filters in chains(bootstrap) {
        filters.insert(0, native::upstream_peer(&server));
    }
}

// Shows: filter/docs/compatibility.md, "set by a stand-in; not run on Istio's own proxy"
#[test]
fn the_labels_of_both_sides_are_those_of_the_native_exchange() -> Result {
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
