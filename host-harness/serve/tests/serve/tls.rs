//! TLS between two proxies, as the checked-in bootstraps configure it: who is let in, and to which chain.

use super::{connect, passthrough, serve, set};
use harness_serve::{Bootstrap, Server};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use testbed::apps::{self, App};
use testbed::bootstrap::{self, Hop, Inbound, Upstream};
use testbed::mesh_ca::MeshCa;
use testbed::{Scratch, Workload};

const LIMIT: Duration = Duration::from_secs(10);

/// A client's and a server's proxy without a filter, the bootstraps changed on the way.
struct Pair {
    client: Server,
    server: Server,
    _app: App,
    _scratch: Scratch,
}

impl Pair {
    fn start(
        change_client: impl FnOnce(&mut bootstrap::Bootstrap, &MeshCa),
        change_server: impl FnOnce(&mut bootstrap::Bootstrap),
    ) -> Self {
        let scratch = Scratch::new("tls").unwrap();
        let ca = MeshCa::create(&scratch.folder("ca").unwrap()).unwrap();
        let app = App::start(apps::echo).unwrap();
        let workload = Workload::bookinfo("tcp", "v1");

        let mut server = bootstrap::Bootstrap::server_sidecar().unwrap();
        let identity = ca.issue(&workload).unwrap();
        server.run_as(&workload, &identity).unwrap();
        let inbound = Inbound {
            workload: &workload,
            port: 7000,
            application: app.address(),
            hop: Hop::Mesh,
        };
        server.serve(&inbound).unwrap();
        server.filter(scratch.path(), None);
        change_server(&mut server);
        let server = start(&server);

        let mut client = bootstrap::Bootstrap::client_sidecar().unwrap();
        let identity = ca.issue(&Workload::ratings_v2()).unwrap();
        client.run_as(&Workload::ratings_v2(), &identity).unwrap();
        let upstream = Upstream {
            workload,
            port: 7000,
            address: server.listener("virtualInbound").unwrap(),
            hop: Hop::Mesh,
        };
        client.upstreams(&[upstream], &identity.root).unwrap();
        client.filter(scratch.path(), None);
        change_client(&mut client, &ca);
        Self {
            client: start(&client),
            server,
            _app: app,
            _scratch: scratch,
        }
    }

    /// What comes back of a short message.
    fn echo(&self) -> io::Result<Vec<u8>> {
        echo(self.client.listener("tcp").unwrap())
    }
}

fn start(bootstrap: &bootstrap::Bootstrap) -> Server {
    let bootstrap = Bootstrap::from(bootstrap.document().clone());
    Server::start(bootstrap, 1, |line| eprintln!("{line}")).unwrap()
}

fn echo(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"hello")?;
    stream.shutdown(Shutdown::Write)?;
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    Ok(received)
}

/// Nothing came back, however the connection ended; in time.
fn nothing(echoed: io::Result<Vec<u8>>) -> bool {
    match echoed {
        Ok(bytes) => bytes.is_empty(),
        Err(error) => !matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
        ),
    }
}

const CHAINS: &str = "/static_resources/listeners/0/filter_chains";
const CLUSTER_TLS: &str = "/static_resources/clusters/0/transport_socket/typed_config";

#[test]
fn peers_of_the_mesh_talk() {
    let pair = Pair::start(|_, _| (), |_| ());
    assert_eq!(pair.echo().unwrap(), b"hello");
}

#[test]
fn a_server_with_another_name_is_refused() {
    let name = json!({ "exact": "spiffe://cluster.local/ns/default/sa/another" });
    let pointer = format!(
        "{CLUSTER_TLS}/common_tls_context/validation_context/match_typed_subject_alt_names/0/matcher"
    );
    let pair = Pair::start(
        |client, _| set(client.document_mut(), &pointer, name),
        |_| (),
    );
    assert!(nothing(pair.echo()));
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let pointer = format!("{CLUSTER_TLS}/common_tls_context/tls_certificates");
    let pair = Pair::start(
        |client, _| set(client.document_mut(), &pointer, json!([])),
        |_| (),
    );
    assert!(nothing(pair.echo()));
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let scratch = Scratch::new("other-ca").unwrap();
    let other = MeshCa::create(scratch.path()).unwrap();
    let identity = other.issue(&Workload::ratings_v2()).unwrap();
    let pointer = format!("{CLUSTER_TLS}/common_tls_context/tls_certificates");
    let certificate = json!([{
        "certificate_chain": { "filename": identity.chain },
        "private_key": { "filename": identity.key },
    }]);
    let pair = Pair::start(
        |client, _| set(client.document_mut(), &pointer, certificate),
        |_| (),
    );
    assert!(nothing(pair.echo()));
}

#[test]
fn the_chain_is_chosen_by_alpn() {
    // The chain for other peers leads nowhere.
    let only_exchange = |server: &mut bootstrap::Bootstrap| {
        let chains = server.document_mut().pointer_mut(CHAINS).unwrap();
        chains.as_array_mut().unwrap().truncate(1);
    };
    let alpn = format!("{CLUSTER_TLS}/common_tls_context/alpn_protocols");
    let offer = |client: &mut bootstrap::Bootstrap, name: &str| {
        set(client.document_mut(), &alpn, json!([name]));
    };
    let offered = Pair::start(
        |client, _| offer(client, "istio-peer-exchange"),
        only_exchange,
    );
    assert_eq!(offered.echo().unwrap(), b"hello");
    let other = Pair::start(|client, _| offer(client, "h3"), only_exchange);
    assert!(nothing(other.echo()));
    // A protocol that the chosen chain does not know is no reason to refuse.
    let unknown = Pair::start(|client, _| offer(client, "h3"), |_| ());
    assert_eq!(unknown.echo().unwrap(), b"hello");
}

#[test]
fn plaintext_has_no_chain_among_those_for_tls() {
    let pair = Pair::start(|_, _| (), |_| ());
    let address = pair.server.listener("virtualInbound").unwrap();
    assert!(nothing(echo(address)));
}

#[test]
fn a_chain_without_tls_passes_the_clients_own_tls_on() {
    let app = App::start(apps::echo).unwrap();
    let mut bootstrap = passthrough(app.address());
    let inspector =
        "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
    let filters = json!([{ "typed_config": { "@type": inspector } }]);
    set(
        &mut bootstrap,
        "/static_resources/listeners/0/listener_filters",
        filters,
    );
    let server = serve(bootstrap).unwrap();
    let mut client = connect(&server);
    // What looks like a ClientHello and is none.
    let record = [&[22, 3, 1, 0, 4, 1, 0, 0, 0][..], b"more"].concat();
    client.write_all(&record).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut echoed = Vec::new();
    client.read_to_end(&mut echoed).unwrap();
    assert_eq!(echoed, record);
}
