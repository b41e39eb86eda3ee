//! Between two workloads of a mesh.

use mesh::Filter;
use serde_json::{Value, json};

use crate::pair::{CLUSTER, ENDPOINT, Pair, Result, at, mode, web};
use crate::table::EXCHANGED;

// Shows: filter/docs/operations.md, "filter, `auto` | this filter | exchange in both directions |"
#[test]
fn metadata_exchanged_both_ways() -> Result {
    let pair = Pair::start("exchanged", |mesh, service| mesh.service(service))?;
    pair.reports(EXCHANGED)
}

/// The client then knows of the server what the control plane says, which is no app and no version; the server knows of
/// the client what its certificate says.
#[test]
fn no_exchange() -> Result {
    let pair = Pair::start("no-exchange", |mesh, service| {
        mesh.client_filter(mode("off"))
            .service(service.filter(mode("off")))
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
        destination_workload            db-v1                                          db-v1
        destination_workload_namespace  data                                           data
        destination_canonical_service   database                                       database
        destination_canonical_revision  r1                                             r1
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account   spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown                                        db
        destination_version             unknown                                        v1
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

#[test]
fn no_filter_at_the_client() -> Result {
    let pair = Pair::start("no-client-filter", |mesh, service| {
        mesh.client_filter(Filter::Absent).service(service)
    })?;
    pair.reports(
        "
        reporter                        destination
        source_workload                 unknown
        source_workload_namespace       shop
        source_canonical_service        unknown
        source_canonical_revision       latest
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      unknown
        source_version                  unknown
        source_cluster                  unknown
        destination_workload            db-v1
        destination_workload_namespace  data
        destination_canonical_service   database
        destination_canonical_revision  r1
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 db
        destination_version             v1
        destination_cluster             west
        destination_service             db.data.svc.cluster.local
        destination_service_name        db
        destination_service_namespace   data
        request_protocol                tcp
        response_flags                  -
        connection_security_policy      mutual_tls
        ",
    )
}

#[test]
fn no_filter_at_the_server() -> Result {
    let pair = Pair::start("no-server-filter", |mesh, service| {
        mesh.client_filter(mode("receive"))
            .service(service.filter(Filter::Absent))
    })?;
    pair.reports(
        "
        reporter                        source
        source_workload                 web-v2
        source_workload_namespace       shop
        source_canonical_service        storefront
        source_canonical_revision       r2
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      web
        source_version                  v2
        source_cluster                  east
        destination_workload            db-v1
        destination_workload_namespace  data
        destination_canonical_service   database
        destination_canonical_revision  r1
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown
        destination_version             unknown
        destination_cluster             west
        destination_service             db.data.svc.cluster.local
        destination_service_name        db
        destination_service_namespace   data
        request_protocol                tcp
        response_flags                  -
        connection_security_policy      unknown
        ",
    )
}

/// A client in mode `auto` would tell once and then leave the silent server alone.
#[test]
fn only_the_client_tells() -> Result {
    let pair = Pair::start("client-tells", |mesh, service| {
        mesh.client_filter(mode("on"))
            .service(service.filter(mode("receive")))
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
        destination_app                 unknown                                        db
        destination_version             unknown                                        v1
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

#[test]
fn only_the_server_tells() -> Result {
    let pair = Pair::start("server-tells", |mesh, service| {
        mesh.client_filter(mode("receive"))
            .service(service.filter(mode("on")))
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

/// Nothing but the certificates is left.
#[test]
fn neither_exchange_nor_endpoint_metadata() -> Result {
    let pair = Pair::start("no-endpoint-metadata", |mesh, service| {
        mesh.client_filter(mode("off"))
            .edit_client(without_endpoint_metadata)
            .service(service.filter(mode("off")))
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

fn without_endpoint_metadata(bootstrap: &mut Value) {
    web(bootstrap);
    at(bootstrap, &format!("{CLUSTER}{ENDPOINT}"))["metadata"] = json!({});
}
