//! The client writes a frame only to servers that are known to read it.

use super::*;

/// A connection of a plugin whose configuration lists no cluster.
struct Client<'a> {
    sim: Sim<'a>,
}

impl<'a> Client<'a> {
    fn new(host: &'a FakeHost) -> Self {
        Self {
            sim: Sim::new(host, ""),
        }
    }

    /// Opens another connection.
    fn reconnect(&mut self) -> &Sim<'a> {
        let sim = &mut self.sim;
        let now = &sim.host.now;
        now.set(now.get() + Duration::from_millis(1));
        sim.connection = sim.plugin.on_new_connection(7).expect("a connection");
        sim
    }

    /// The answer, in which a server's frame goes first, and whether a frame went before `query`.
    fn ask(&mut self, answer: &[u8]) -> bool {
        let sim = self.reconnect();
        let wrote = sim.down(b"query") != b"query";
        assert_eq!(sim.up(answer), b"answer");
        sim.close();
        wrote
    }
}

fn with_frame() -> Vec<u8> {
    [peer_frame(), b"answer".to_vec()].concat()
}

#[test]
fn the_first_connection_carries_no_frame_and_the_next_ones_do() {
    let host = outbound();
    let mut client = Client::new(&host);
    assert!(!client.ask(&with_frame()));
    assert!(client.ask(&with_frame()));
    assert!(client.ask(&with_frame()));
    assert_eq!(client.sim.outcome("exchanged"), 3);
}

#[test]
fn a_server_without_the_exchange_never_gets_a_frame() {
    let host = outbound();
    let mut client = Client::new(&host);
    for _ in 0..3 {
        assert!(!client.ask(b"answer"));
    }
    assert_eq!(client.sim.outcome("absent"), 3);
    assert_eq!(host.metric(&["istio_tcp_unanswered_frames_total"]), 0);
}

#[test]
fn a_proof_ends_after_its_duration() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    host.now.set(Duration::from_secs(59));
    assert!(client.ask(&with_frame()), "and is renewed");
    host.now.set(Duration::from_secs(118));
    assert!(client.ask(&with_frame()));
    host.now.set(Duration::from_secs(178));
    assert!(!client.ask(&with_frame()));
}

#[test]
fn a_server_that_answers_without_a_frame_gets_no_other() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    assert!(client.ask(b"answer"));
    assert!(!client.ask(b"answer"));
    client.sim.plugin.on_tick();
    let unanswered = host.metric(&["reporter=.=source;", "istio_tcp_unanswered_frames_total"]);
    assert_eq!(unanswered, 1);
}

#[test]
fn a_proof_holds_for_the_other_workers() {
    let host = outbound();
    let (mut one, mut other) = (Client::new(&host), Client::new(&host));
    one.ask(&with_frame());
    assert!(other.ask(b"answer"));
    assert!(!one.ask(b"answer"));
}

#[test]
fn a_proof_of_one_cluster_is_none_of_another_at_the_same_address() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    host.set(
        "xds.cluster_name",
        "outbound|5432||other.data.svc.cluster.local",
    );
    assert!(!client.ask(b"answer"));
    host.set("xds.cluster_name", CLUSTER);
    assert!(client.ask(&with_frame()));
}

#[test]
fn a_frame_of_this_connection_is_answered() {
    let host = outbound();
    let client = Client::new(&host);
    assert_eq!(
        client
            .sim
            .up(&[peer_frame(), b"greeting".to_vec()].concat()),
        b"greeting"
    );
    assert_ne!(client.sim.down(b"login"), b"login");
}

#[test]
fn a_greeting_without_a_frame_is_not_answered_with_one() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    let sim = client.reconnect();
    assert_eq!(sim.up(b"greeting"), b"greeting");
    assert_eq!(sim.down(b"login"), b"login");
    assert_eq!(host.metric(&["istio_tcp_unanswered_frames_total"]), 0);
}

/// An application that does not understand a frame may end the connection without a byte.
#[test]
fn a_server_that_ends_without_a_frame_gets_no_other() {
    let ends: [fn(&Sim<'_>); 4] = [
        |sim| {
            sim.host.data.take();
            let mut connection = sim.connection.borrow_mut();
            connection.on_data(Buffer::Upstream, 0, true);
        },
        |sim| {
            sim.host.data.replace(b"=#".to_vec());
            let mut connection = sim.connection.borrow_mut();
            connection.on_data(Buffer::Upstream, 2, true);
            assert_eq!(sim.host.data.take(), b"=#");
        },
        // The upstream is reset, or the client goes away before the answer.
        |_| {},
        // It ends in its own frame: it has the exchange.
        |sim| {
            let begin = peer_frame().into_iter().take(20).collect();
            sim.host.data.replace(begin);
            let mut connection = sim.connection.borrow_mut();
            connection.on_data(Buffer::Upstream, 20, true);
            assert_eq!(sim.host.data.take(), b"");
        },
    ];
    for (end, counted) in ends.into_iter().zip([1, 1, 0, 0]) {
        let host = outbound();
        let mut client = Client::new(&host);
        client.ask(&with_frame());
        let sim = client.reconnect();
        assert_ne!(sim.down(b"query"), b"query");
        end(sim);
        sim.close();
        assert!(!client.ask(&with_frame()));
        // Another server at this address, which has the exchange, may have sent that frame.
        assert_eq!(client.ask(&with_frame()), counted == 0);
        host.now.set(host.now.get() + Duration::from_secs(61));
        assert!(!client.ask(&with_frame()));
        assert!(client.ask(&with_frame()));
        client.sim.plugin.on_tick();
        let unanswered = host.metric(&["istio_tcp_unanswered_frames_total"]);
        assert_eq!(unanswered, counted);
    }
}

/// Many connections may be open before the server answers the first.
#[test]
fn a_server_gets_no_second_frame_before_it_answers_the_first() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    let written = (0..20)
        .map(|_| client.reconnect().down(b"query"))
        .filter(|sent| sent != b"query")
        .count();
    assert_eq!(written, 1);
}

