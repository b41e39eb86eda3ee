//! On which connections frames are read and written, and which bytes go on.

use super::*;

#[test]
fn outbound_writes_its_frame_and_removes_the_peers() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    let mine = sim.plugin.shared.exchange.frame().to_vec();
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

// Shows: README.md, "reads over mutual TLS; writes after the client's frame"
#[test]
fn inbound_removes_the_clients_frame_and_answers() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(
        sim.down(&[peer_frame(), b"query".to_vec()].concat()),
        b"query"
    );
    let mine = sim.plugin.shared.exchange.frame().to_vec();
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
fn a_greeting_before_the_clients_frame_passes_without_a_frame() {
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

// Shows: filter/docs/operations.md, "the client writes no frame and removes received frames"
#[test]
fn a_frame_after_a_greeting_is_removed_in_every_reading_mode() {
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
fn a_client_without_a_certificate_sends_payload_only() {
    let host = inbound();
    host.set("connection.mtls", [0]);
    host.unset("connection.uri_san_peer_certificate");
    let sim = Sim::mode(&host, "auto");
    let bytes = [peer_frame(), b"query".to_vec()].concat();
    assert_eq!(sim.down(&bytes), bytes);
    assert_eq!(sim.up(b"answer"), b"answer");
}

#[test]
fn mode_on_writes_the_frame_before_a_greeting() {
    let host = inbound();
    let sim = Sim::mode(&host, "on");
    let mine = sim.plugin.shared.exchange.frame().to_vec();
    assert_eq!(sim.up(b"greeting"), [mine.as_slice(), b"greeting"].concat());
    assert_eq!(
        sim.down(&[peer_frame(), b"login".to_vec()].concat()),
        b"login"
    );
}

#[test]
fn modes_receive_and_off_write_no_frame() {
    for (mode, stripped) in [("receive", true), ("off", false)] {
        let answer = [peer_frame(), b"answer".to_vec()].concat();
        let expected = if stripped {
            b"answer".to_vec()
        } else {
            answer.clone()
        };

        let host = outbound();
        let sim = Sim::mode(&host, mode);
        assert_eq!(host.offered(), [""; 0], "{mode} offers no ALPN");
        assert_eq!(sim.down(b"query"), b"query", "{mode}");
        assert_eq!(sim.up(&answer), expected, "{mode}");

        let host = inbound();
        let sim = Sim::mode(&host, mode);
        assert_eq!(sim.down(&answer), expected, "{mode}");
        assert_eq!(sim.up(b"answer"), b"answer", "{mode}");
    }
}

#[test]
fn mode_off_computes_the_labels_at_the_clients_first_bytes() {
    let host = outbound();
    let sim = Sim::mode(&host, "off");
    sim.down(b"query");
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]), (1, 0, 5, 0));
}

// Shows: README.md, "On a proxy with Istio's own exchange filter compiled in, `auto` means `off`."
#[test]
fn mode_auto_is_off_beside_a_native_exchange_filter() {
    for name in [
        "istio.metadata_exchange",
        "envoy.filters.network.metadata_exchange",
    ] {
        let host = host(&["envoy.filters.network.tcp_proxy", name]);
        let configured = |mode: &str| {
            let config = format!(r#"{{"peer_exchange": {{"mode": "{mode}"}}}}"#);
            Plugin::configure(&host, 1, config.as_bytes())
                .expect("a good configuration")
                .shared
                .exchange
                .mode()
        };
        assert_eq!(configured("auto"), Mode::Off);
        assert_eq!(configured("on"), Mode::On);
        assert_eq!(configured("receive"), Mode::Receive);
    }
}

// Shows: filter/docs/peer-exchange.md, "to every TLS upstream of the listener"
#[test]
fn outbound_offers_the_alpn_only_if_it_is_enabled() {
    let offered = |host: FakeHost, config: &str| {
        Sim::new(&host, config);
        host.offered()
    };
    assert_eq!(offered(outbound(), ""), [""; 0]);
    let listed = r#"{"peer_exchange": {"protocols": ["mx", "h2"], "clusters": ["c"]}}"#;
    assert_eq!(offered(outbound(), listed), [""; 0]);
    let enabled = r#"{"peer_exchange": {"advertise_alpn": true}}"#;
    assert_eq!(offered(outbound(), enabled), ["istio-peer-exchange,istio"]);
    let own = r#"{"peer_exchange": {"advertise_alpn": true, "protocols": ["mx", "h2"]}}"#;
    assert_eq!(offered(outbound(), own), ["mx,h2"]);
    assert_eq!(offered(inbound(), enabled), [""; 0]);
    for mode in ["receive", "off"] {
        let enabled =
            format!(r#"{{"peer_exchange": {{"mode": "{mode}", "advertise_alpn": true}}}}"#);
        assert_eq!(offered(outbound(), &enabled), [""; 0], "{mode}");
    }
}

#[test]
fn an_oversized_frame_closes_the_connection_and_passes_no_byte() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.down(b"\x3d\x23\x04\x67\xff\xff\xff\xffpayload"), b"");
    assert!(host.closed.get());
    assert_eq!(sim.down(b"more"), b"");
    sim.close();
    assert_eq!(sim.counts(&["source_workload=.=unknown;"]), (1, 1, 0, 0));
    assert_eq!(sim.outcome("too_large"), 1);
}

