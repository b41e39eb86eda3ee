//! Proxies that are not an ordinary pod's sidecar.

use mesh::testing::Result;
use serde_json::{Value, json};

use crate::pair::{LISTENER, Pair, at, db, web};
use crate::table::EXCHANGED;

/// A gateway's listeners have no direction; Istio counts it as a client.
#[test]
fn gateway_as_the_client() -> Result {
    let pair = Pair::start("gateway", |mesh, service| {
        mesh.edit_client(gateway).service(service)
    })?;
    pair.reports(&EXCHANGED.columns())
}

/// A virtual machine whose node has the workload's name only.
#[test]
fn virtual_machine_as_the_client() -> Result {
    let pair = Pair::start("vm-client", |mesh, service| {
        mesh.edit_client(web_machine).service(service)
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                   source   destination
        source_canonical_service   unknown  unknown
        source_canonical_revision  latest   latest
        source_app                 unknown  unknown
        source_version             unknown  unknown
        source_cluster             unknown  unknown
        ",
    ))
}

#[test]
fn virtual_machine_as_the_server() -> Result {
    let pair = Pair::start("vm-server", |mesh, service| {
        mesh.service(service.edit(db_machine))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                        source   destination
        destination_canonical_service   =        unknown
        destination_canonical_revision  =        latest
        destination_app                 unknown  unknown
        destination_version             unknown  unknown
        destination_cluster             =        unknown
        ",
    ))
}

/// A proxy whose node has no metadata.
#[test]
fn node_without_metadata() -> Result {
    let pair = Pair::start("no-node-metadata", |mesh, service| {
        mesh.edit_client(nobody).service(service)
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                   source   destination
        source_workload            unknown  unknown
        source_workload_namespace  unknown  =
        source_canonical_service   unknown  unknown
        source_canonical_revision  latest   latest
        source_app                 unknown  unknown
        source_version             unknown  unknown
        source_cluster             unknown  unknown
        ",
    ))
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