/// The server may lose its filter while connections that it accepted before are open.
#[test]
fn the_frame_of_an_older_connection_admits_no_frame_after_an_unanswered_one() {
    let host = outbound();
    let mut client = Client::new(&host);
    client.ask(&with_frame());
    let older = Rc::clone(&client.reconnect().connection);
    assert!(client.ask(b"answer"));
    client.sim.connection = older;
    assert_eq!(client.sim.down(b"query"), b"query");
    assert_eq!(client.sim.up(&with_frame()), b"answer");
    assert!(!client.ask(b"answer"));
}

/// A server reads frames over mutual TLS only.
#[test]
fn a_client_without_a_certificate_writes_none() {
    let host = outbound();
    host.set("upstream.uri_san_local_certificate", "");
    let mut client = Client::new(&host);
    for _ in 0..2 {
        assert!(!client.ask(&with_frame()));
    }
    let sim = client.reconnect();
    assert_eq!(sim.up(&with_frame()), b"answer");
    assert_eq!(sim.down(b"next"), b"next");
}

/// The client reads frames of servers with a SPIFFE id only.
/// What a client sends says nothing of the upstream of this proxy.
#[test]
fn a_server_that_reads_a_frame_proves_nothing() {
    let host = inbound();
    host.set("upstream.uri_san_peer_certificate", SERVER);
    host.set("upstream.uri_san_local_certificate", SERVER);
    host.set("upstream.address", "10.0.0.1:5432");
    let sim = Sim::new(&host, "");
    sim.down(&with_frame());
    sim.up(b"answer");
    sim.close();
    assert_eq!(host.shared_data.borrow().len(), 0);
}

#[test]
fn a_server_without_a_spiffe_id_does_not_write_first() {
    let host = inbound();
    let fingerprint = "t13d0912ie_f91f431d341e_78e6aca7449b";
    host.set("filter_state.tcp_peer_stats.client_ja4", fingerprint);
    host.set("connection.uri_san_local_certificate", "https://elsewhere");
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
}

#[test]
fn a_peer_without_a_spiffe_id_gets_no_frame() {
    for san in ["https://elsewhere", ""] {
        let host = outbound();
        Client::new(&host).ask(&with_frame());
        host.set("upstream.uri_san_peer_certificate", san);
        let sim = Sim::mode(&host, "auto");
        assert_eq!(sim.down(b"query"), b"query", "listed and proven");
        assert_eq!(sim.up(&with_frame()), with_frame(), "and none is read");
    }
}

/// The server's filter chain may be in mode `on`, whatever its certificate is.
#[test]
fn a_frame_of_a_listed_cluster_is_read_over_any_tls() {
    let host = outbound();
    host.set("upstream.uri_san_peer_certificate", "https://elsewhere");
    host.set("upstream.tls_version", "TLSv1.3");
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.down(b"query"), b"query");
    assert_eq!(sim.up(&with_frame()), b"answer");
    let unlisted = Sim::new(&host, "");
    assert_eq!(unlisted.up(&with_frame()), with_frame());
}

#[test]
fn a_cluster_that_is_not_listed_gets_no_frame_first() {
    let host = outbound();
    let sim = Sim::new(&host, r#"{"peer_exchange": {"clusters": ["another"]}}"#);
    assert_eq!(sim.down(b"query"), b"query");
}

#[test]
fn a_listed_cluster_gets_a_frame_whatever_it_answers() {
    let host = outbound();
    for _ in 0..2 {
        let sim = Sim::mode(&host, "auto");
        assert_ne!(sim.down(b"query"), b"query");
        assert_eq!(sim.up(b"answer"), b"answer");
    }
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
    assert_ne!(sim.down(b"login"), b"login");
    sim.plugin.on_tick();
    assert_eq!(host.metric(&["istio_tcp_unanswered_frames_total"]), 0);
}

#[test]
fn a_server_writes_first_to_a_client_that_offered_the_exchange() {
    for (fingerprint, wrote) in [
        ("t13d0912ie_f91f431d341e_78e6aca7449b", true),
        ("t13d0912io_f91f431d341e_78e6aca7449b", false),
        ("", false),
    ] {
        let host = inbound();
        host.set("filter_state.tcp_peer_stats.client_ja4", fingerprint);
        // The bytes of a server that speaks first come before the client's certificate.
        host.set("connection.mtls", [0]);
        let sim = Sim::mode(&host, "auto");
        assert_eq!(sim.up(b"greeting") != b"greeting", wrote, "{fingerprint}");
        host.set("connection.mtls", [1]);
        assert_eq!(
            sim.down(&[peer_frame(), b"login".to_vec()].concat()),
            b"login"
        );
    }
}

#[test]
fn a_server_writes_none_into_the_applications_own_tls() {
    let host = inbound();
    let fingerprint = "t13d0912ie_f91f431d341e_78e6aca7449b";
    host.set("filter_state.tcp_peer_stats.client_ja4", fingerprint);
    host.set("connection.tls_version", "");
    host.set("connection.mtls", [0]);
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"hello"), b"hello");
}
