use std::time::Duration;

use peer_exchange::{Frame, Struct, Value};

use super::*;
use crate::envoy;
use crate::fake::FakeHost;
use crate::host::{Buffer, Status};

const CLIENT: &str = "spiffe://cluster.local/ns/shop/sa/client";
const SERVER: &str = "spiffe://cluster.local/ns/data/sa/server";

fn metadata(workload: &str) -> Struct {
    Struct::from_iter([
        ("WORKLOAD_NAME", Value::from(workload)),
        ("NAMESPACE", Value::from("claimed")),
        ("CLUSTER_ID", Value::from("Kubernetes")),
    ])
}

fn peer_frame() -> Vec<u8> {
    Frame::new(metadata("peer"), "peer-id").encode()
}

/// A host whose node is a workload called `me`.
fn host(extensions: &[&str]) -> FakeHost {
    let host = FakeHost::default();
    let extension = |name: &&str| envoy::Extension {
        name: (*name).to_owned(),
    };
    let node = envoy::Node {
        id: "my-id".to_owned(),
        metadata: Some(metadata("me")),
        locality: None,
        extensions: extensions.iter().map(extension).collect(),
    };
    host.set("xds.node", node.encode_to_vec());
    host
}

/// An outbound connection's facts: mTLS to a host that takes part.
fn outbound() -> FakeHost {
    let host = host(&[]);
    host.set("xds.listener_direction", 2i64.to_le_bytes());
    host.set(
        "xds.cluster_name",
        "outbound|5432||db.data.svc.cluster.local",
    );
    host.set("upstream.address", "10.0.0.1:5432");
    host.set("upstream.uri_san_local_certificate", CLIENT);
    host.set("upstream.uri_san_peer_certificate", SERVER);
    host.set(
        "xds.upstream_host_metadata.filter_metadata.envoy.transport_socket_match.tlsMode",
        "istio",
    );
    host
}

/// An inbound connection's facts: mTLS from a client.
fn inbound() -> FakeHost {
    let host = host(&[]);
    host.set("xds.listener_direction", 1i64.to_le_bytes());
    host.set("xds.cluster_name", "inbound|5432||");
    host.set("connection.mtls", [1]);
    host.set("connection.tls_version", "TLSv1.3");
    host.set("connection.uri_san_local_certificate", SERVER);
    host.set("connection.uri_san_peer_certificate", CLIENT);
    host
}

/// A plugin with one connection.
struct Sim<'a> {
    host: &'a FakeHost,
    plugin: Plugin<&'a FakeHost>,
    connection: Rc<RefCell<Connection>>,
}

impl<'a> Sim<'a> {
    fn new(host: &'a FakeHost, config: &str) -> Self {
        let plugin = Plugin::configure(host, 1, config.as_bytes()).expect("a good configuration");
        let connection = plugin.on_new_connection(2);
        Self {
            host,
            plugin,
            connection,
        }
    }

    fn mode(host: &'a FakeHost, mode: &str) -> Self {
        Self::new(
            host,
            &format!(r#"{{"peer_exchange": {{"mode": "{mode}"}}}}"#),
        )
    }

    /// Sends bytes towards the server; returns what goes on.
    fn down(&self, data: &[u8]) -> Vec<u8> {
        self.data(Buffer::Downstream, data)
    }

    /// Sends bytes towards the client; returns what goes on.
    fn up(&self, data: &[u8]) -> Vec<u8> {
        self.data(Buffer::Upstream, data)
    }

    fn data(&self, buffer: Buffer, data: &[u8]) -> Vec<u8> {
        self.host.data.replace(data.to_vec());
        self.connection
            .borrow_mut()
            .on_data(&self.plugin, buffer, data.len(), false);
        self.host.data.take()
    }

    fn close(&self) {
        self.connection.borrow_mut().on_close(&self.plugin);
    }

    /// Everything that was told to the host, as (opened, closed, received, sent).
    fn counts(&self, labels: &[&str]) -> (u64, u64, u64, u64) {
        let metric = |name: &str| self.host.metric(&[labels, &[name]].concat());
        (
            metric("istio_tcp_connections_opened_total"),
            metric("istio_tcp_connections_closed_total"),
            metric("istio_tcp_received_bytes_total"),
            metric("istio_tcp_sent_bytes_total"),
        )
    }

    fn outcome(&self, result: &str) -> u64 {
        self.plugin.on_tick();
        self.host.metric(&[
            &format!("result=.={result};.;"),
            "istio_tcp_peer_exchange_total",
        ])
    }
}

#[test]
fn outbound_writes_its_frame_and_takes_the_peers_off() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    let mine = sim.plugin.frame().to_vec();
    assert_eq!(sim.down(b"query"), [mine.as_slice(), b"query"].concat());
    assert_eq!(sim.down(b"more"), b"more");
    assert_eq!(
        sim.up(&[peer_frame(), b"answer".to_vec()].concat()),
        b"answer"
    );
    assert_eq!(sim.up(b"rest"), b"rest");
    sim.close();
    let labels = [
        "reporter=.=source;",
        "source_workload=.=me;",
        "destination_workload=.=peer;",
    ];
    assert_eq!(sim.counts(&labels), (1, 1, 9, 10));
    assert_eq!(host.stats().len(), 4, "{:?}", host.stats());
    assert_eq!(sim.outcome("exchanged"), 1);
}

