//! `reporter`.

use mesh::Filter;
use mesh::testing::Result;
use serde_json::{Value, json};

use super::at_intervals;
use crate::pair::{CLUSTER, ENDPOINT, Pair, at, db};
use crate::table::EXCHANGED;

/// A waypoint stands between: the client is its downstream peer, the server its upstream one.
#[test]
fn server_gateway_reports_as_a_waypoint() -> Result {
    let configuration = at_intervals(json!({ "reporter": "SERVER_GATEWAY" }));
    let pair = Pair::start("waypoint", |mesh, service| {
        let service = service.filter(Filter::Configured(configuration));
        mesh.service(service.edit(waypoint))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                        source    destination
        reporter                        =         waypoint
        destination_workload            waypoint  api-v3
        destination_workload_namespace  =         prod
        destination_canonical_service   =         backend
        destination_canonical_revision  =         unknown
        destination_principal           =         unknown
        destination_app                 =         unknown
        destination_version             =         unknown
        destination_cluster             =         south
        ",
    ))
}

fn waypoint(bootstrap: &mut Value) {
    db(bootstrap);
    at(bootstrap, "/node/metadata")["WORKLOAD_NAME"] = json!("waypoint");
    let host = at(bootstrap, &format!("{CLUSTER}{ENDPOINT}"));
    host["metadata"] =
        json!({ "filter_metadata": { "istio": { "workload": "api-v3;prod;backend;;south" } } });
}
