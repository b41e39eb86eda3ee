//! TLS that one end refuses: no handshake ends, so the server's side cannot say how the connection is secured.

use serde_json::{Value, json};

use crate::pair::{CLUSTER, Pair, Result, at, web};

/// The server is not who the client expects.
#[test]
fn server_refused_by_the_client() -> Result {
    let pair = Pair::start("server-refused", |mesh, service| {
        mesh.edit_client(expecting_another).service(service)
    })?;
    pair.fails(
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
        destination_principal           unknown                    spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown                    db
        destination_version             unknown                    v1
        destination_cluster             west                       west
        destination_service             db.data.svc.cluster.local  db.data.svc.cluster.local
        destination_service_name        db                         db
        destination_service_namespace   data                       data
        request_protocol                tcp                        tcp
        response_flags                  UF,URX                     -
        connection_security_policy      unknown                    unknown
        ",
    )
}

/// The client proves nothing.
#[test]
fn client_refused_by_the_server() -> Result {
    let pair = Pair::start("client-refused", |mesh, service| {
        mesh.edit_client(without_certificate).service(service)
    })?;
    pair.fails(
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
        destination_principal           unknown                    spiffe://cluster.local/ns/data/sa/db-account
        destination_app                 unknown                    db
        destination_version             unknown                    v1
        destination_cluster             west                       west
        destination_service             db.data.svc.cluster.local  db.data.svc.cluster.local
        destination_service_name        db                         db
        destination_service_namespace   data                       data
        request_protocol                tcp                        tcp
        response_flags                  UF,URX                     -
        connection_security_policy      unknown                    unknown
        ",
    )
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