#[test]
fn inbound_takes_the_clients_frame_off_and_answers() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(
        sim.down(&[peer_frame(), b"query".to_vec()].concat()),
        b"query"
    );
    let mine = sim.plugin.frame().to_vec();
    assert_eq!(sim.up(b"answer"), [mine.as_slice(), b"answer"].concat());
    sim.close();
    let labels = [
        "reporter=.=destination;",
        "source_workload=.=peer;",
        "source_workload_namespace=.=shop;",
        "source_principal=.=spiffe://cluster.local/ns/shop/sa/client;",
        "destination_workload=.=me;",
        "connection_security_policy=.=mutual_tls;",
    ];
    assert_eq!(sim.counts(&labels), (1, 1, 5, 6));
}

#[test]
fn a_greeting_that_comes_first_passes_without_our_frame() {
    let host = inbound();
    host.set("connection.mtls", [0]);
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
    host.set("connection.mtls", [1]);
    assert_eq!(
        sim.down(&[peer_frame(), b"login".to_vec()].concat()),
        b"login"
    );
    assert_eq!(sim.up(b"welcome"), b"welcome");
    sim.close();
    assert_eq!(
        sim.counts(&["source_workload=.=peer;", "mutual_tls"]),
        (1, 1, 5, 15)
    );
}

#[test]
fn a_frame_behind_a_greeting_is_taken_off_in_every_mode_that_reads() {
    for mode in ["auto", "receive", "on"] {
        let host = inbound();
        host.set("connection.mtls", [0]);
        let sim = Sim::mode(&host, mode);
        assert!(sim.up(b"greeting").ends_with(b"greeting"), "{mode}");
        host.set("connection.mtls", [1]);
        let login = [peer_frame(), b"login".to_vec()].concat();
        assert_eq!(sim.down(&login), b"login", "{mode}");
    }
}

#[test]
fn on_puts_the_frame_in_front_of_a_greeting() {
    let host = inbound();
    let sim = Sim::mode(&host, "on");
    let mine = sim.plugin.frame().to_vec();
    assert_eq!(sim.up(b"greeting"), [mine.as_slice(), b"greeting"].concat());
    assert_eq!(
        sim.down(&[peer_frame(), b"login".to_vec()].concat()),
        b"login"
    );
}

#[test]
fn a_peer_that_does_not_take_part_gets_no_frame() {
    let closed_gates: [fn(&FakeHost); 3] = [
        |host| host.set("upstream.uri_san_peer_certificate", "https://elsewhere"),
        |host| host.set("upstream.uri_san_peer_certificate", ""),
        |host| {
            let tls_mode =
                "xds.upstream_host_metadata.filter_metadata.envoy.transport_socket_match.tlsMode";
            host.set(tls_mode, "disabled");
        },
    ];
    for close in closed_gates {
        let host = outbound();
        close(&host);
        let sim = Sim::mode(&host, "auto");
        assert_eq!(sim.down(b"query"), b"query");
        assert_eq!(sim.up(b"answer"), b"answer");
    }
}

