//! To where no sidecar, no certificate or no service is.

use mesh::{Filter, Hop};
use serde_json::{Value, json};

use crate::pair::{CLUSTER, Pair, Result, at, db, route_to, to_original_destination, web};

#[test]
fn plaintext() -> Result {
    let pair = Pair::start("plaintext", |mesh, service| {
        mesh.service(service.hop(Hop::Plaintext))
    })?;
    pair.reports(
        "
        reporter                        source                     destination
        source_workload                 web-v2                     unknown
        source_workload_namespace       shop                       unknown
        source_canonical_service        storefront                 unknown
        source_canonical_revision       r2                         latest
        source_principal                unknown                    unknown
        source_app                      web                        unknown
        source_version                  v2                         unknown
        source_cluster                  east                       unknown
        destination_workload            db-v1                      db-v1
        destination_workload_namespace  data                       data
        destination_canonical_service   database                   database
        destination_canonical_revision  r1                         r1
        destination_principal           unknown                    unknown
        destination_app                 unknown                    db
        destination_version             unknown                    v1
        destination_cluster             west                       west
        destination_service             db.data.svc.cluster.local  db.data.svc.cluster.local
        destination_service_name        db                         db
        destination_service_namespace   data                       data
        request_protocol                tcp                        tcp
        response_flags                  -                          -
        connection_security_policy      unknown                    none
        ",
    )
}

/// A server outside the mesh, with a certificate for its host name, that a ServiceEntry names.
#[test]
fn tls_to_a_server_outside_the_mesh() -> Result {
    let pair = Pair::start("outside", |mesh, service| {
        mesh.service(service.hop(Hop::Foreign).filter(Filter::Absent))
    })?;
    pair.reports(
        "
        reporter                        source
        source_workload                 web-v2
        source_workload_namespace       shop
        source_canonical_service        storefront
        source_canonical_revision       r2
        source_principal                unknown
        source_app                      web
        source_version                  v2
        source_cluster                  east
        destination_workload            unknown
        destination_workload_namespace  unknown
        destination_canonical_service   unknown
        destination_canonical_revision  latest
        destination_principal           unknown
        destination_app                 unknown
        destination_version             unknown
        destination_cluster             unknown
        destination_service             db.data.svc.cluster.local
        destination_service_name        db
        destination_service_namespace   data
        request_protocol                tcp
        response_flags                  -
        connection_security_policy      unknown
        ",
    )
}

/// A pod's own address, for which there is no service: Istio sends it through as it is, in plaintext. Both ends name the
/// cluster that did.
#[test]
fn passthrough_to_a_pod() -> Result {
    let pair = Pair::start("passthrough", |mesh, service| {
        mesh.edit_client(passthrough)
            .service(service.hop(Hop::Plaintext).edit(inbound_passthrough))
    })?;
    pair.reports(
        "
        reporter                        source              destination
        source_workload                 web-v2              unknown
        source_workload_namespace       shop                unknown
        source_canonical_service        storefront          unknown
        source_canonical_revision       r2                  latest
        source_principal                unknown             unknown
        source_app                      web                 unknown
        source_version                  v2                  unknown
        source_cluster                  east                unknown
        destination_workload            unknown             db-v1
        destination_workload_namespace  unknown             data
        destination_canonical_service   unknown             database
        destination_canonical_revision  latest              r1
        destination_principal           unknown             unknown
        destination_app                 unknown             db
        destination_version             unknown             v1
        destination_cluster             unknown             west
        destination_service             unknown             database
        destination_service_name        PassthroughCluster  InboundPassthroughCluster
        destination_service_namespace   unknown             data
        request_protocol                tcp                 tcp
        response_flags                  -                   -
        connection_security_policy      unknown             none
        ",
    )
}

