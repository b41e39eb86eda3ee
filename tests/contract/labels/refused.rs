//! TLS that one end rejects: the handshake does not end, so the server's side has no security
//! policy.

use mesh::testing::Result;
use serde_json::{Value, json};

use crate::pair::{CLUSTER, Pair, at, web};
use crate::table::EXCHANGED;

const NO_HANDSHAKE: &str = "
                                source   destination
    source_workload             =        unknown
    source_workload_namespace   =        unknown
    source_canonical_service    =        unknown
    source_canonical_revision   =        latest
    source_principal            unknown  unknown
    source_app                  =        unknown
    source_version              =        unknown
    source_cluster              =        unknown
    destination_principal       unknown  =
    destination_app             unknown  =
    destination_version         unknown  =
    response_flags              UF,URX   =
    connection_security_policy  =        unknown
";

/// The server is not who the client expects.
#[test]
fn server_refused_by_the_client() -> Result {
    let pair = Pair::start("server-refused", |mesh, service| {
        mesh.edit_client(expecting_another).service(service)
    })?;
    pair.fails(&EXCHANGED.with(NO_HANDSHAKE))
}

/// The client has no certificate.
#[test]
fn client_refused_by_the_server() -> Result {
    let pair = Pair::start("client-refused", |mesh, service| {
        mesh.edit_client(without_certificate).service(service)
    })?;
    pair.fails(&EXCHANGED.with(NO_HANDSHAKE))
}

fn expecting_another(bootstrap: &mut Value) {
    web(bootstrap);
    *at(
        bootstrap,
        &format!("{CLUSTER}{VALIDATION}/match_typed_subject_alt_names/0/matcher/exact"),
    ) = json!("spiffe://cluster.local/ns/data/sa/another");
}

fn without_certificate(bootstrap: &mut Value) {
    web(bootstrap);
    *at(
        bootstrap,
        &format!("{CLUSTER}/transport_socket/typed_config/common_tls_context/tls_certificates"),
    ) = json!([]);
}

const VALIDATION: &str = "/transport_socket/typed_config/common_tls_context/validation_context";
