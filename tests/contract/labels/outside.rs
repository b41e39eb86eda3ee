//! Connections to destinations without a sidecar, a certificate or a service.

use mesh::testing::Result;
use mesh::{Filter, Hop};
use serde_json::{Value, json};

use crate::pair::{CLUSTER, Pair, at, db, route_to, to_original_destination, web};
use crate::table::EXCHANGED;

#[test]
fn plaintext() -> Result {
    let pair = Pair::start("plaintext", |mesh, service| {
        mesh.service(service.hop(Hop::Plaintext))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                    source   destination
        source_workload             =        unknown
        source_workload_namespace   =        unknown
        source_canonical_service    =        unknown
        source_canonical_revision   =        latest
        source_principal            unknown  unknown
        source_app                  =        unknown
        source_version              =        unknown
        source_cluster              =        unknown
        destination_principal       unknown  unknown
        destination_app             unknown  =
        destination_version         unknown  =
        connection_security_policy  =        none
        ",
    ))
}

/// A server outside the mesh, with a certificate for its host name, that a ServiceEntry names.
#[test]
fn tls_to_a_server_outside_the_mesh() -> Result {
    let pair = Pair::start("outside", |mesh, service| {
        mesh.service(service.hop(Hop::Foreign).filter(Filter::Absent))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                        source
        source_principal                unknown
        destination_workload            unknown
        destination_workload_namespace  unknown
        destination_canonical_service   unknown
        destination_canonical_revision  latest
        destination_principal           unknown
        destination_app                 unknown
        destination_version             unknown
        destination_cluster             unknown
        ",
    ))
}

/// A pod's own address, which belongs to no service: Istio passes the connection through in
/// plaintext. On both reporters the service name is the cluster's.
#[test]
fn passthrough_to_a_pod() -> Result {
    let pair = Pair::start("passthrough", |mesh, service| {
        mesh.edit_client(passthrough)
            .service(service.hop(Hop::Plaintext).edit(inbound_passthrough))
    })?;
    pair.reports(&EXCHANGED.with(
        "
                                        source              destination
        source_workload                 =                   unknown
        source_workload_namespace       =                   unknown
        source_canonical_service        =                   unknown
        source_canonical_revision       =                   latest
        source_principal                unknown             unknown
        source_app                      =                   unknown
        source_version                  =                   unknown
        source_cluster                  =                   unknown
        destination_workload            unknown             =
        destination_workload_namespace  unknown             =
        destination_canonical_service   unknown             =
        destination_canonical_revision  latest              =
        destination_principal           unknown             unknown
        destination_app                 unknown             =
        destination_version             unknown             =
        destination_cluster             unknown             =
        destination_service             unknown             database
        destination_service_name        PassthroughCluster  InboundPassthroughCluster
        destination_service_namespace   unknown             =
        connection_security_policy      =                   none
        ",
    ))
}

/// A destination that no rule allows: `BlackHoleCluster` has no host.
#[test]
fn into_the_blackhole() -> Result {
    let pair = Pair::start("blackhole", |mesh, service| {
        mesh.edit_client(blackhole).service(service)
    })?;
    pair.fails(&EXCHANGED.with(
        "
                                        source
        source_principal                unknown
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
        response_flags                  UH
        ",
    ))
}

/// The pods of a headless service are reached by address, so their hosts have no metadata of the
/// control plane. Their identity is the certificate's. Neither their cluster nor the filter's
/// configuration says that they have the exchange, so no sidecar writes a frame.
#[test]
fn headless_service() -> Result {
    let pair = Pair::start("headless", |mesh, service| {
        let unlisted = json!({
            "tcp_reporting_duration": "500ms",
            "peer_exchange": { "clusters": [] },
        });
        mesh.client_filter(Filter::Configured(unlisted))
            .edit_client(headless)
            .service(service.hop(Hop::MeshWithoutAlpn))
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

/// With the cluster in `peer_exchange.clusters` both sidecars exchange.
#[test]
fn headless_service_on_the_allow_list() -> Result {
    let pair = Pair::start("headless-allowed", |mesh, service| {
        let allowed = json!({
            "tcp_reporting_duration": "500ms",
            "peer_exchange": { "clusters": ["outbound|7000||db.data.svc.cluster.local"] },
        });
        mesh.client_filter(Filter::Configured(allowed))
            .edit_client(headless)
            .service(service.hop(Hop::MeshWithoutAlpn))
    })?;
    pair.reports(&EXCHANGED.columns())
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