/// What no rule allows out: `BlackHoleCluster` has no host.
#[test]
fn into_the_blackhole() -> Result {
    let pair = Pair::start("blackhole", |mesh, service| {
        mesh.edit_client(blackhole).service(service)
    })?;
    pair.fails(
        "
        reporter                        source
        source_workload                 web-v2
        source_workload_namespace       shop
        source_canonical_service        storefront
        source_canonical_revision       r2
        source_principal                unknown
        source_app                      web
        source_version                  v2
        source_cluster                  east
        destination_workload            unknown
        destination_workload_namespace  unknown
        destination_canonical_service   unknown
        destination_canonical_revision  latest
        destination_principal           unknown
        destination_app                 unknown
        destination_version             unknown
        destination_cluster             unknown
        destination_service             unknown
        destination_service_name        BlackHoleCluster
        destination_service_namespace   unknown
        request_protocol                tcp
        response_flags                  UH
        connection_security_policy      unknown
        ",
    )
}

/// The pods of a headless service are reached by address: hosts that no control plane describes. The certificate tells
/// who they are; nothing tells that they take part in the exchange, so they are not told who calls.
#[test]
fn headless_service() -> Result {
    let pair = Pair::start("headless", |mesh, service| {
        mesh.edit_client(headless).service(service)
    })?;
    pair.reports(
        "
        reporter                        source                                         destination
        source_workload                 web-v2                                         unknown
        source_workload_namespace       shop                                           shop
        source_canonical_service        storefront                                     unknown
        source_canonical_revision       r2                                             latest
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      web                                            unknown
        source_version                  v2                                             unknown
        source_cluster                  east                                           unknown
        destination_workload            unknown                                        db-v1
        destination_workload_namespace  data                                           data
        destination_canonical_service   unknown                                        database
        destination_canonical_revision  latest                                         r1
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account   spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown                                        db
        destination_version             unknown                                        v1
        destination_cluster             unknown                                        west
        destination_service             db.data.svc.cluster.local                      db.data.svc.cluster.local
        destination_service_name        db                                             db
        destination_service_namespace   data                                           data
        request_protocol                tcp                                            tcp
        response_flags                  -                                              -
        connection_security_policy      unknown                                        mutual_tls
        ",
    )
}

/// Unless the configuration tells.
#[test]
fn headless_service_on_the_allow_list() -> Result {
    let pair = Pair::start("headless-allowed", |mesh, service| {
        let allowed = json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "clusters": ["outbound|7000||db.data.svc.cluster.local"] },
        });
        mesh.client_filter(Filter::Configured(allowed))
            .edit_client(headless)
            .service(service)
    })?;
    pair.reports(
        "
        reporter                        source                                         destination
        source_workload                 web-v2                                         web-v2
        source_workload_namespace       shop                                           shop
        source_canonical_service        storefront                                     storefront
        source_canonical_revision       r2                                             r2
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      web                                            web
        source_version                  v2                                             v2
        source_cluster                  east                                           east
        destination_workload            db-v1                                          db-v1
        destination_workload_namespace  data                                           data
        destination_canonical_service   database                                       database
        destination_canonical_revision  r1                                             r1
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account   spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 db                                             db
        destination_version             v1                                             v1
        destination_cluster             west                                           west
        destination_service             db.data.svc.cluster.local                      db.data.svc.cluster.local
        destination_service_name        db                                             db
        destination_service_namespace   data                                           data
        request_protocol                tcp                                            tcp
        response_flags                  -                                              -
        connection_security_policy      unknown                                        mutual_tls
        ",
    )
}

fn passthrough(bootstrap: &mut Value) {
    web(bootstrap);
    to_original_destination(bootstrap);
    route_to(bootstrap, "PassthroughCluster");
    at(bootstrap, CLUSTER)["metadata"] = json!({});
}

fn inbound_passthrough(bootstrap: &mut Value) {
    db(bootstrap);
    route_to(bootstrap, "InboundPassthroughCluster");
    at(bootstrap, CLUSTER)["metadata"] = json!({});
}

fn blackhole(bootstrap: &mut Value) {
    web(bootstrap);
    route_to(bootstrap, "BlackHoleCluster");
    let cluster = at(bootstrap, CLUSTER);
    cluster["metadata"] = json!({});
    cluster["load_assignment"]["endpoints"] = json!([]);
}

fn headless(bootstrap: &mut Value) {
    web(bootstrap);
    to_original_destination(bootstrap);
}
