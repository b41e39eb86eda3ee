//! `reporter`.

use mesh::Filter;
use serde_json::{Value, json};

use super::at_intervals;
use crate::pair::{CLUSTER, ENDPOINT, Pair, Result, at, db};

/// A waypoint stands between: the client is its downstream peer, the server its upstream one.
#[test]
fn server_gateway_reports_as_a_waypoint() -> Result {
    let configuration = at_intervals(json!({ "reporter": "SERVER_GATEWAY" }));
    let pair = Pair::start("waypoint", |mesh, service| {
        let service = service.filter(Filter::Configured(configuration));
        mesh.service(service.edit(waypoint))
    })?;
    pair.reports(
        "
        reporter                        source                                         waypoint
        source_workload                 web-v2                                         web-v2
        source_workload_namespace       shop                                           shop
        source_canonical_service        storefront                                     storefront
        source_canonical_revision       r2                                             r2
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      web                                            web
        source_version                  v2                                             v2
        source_cluster                  east                                           east
        destination_workload            waypoint                                       api-v3
        destination_workload_namespace  data                                           prod
        destination_canonical_service   database                                       backend
        destination_canonical_revision  r1                                             unknown
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account   unknown
        destination_app                 db                                             unknown
        destination_version             v1                                             unknown
        destination_cluster             west                                           south
        destination_service             db.data.svc.cluster.local                      db.data.svc.cluster.local
        destination_service_name        db                                             db
        destination_service_namespace   data                                           data
        request_protocol                tcp                                            tcp
        response_flags                  -                                              -
        connection_security_policy      unknown                                        mutual_tls
        ",
    )
}

fn waypoint(bootstrap: &mut Value) {
    db(bootstrap);
    at(bootstrap, "/node/metadata")["WORKLOAD_NAME"] = json!("waypoint");
    let host = at(bootstrap, &format!("{CLUSTER}{ENDPOINT}"));
    host["metadata"] =
        json!({ "filter_metadata": { "istio": { "workload": "api-v3;prod;backend;;south" } } });
}