#[test]
fn the_allow_list_opens_the_gate_of_a_cluster() {
    let host = outbound();
    host.set(
        "xds.upstream_host_metadata.filter_metadata.envoy.transport_socket_match.tlsMode",
        "",
    );
    let config = r#"{"peer_exchange": {"clusters": ["outbound|5432||db.data.svc.cluster.local"]}}"#;
    assert_ne!(Sim::new(&host, config).down(b"query"), b"query");
    assert_eq!(
        Sim::new(&host, r#"{"peer_exchange": {"clusters": ["other"]}}"#).down(b"query"),
        b"query"
    );
}

#[test]
fn receive_and_off_write_nothing() {
    for (mode, stripped) in [("receive", true), ("off", false)] {
        let answer = [peer_frame(), b"answer".to_vec()].concat();
        let expected = if stripped {
            b"answer".to_vec()
        } else {
            answer.clone()
        };

        let host = outbound();
        let sim = Sim::mode(&host, mode);
        assert!(host.foreign.borrow().is_empty(), "{mode} offers no ALPN");
        assert_eq!(sim.down(b"query"), b"query", "{mode}");
        assert_eq!(sim.up(&answer), expected, "{mode}");

        let host = inbound();
        let sim = Sim::mode(&host, mode);
        assert_eq!(sim.down(&answer), expected, "{mode}");
        assert_eq!(sim.up(b"answer"), b"answer", "{mode}");
    }
}

#[test]
fn auto_stands_back_beside_a_native_exchange_filter() {
    for name in [
        "istio.metadata_exchange",
        "envoy.filters.network.metadata_exchange",
    ] {
        let host = host(&["envoy.filters.network.tcp_proxy", name]);
        let configured = |mode: &str| {
            let config = format!(r#"{{"peer_exchange": {{"mode": "{mode}"}}}}"#);
            Plugin::configure(&host, 1, config.as_bytes())
                .expect("a good configuration")
                .mode()
        };
        assert_eq!(configured("auto"), Mode::Off);
        assert_eq!(configured("on"), Mode::On);
        assert_eq!(configured("receive"), Mode::Receive);
    }
}

#[test]
fn outbound_offers_the_alpn_unless_told_not_to() {
    let host = outbound();
    Sim::mode(&host, "auto");
    let (name, argument) = host.foreign.take().pop().expect("a call");
    assert_eq!(name, "set_envoy_filter_state");
    let argument = SetEnvoyFilterStateArguments::decode(argument.as_slice()).expect("a message");
    assert_eq!(argument.path, "envoy.network.application_protocols");
    assert_eq!(argument.value, "istio-peer-exchange,istio");
    assert_eq!(argument.span, 2);

    Sim::new(&host, r#"{"peer_exchange": {"advertise_alpn": false}}"#);
    assert!(host.foreign.borrow().is_empty());
    Sim::mode(&inbound(), "auto");
    assert!(host.foreign.borrow().is_empty());
}

#[test]
fn a_host_that_refuses_the_frame_is_left_alone_for_a_while() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    assert_ne!(sim.down(b"query"), b"query");
    assert_eq!(sim.up(b"what?"), b"what?");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 1);

    let again = |at: u64| {
        host.now.set(Duration::from_secs(at));
        let connection = sim.plugin.on_new_connection(at as ContextId);
        host.data.replace(b"query".to_vec());
        connection
            .borrow_mut()
            .on_data(&sim.plugin, Buffer::Downstream, 5, false);
        let wrote = host.data.take() != b"query";
        host.data.replace(b"answer".to_vec());
        connection
            .borrow_mut()
            .on_data(&sim.plugin, Buffer::Upstream, 6, false);
        assert_eq!(host.data.take(), b"answer");
        wrote
    };
    assert!(!again(10));
    assert_eq!(sim.outcome("suppressed"), 1);
    assert!(!again(299));
    assert!(again(300));
}

#[test]
fn a_greeting_before_our_frame_is_no_refusal() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
    assert_ne!(sim.down(b"login"), b"login");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 0);
}

#[test]
fn an_oversized_frame_closes_the_connection_and_lets_nothing_through() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.down(b"\x3d\x23\x04\x67\xff\xff\xff\xffpayload"), b"");
    assert!(host.closed.get());
    assert_eq!(sim.down(b"more"), b"");
    sim.close();
    assert_eq!(sim.counts(&["source_workload=.=unknown;"]), (1, 1, 0, 0));
    assert_eq!(sim.outcome("too_large"), 1);
}

#[test]
fn an_open_connection_is_reported_at_the_tick() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(host.tick_period.get(), Some(Duration::from_secs(15)));
    sim.down(&[peer_frame(), b"query".to_vec()].concat());
    assert_eq!(sim.counts(&[]), (0, 0, 0, 0));
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (1, 0, 5, 0));
    let before = host.hostcalls.get();
    sim.down(b"steady");
    sim.up(b"steady");
    sim.up(b"state");
    // The server's first bytes carry our frame; nothing else touches the host.
    assert_eq!(host.hostcalls.get() - before, 1);
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (1, 0, 11, 11));
    sim.close();
    sim.close();
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (1, 1, 11, 11));
}