/// Otherwise a frame would reach the application.
// Shows: filter/docs/failures.md, "the connection is closed and counted as `host_failure`"
#[test]
fn a_failed_read_of_direction_or_mtls_closes_the_connection() {
    let client = [peer_frame(), b"query".to_vec()].concat();
    // The direction, then, after the filter chain's name and the SAN, whether there is TLS, and
    // mutual TLS.
    for nth in [1, 4, 5] {
        let host = inbound();
        host.set("connection.uri_san_peer_certificate", "");
        let plugin = Plugin::configure(&host, 1, b"").expect("a good configuration");
        let call = host.hostcalls.get() + nth;
        host.fail_only.set(Some((call, Status(10))));
        let sim = Sim {
            host: &host,
            connection: plugin.on_new_connection(2).expect("a connection"),
            plugin,
        };
        assert_eq!(sim.down(&client), b"", "call {nth}");
        assert!(host.closed.get());
        sim.close();
        assert_eq!(sim.counts(&[]), (1, 1, 0, 0));
        assert_eq!(sim.outcome("host_failure"), 1);
    }
}

// Shows: filter/docs/failures.md, "that connection, and removing its bytes | its bytes are held |"
#[test]
fn bytes_are_held_if_drain_and_close_fail() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    host.fail_from
        .set(Some((host.hostcalls.get() + 1, Status(10))));
    assert_eq!(sim.down(&[peer_frame(), b"query".to_vec()].concat()), b"");
    assert_eq!(sim.down(b"more"), b"");
    assert!(!host.closed.get());
}

/// Envoy calls `proxy_on_upstream_connection_close` after the callback with the upstream's last
/// bytes, also in a context that closing in that callback has deleted. The SDK panics then, and
/// every connection of the VM is lost.
#[test]
fn an_oversized_frame_in_the_last_bytes_closes_after_their_callback() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    host.data
        .replace(b"\x3d\x23\x04\x67\xff\xff\xff\xff".to_vec());
    let last = |connection: &mut Connection<_>| {
        connection.on_data(Buffer::Upstream, 8, true);
    };
    last(&mut sim.connection.borrow_mut());
    assert_eq!(host.data.take(), b"");
    assert!(!host.closed.get());
    sim.connection.borrow_mut().on_upstream_close();
    assert!(host.closed.replace(false));
    sim.connection.borrow_mut().on_upstream_close();
    assert!(!host.closed.get(), "once");
    assert_eq!(sim.outcome("too_large"), 1);
}

#[test]
fn a_connection_that_ends_without_an_answer_has_an_outcome() {
    let ending = |host: &FakeHost, bytes: &[u8]| {
        let sim = Sim::mode(host, "auto");
        if !bytes.is_empty() {
            sim.down(bytes);
        }
        sim.close();
        let outcomes = ["absent", "not_attempted"];
        outcomes.map(|outcome| sim.outcome(outcome))
    };
    assert_eq!(ending(&outbound(), b"query"), [1, 0]);
    assert_eq!(ending(&outbound(), b""), [0, 1]);
    let beside_native = host(&["envoy.filters.network.metadata_exchange"]);
    assert_eq!(ending(&beside_native, b""), [0, 1]);
}

#[test]
fn a_connection_that_ends_in_or_after_the_frame_has_one_outcome() {
    for (bytes, outcome) in [(6, "truncated"), (usize::MAX, "exchanged")] {
        let host = inbound();
        let sim = Sim::mode(&host, "auto");
        let frame = peer_frame();
        sim.down(&frame[..bytes.min(frame.len())]);
        sim.close();
        assert_eq!(sim.outcome(outcome), 1);
        assert_eq!(host.metric(&["istio_tcp_peer_exchange_total"]), 1);
    }
}

#[test]
fn beside_a_native_filter_a_connection_has_one_outcome() {
    let host = FakeHost::default();
    host.properties.replace(outbound().properties.take());
    let native = node(&["envoy.filters.network.metadata_exchange"]);
    host.set("xds.node", native.encode_to_vec());
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    sim.close();
    assert_eq!(sim.outcome("not_attempted"), 1);
}

#[test]
fn a_callback_without_bytes_writes_a_frame_only_at_the_end_of_the_stream() {
    for (end_of_stream, written) in [(false, false), (true, true)] {
        let host = outbound();
        let sim = Sim::mode(&host, "auto");
        host.data.replace(Vec::new());
        sim.connection
            .borrow_mut()
            .on_data(Buffer::Downstream, 0, end_of_stream);
        assert_eq!(!host.data.take().is_empty(), written, "{end_of_stream}");
        // The frame goes in front of the first bytes, if it was not written before.
        assert_eq!(sim.down(b"query") != b"query", !written, "{end_of_stream}");
    }
}
