//! Between two workloads of a mesh.

use std::io::{Read, Write};

use mesh::apps::{self, App};
use mesh::testing::Result;
use mesh::{Counts, Filter};
use serde_json::{Value, json};

use crate::pair::{CLUSTER, ENDPOINT, Pair, at, mode, web};
use crate::table::EXCHANGED;

// Shows: filter/docs/operations.md, "filter, `auto` | this filter | exchange in both directions |"
#[test]
fn metadata_exchanged_both_ways() -> Result {
    let pair = Pair::start("exchanged", |mesh, service| mesh.service(service))?;
    pair.reports(&EXCHANGED.columns())
}

/// The server's frame precedes its greeting, and the client's frame its first bytes. So a
/// connection on which the client sends nothing at first has the same labels.
// Shows: filter/docs/peer-exchange.md, "writes its frame in front of its first bytes, also of"
#[test]
fn a_server_that_speaks_first() -> Result {
    let app = App::start(apps::greeting(b"220 ready\r\n"))?;
    let pair = Pair::in_front_of("speaks-first", app, |mesh, service| mesh.service(service))?;
    let mut stream = pair.connect()?;
    stream.read_exact(&mut [0; 11])?;
    stream.write_all(b"EHLO\r\n")?;
    stream.read_exact(&mut [0; 6])?;
    let counts = Counts {
        opened: 1,
        closed: 0,
        received: 6,
        sent: 17,
    };
    pair.check(&EXCHANGED.columns(), counts)
}

/// The client's sidecar then has the server's metadata of the control plane, which lacks app and
/// version; the server's sidecar has the client's certificate.
#[test]
fn no_exchange() -> Result {
    let pair = Pair::start("no-exchange", |mesh, service| {
        mesh.client_filter(mode("off"))
            .service(service.filter(mode("off")))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                   source   destination
        source_workload            =        unknown
        source_canonical_service   =        unknown
        source_canonical_revision  =        latest
        source_app                 =        unknown
        source_version             =        unknown
        source_cluster             =        unknown
        destination_app            unknown  =
        destination_version        unknown  =
        ",
    ))
}

#[test]
fn no_filter_at_the_client() -> Result {
    let pair = Pair::start("no-client-filter", |mesh, service| {
        mesh.client_filter(Filter::Absent).service(service)
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                   destination
        source_workload            unknown
        source_canonical_service   unknown
        source_canonical_revision  latest
        source_app                 unknown
        source_version             unknown
        source_cluster             unknown
        ",
    ))
}

#[test]
fn no_filter_at_the_server() -> Result {
    let pair = Pair::start("no-server-filter", |mesh, service| {
        mesh.client_filter(mode("receive"))
            .service(service.filter(Filter::Absent))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                             source
        destination_app      unknown
        destination_version  unknown
        ",
    ))
}

/// A client in mode `auto` would write one frame and then none, as the server does not answer.
#[test]
fn only_the_client_writes_a_frame() -> Result {
    let pair = Pair::start("client-writes", |mesh, service| {
        mesh.client_filter(mode("on"))
            .service(service.filter(mode("receive")))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                             source   destination
        destination_app      unknown  =
        destination_version  unknown  =
        ",
    ))
}

#[test]
fn only_the_server_writes_a_frame() -> Result {
    let pair = Pair::start("server-writes", |mesh, service| {
        mesh.client_filter(mode("receive"))
            .service(service.filter(mode("on")))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                   source  destination
        source_workload            =       unknown
        source_canonical_service   =       unknown
        source_canonical_revision  =       latest
        source_app                 =       unknown
        source_version             =       unknown
        source_cluster             =       unknown
        ",
    ))
}

/// The labels are those of the certificates alone.
#[test]
fn neither_exchange_nor_endpoint_metadata() -> Result {
    let pair = Pair::start("no-endpoint-metadata", |mesh, service| {
        mesh.client_filter(mode("off"))
            .edit_client(without_endpoint_metadata)
            .service(service.filter(mode("off")))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                        source   destination
        source_workload                 =        unknown
        source_canonical_service        =        unknown
        source_canonical_revision       =        latest
        source_app                      =        unknown
        source_version                  =        unknown
        source_cluster                  =        unknown
        destination_workload            unknown  =
        destination_canonical_service   unknown  =
        destination_canonical_revision  latest   =
        destination_app                 unknown  =
        destination_version             unknown  =
        destination_cluster             unknown  =
        ",
    ))
}

fn without_endpoint_metadata(bootstrap: &mut Value) {
    web(bootstrap);
    at(bootstrap, &format!("{CLUSTER}{ENDPOINT}"))["metadata"] = json!({});
}
