//! TLS servers outside the mesh with an ALPN of their own. The filter's defaults leave the ALPN of
//! their clusters alone.

use std::io::Read;

use mesh::apps::{self, App};
use mesh::labels::{OPENED, Reporter};
use mesh::testing::Result;
use mesh::{Filter, Hop};
use serde_json::{Value, json};

use crate::fixture::{Fixture, SERVICE, check_outcomes, round_trip, same_bytes};

const CLUSTER: &str = "/static_resources/clusters/0";
const LISTENER: &str = "/static_resources/listeners/0";
const CHAIN: &str = "/static_resources/listeners/0/filter_chains/0";

type Edit = fn(&mut Value);

/// A client's sidecar in front of a server outside the mesh.
fn fixture(name: &str, client: Edit, server: Edit, filter: Filter) -> Result<Fixture> {
    Fixture::with(name, App::start(apps::echo)?, |mesh, service| {
        let service = service.hop(Hop::Foreign).filter(Filter::Absent);
        mesh.client_filter(filter)
            .edit_client(client)
            .service(service.edit(server))
    })
}

fn advertising() -> Filter {
    Filter::Configured(json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "advertise_alpn": true },
    }))
}

/// The server works without the filter and with its defaults: no frame is in the stream, and the
/// connection is counted.
fn works(name: &str, client: Edit, server: Edit) -> Result {
    for filter in [Filter::Absent, Filter::Default] {
        let fixture = fixture(name, client, server, filter.clone())?;
        assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"payload");
        same_bytes(&fixture.mesh, SERVICE)?;
        if filter == Filter::Default {
            let metrics = fixture.mesh.settled(Reporter::Source, SERVICE)?;
            let labels = [("reporter", "source"), ("response_flags", "-")];
            assert_eq!(metrics.one(OPENED, &labels)?.value, 1.0);
            check_outcomes(&fixture.mesh, Reporter::Source, "not_attempted", 1)?;
        }
    }
    Ok(())
}

/// With the filter's own offer the server refuses the connection.
fn refused(name: &str, client: Edit, server: Edit) -> Result {
    let fixture = fixture(name, client, server, advertising())?;
    let mut rest = Vec::new();
    // The end, or a reset.
    let _ended = fixture.connect()?.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    assert_eq!(fixture.mesh.seen(Reporter::Destination, SERVICE)?.opened, 0);
    Ok(())
}

// Shows: filter/docs/peer-exchange.md, "list of its own refuses the connection"
#[test]
fn a_server_that_insists_on_its_own_alpn() -> Result {
    works(
        "mqtt",
        |client| offer(client, "mqtt"),
        |server| insist(server, "mqtt"),
    )?;
    refused(
        "mqtt",
        |client| offer(client, "mqtt"),
        |server| insist(server, "mqtt"),
    )
}

#[test]
fn an_http2_tunnel_with_explicit_options() -> Result {
    works("tunnel", explicit_tunnel, tunnel_end)
}

#[test]
fn an_http2_tunnel_by_alpn() -> Result {
    works("auto-tunnel", auto_tunnel, tunnel_end)
}

// Shows: filter/docs/peer-exchange.md, "falls back to HTTP/1.1 or is"
#[test]
fn an_http2_tunnel_does_not_survive_the_filters_offer() -> Result {
    refused("tunnel-offer", explicit_tunnel, tunnel_end)
}

/// Sets the ALPN of the cluster's TLS context.
fn offer(client: &mut Value, protocol: &str) {
    let context = at(client, CLUSTER).pointer_mut("/transport_socket/typed_config");
    context.unwrap()["common_tls_context"]["alpn_protocols"] = json!([protocol]);
}

/// Accepts only clients that offer this ALPN.
fn insist(server: &mut Value, protocol: &str) {
    at(server, LISTENER)["listener_filters"] = json!([{
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    }]);
    let chain = at(server, CHAIN);
    chain["filter_chain_match"] = json!({ "application_protocols": [protocol] });
    chain["transport_socket"]["typed_config"]["common_tls_context"]["alpn_protocols"] =
        json!([protocol]);
}

fn explicit_tunnel(client: &mut Value) {
    tunnel(
        client,
        json!({ "explicit_http_config": { "http2_protocol_options": {} } }),
    );
}

fn auto_tunnel(client: &mut Value) {
    tunnel(
        client,
        json!({ "auto_config": { "http2_protocol_options": {} } }),
    );
}

/// Sends every connection through an HTTP CONNECT request.
fn tunnel(client: &mut Value, mut options: Value) {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    offer(client, "h2");
    let filters = at(client, CHAIN)["filters"].as_array_mut();
    let proxy = filters.and_then(|filters| filters.last_mut()).unwrap();
    proxy["typed_config"]["tunneling_config"] = json!({ "hostname": "db.example.com:5432" });
    options["@type"] = json!(format!("type.googleapis.com/{OPTIONS}"));
    at(client, CLUSTER)["typed_extension_protocol_options"] = json!({ OPTIONS: options });
}

/// Accepts CONNECT requests over HTTP/2 only, and connects them to the application.
fn tunnel_end(server: &mut Value) {
    insist(server, "h2");
    let cluster = at(server, CLUSTER)["name"].clone();
    let upgrade = json!([{ "upgrade_type": "CONNECT", "connect_config": {} }]);
    let route = json!({ "cluster": cluster, "upgrade_configs": upgrade });
    at(server, CHAIN)["filters"] = json!([{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "tunnel",
            "codec_type": "HTTP2",
            "http2_protocol_options": { "allow_connect": true },
            "upgrade_configs": [{ "upgrade_type": "CONNECT" }],
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                },
            }],
            "route_config": { "virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": [{ "match": { "connect_matcher": {} }, "route": route }],
            }] },
        },
    }]);
}

fn at<'a>(bootstrap: &'a mut Value, pointer: &str) -> &'a mut Value {
    bootstrap.pointer_mut(pointer).unwrap()
}