#[test]
fn without_a_period_everything_is_reported_at_the_close() {
    let host = inbound();
    let sim = Sim::new(&host, r#"{"tcp_reporting_duration": "0"}"#);
    assert_eq!(host.tick_period.get(), None);
    sim.down(&[peer_frame(), b"query".to_vec()].concat());
    sim.close();
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (1, 1, 5, 0));
    assert_eq!(host.metric(&["result=.=exchanged;.;"]), 1);
}

#[test]
fn an_undecided_connection_is_reported_after_a_whole_interval() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]), (0, 0, 0, 0));
    sim.plugin.on_tick();
    assert_eq!(
        sim.counts(&["destination_workload=.=unknown;"]),
        (1, 0, 5, 0)
    );
    assert_eq!(
        host.effective_context.get(),
        1,
        "the plugin's own context is effective again"
    );
    // The labels stay, whatever the peer tells later; its frame is taken off all the same.
    assert_eq!(
        sim.up(&[peer_frame(), b"answer".to_vec()].concat()),
        b"answer"
    );
    sim.close();
    assert_eq!(
        sim.counts(&["destination_workload=.=unknown;"]),
        (1, 1, 5, 6)
    );
    assert_eq!(host.stats().len(), 4);
}

#[test]
fn labels_do_not_freeze_while_the_handshake_is_unfinished() {
    let host = inbound();
    host.set("connection.mtls", [0]);
    host.set("connection.uri_san_peer_certificate", "");
    let sim = Sim::mode(&host, "auto");
    sim.up(b"greeting");
    for _ in 0..5 {
        sim.plugin.on_tick();
    }
    assert_eq!(sim.counts(&[]), (0, 0, 0, 0));
    host.set("connection.mtls", [1]);
    host.set("connection.uri_san_peer_certificate", CLIENT);
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&["mutual_tls", CLIENT]), (1, 0, 0, 8));
}

#[test]
fn a_connection_that_never_came_to_data_is_opened_and_closed_with_its_flags() {
    let host = outbound();
    host.set("response.flags", 0x20i64.to_le_bytes());
    let sim = Sim::mode(&host, "auto");
    sim.close();
    assert_eq!(sim.counts(&["response_flags=.=UF;"]), (1, 1, 0, 0));
    assert_eq!(sim.outcome("not_attempted"), 1);
}

#[test]
fn peers_beyond_the_limit_of_series_share_one() {
    let host = inbound();
    let plugin = Plugin::configure(&host, 1, b"").expect("a good configuration");
    plugin.series.replace(SeriesTable::new(1));
    for workload in ["a", "b", "c"] {
        let connection = plugin.on_new_connection(2);
        let frame = Frame::new(metadata(workload), "").encode();
        let len = frame.len();
        host.data.replace(frame);
        connection
            .borrow_mut()
            .on_data(&plugin, Buffer::Downstream, len, false);
        connection.borrow_mut().on_close(&plugin);
    }
    plugin.on_tick();
    let closed = |workload: &str| {
        host.metric(&[
            &format!("source_workload=.={workload};"),
            "istio_tcp_connections_closed_total",
        ])
    };
    assert_eq!(
        (closed("a"), closed("b"), closed("c"), closed("unknown")),
        (1, 0, 0, 2)
    );
    assert_eq!(host.metric(&["istio_tcp_series_overflow_total"]), 2);
}

#[test]
fn no_status_at_any_hostcall_loses_a_byte_or_a_count() {
    let client = [peer_frame(), b"query".to_vec()].concat();
    for status in [
        Status::NOT_FOUND,
        Status::BAD_ARGUMENT,
        Status(10),
        Status(12),
        Status(99),
    ] {
        for first in 1..60 {
            let host = inbound();
            host.fail_from.set(Some((first, status)));
            let Ok(plugin) = Plugin::configure(&host, 1, b"") else {
                continue;
            };
            let sim = Sim {
                host: &host,
                connection: plugin.on_new_connection(2),
                plugin,
            };
            let down = sim.down(&client);
            let up = sim.up(b"answer");
            sim.plugin.on_tick();
            assert!(up.ends_with(b"answer"), "from call {first} on {status}");
            assert!(
                down == client || down == b"query" || host.closed.get() || down.is_empty(),
                "from call {first} on {status}: {down:?}"
            );
            // A host that recovers is told everything.
            host.fail_from.set(None);
            sim.close();
            sim.plugin.on_tick();
            let (opened, closed, _, sent) = sim.counts(&[]);
            assert_eq!(
                (opened, closed, sent),
                (1, 1, 6),
                "from call {first} on {status}"
            );
        }
    }
}
