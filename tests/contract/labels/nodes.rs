//! Proxies that are not an ordinary pod's sidecar.

use serde_json::{Value, json};

use crate::pair::{LISTENER, Pair, Result, at, db, web};

/// A gateway's listeners have no direction; Istio counts it as a client.
#[test]
fn gateway_as_the_client() -> Result {
    let pair = Pair::start("gateway", |mesh, service| {
        mesh.edit_client(gateway).service(service)
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

/// A virtual machine that says its workload's name and nothing else.
#[test]
fn virtual_machine_as_the_client() -> Result {
    let pair = Pair::start("vm-client", |mesh, service| {
        mesh.edit_client(web_machine).service(service)
    })?;
    pair.reports(
        "
        reporter                        source                                         destination
        source_workload                 web-v2                                         web-v2
        source_workload_namespace       shop                                           shop
        source_canonical_service        unknown                                        unknown
        source_canonical_revision       latest                                         latest
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      unknown                                        unknown
        source_version                  unknown                                        unknown
        source_cluster                  unknown                                        unknown
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

#[test]
fn virtual_machine_as_the_server() -> Result {
    let pair = Pair::start("vm-server", |mesh, service| {
        mesh.service(service.edit(db_machine))
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
        destination_canonical_service   database                                       unknown
        destination_canonical_revision  r1                                             latest
        destination_principal           spiffe://cluster.local/ns/data/sa/db-account   spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown                                        unknown
        destination_version             unknown                                        unknown
        destination_cluster             west                                           unknown
        destination_service             db.data.svc.cluster.local                      db.data.svc.cluster.local
        destination_service_name        db                                             db
        destination_service_namespace   data                                           data
        request_protocol                tcp                                            tcp
        response_flags                  -                                              -
        connection_security_policy      unknown                                        mutual_tls
        ",
    )
}

/// A proxy that says nothing at all of itself.
#[test]
fn node_without_metadata() -> Result {
    let pair = Pair::start("no-node-metadata", |mesh, service| {
        mesh.edit_client(nobody).service(service)
    })?;
    pair.reports(
        "
        reporter                        source                                         destination
        source_workload                 unknown                                        unknown
        source_workload_namespace       unknown                                        shop
        source_canonical_service        unknown                                        unknown
        source_canonical_revision       latest                                         latest
        source_principal                spiffe://cluster.local/ns/shop/sa/web-account  spiffe://cluster.local/ns/shop/sa/web-account
        source_app                      unknown                                        unknown
        source_version                  unknown                                        unknown
        source_cluster                  unknown                                        unknown
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

fn gateway(bootstrap: &mut Value) {
    web(bootstrap);
    at(bootstrap, "/node")["id"] = json!("router~10.244.0.9~web-v2.shop~shop.svc.cluster.local");
    let listener = at(bootstrap, LISTENER).as_object_mut();
    listener.unwrap().remove("traffic_direction");
}

fn web_machine(bootstrap: &mut Value) {
    web(bootstrap);
    at(bootstrap, "/node")["metadata"] = json!({ "WORKLOAD_NAME": "web-v2" });
}

fn db_machine(bootstrap: &mut Value) {
    db(bootstrap);
    at(bootstrap, "/node")["metadata"] = json!({ "WORKLOAD_NAME": "db-v1" });
}

fn nobody(bootstrap: &mut Value) {
    web(bootstrap);
    at(bootstrap, "/node")["metadata"] = json!({});
}
