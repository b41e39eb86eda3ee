//! When labels freeze and counts reach the host, whatever the host answers.

use super::*;

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
fn amounts_that_the_host_rejects_at_a_tick_are_sent_at_the_next() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(&[peer_frame(), b"query".to_vec()].concat());
    let next_call = host.hostcalls.get() + 1;
    host.fail_from.set(Some((next_call, Status(10))));
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]), (0, 0, 0, 0));
    host.fail_from.set(None);
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]), (1, 0, 5, 0));
}

#[test]
fn a_changed_series_is_listed_once_and_freed_with_the_plugin() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(&[peer_frame(), b"query".to_vec()].concat());
    sim.down(b"more");
    let changed = sim.plugin.shared.series.borrow().changed();
    assert_eq!(changed.len(), 1);
    sim.plugin.on_tick();
    assert_eq!(sim.plugin.shared.series.borrow().changed().len(), 0);
    sim.down(b"more");
    let series = changed.first().map(Rc::downgrade);
    drop(changed);
    drop(sim);
    assert!(series.is_some_and(|series| series.upgrade().is_none()));
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
    // The labels stay as they are; the frame that comes later is taken off all the same.
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

// Shows: filter/docs/peer-exchange.md, "this case is the same as an unfinished handshake"
#[test]
fn labels_are_not_final_before_the_handshake_is_complete() {
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
fn an_incomplete_handshake_does_not_count_as_plaintext() {
    for (reporter, tls, mtls, spoke, policy) in [
        // Closed before the client could show its certificate.
        ("UNSPECIFIED", "TLSv1.3", false, false, "unknown"),
        ("SERVER_GATEWAY", "TLSv1.2", false, false, "unknown"),
        // TLS without a client certificate: bytes come behind the handshake only.
        ("UNSPECIFIED", "TLSv1.3", false, true, "none"),
        ("UNSPECIFIED", "", false, false, "none"),
        ("UNSPECIFIED", "", false, true, "none"),
        ("UNSPECIFIED", "TLSv1.3", true, false, "mutual_tls"),
        ("UNSPECIFIED", "TLSv1.3", true, true, "mutual_tls"),
    ] {
        let host = inbound();
        host.set("connection.tls_version", tls);
        host.set("connection.mtls", [u8::from(mtls)]);
        if !mtls {
            host.set("connection.uri_san_peer_certificate", "");
        }
        let sim = Sim::new(&host, &format!(r#"{{"reporter": "{reporter}"}}"#));
        if spoke {
            sim.down(b"query");
        }
        sim.close();
        let policy = format!("connection_security_policy=.={policy};");
        let closed = host.metric(&[&policy, "istio_tcp_connections_closed_total"]);
        assert_eq!(closed, 1, "{reporter} {tls:?} {mtls} {spoke}: {policy}");
    }
}

#[test]
fn a_connection_without_data_is_counted_with_its_flags() {
    let host = outbound();
    host.set("response.flags", 0x20i64.to_le_bytes());
    let sim = Sim::mode(&host, "auto");
    sim.close();
    assert_eq!(sim.counts(&["response_flags=.=UF;"]), (1, 1, 0, 0));
    assert_eq!(sim.outcome("not_attempted"), 1);
}

// Shows: filter/docs/operations.md, "(10 000) series; further peers share `unknown`"
#[test]
fn peers_beyond_max_series_share_one_series() {
    let host = inbound();
    let plugin = Plugin::configure(&host, 1, b"").expect("a good configuration");
    plugin.shared.series.replace(SeriesTable::new(1));
    for workload in ["a", "b", "c"] {
        let connection = plugin.on_new_connection(2).expect("a connection");
        let frame = Frame::new(metadata(workload), "").encode();
        let len = frame.len();
        host.data.replace(frame);
        connection
            .borrow_mut()
            .on_data(Buffer::Downstream, len, false);
        connection.borrow_mut().on_close();
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

/// The peer's claim is the service's namespace if neither the cluster nor a certificate has one,
/// but not in the coarse series.
#[test]
fn claims_of_a_peer_do_not_add_coarse_series() {
    let host = outbound();
    host.set("xds.cluster_name", "external");
    host.set("upstream.uri_san_peer_certificate", "");
    let plugin = Plugin::configure(&host, 1, br#"{"peer_exchange": {"mode": "on"}}"#);
    let plugin = plugin.expect("a good configuration");
    plugin.shared.series.replace(SeriesTable::new(1));
    for namespace in ["a", "b", "c"] {
        let connection = plugin.on_new_connection(2).expect("a connection");
        let claim = Struct::from_iter([("NAMESPACE", Value::from(namespace))]);
        let frame = Frame::new(claim, "").encode();
        let len = frame.len();
        host.data.replace(frame);
        connection
            .borrow_mut()
            .on_data(Buffer::Upstream, len, false);
        connection.borrow_mut().on_close();
    }
    plugin.on_tick();
    let closed = |namespace: &str| {
        host.metric(&[
            &format!("destination_service_namespace=.={namespace};"),
            "istio_tcp_connections_closed_total",
        ])
    };
    assert_eq!(
        (closed("a"), closed("b"), closed("c"), closed("unknown")),
        (1, 0, 0, 2)
    );
}

// Shows: filter/docs/peer-exchange.md, "A new certificate appears in the labels at most one"
// Shows: filter/docs/operations.md, "show a new own certificate within one reporting interval"
#[test]
fn a_renewed_certificate_is_used_within_an_interval() {
    let host = inbound();
    let plugin = Plugin::configure(&host, 1, b"").expect("a good configuration");
    let connect = || {
        let connection = plugin.on_new_connection(2).expect("a connection");
        connection.borrow_mut().on_close();
    };
    let closed = |san: &str| {
        host.metric(&[
            &format!("destination_principal=.={san};"),
            "istio_tcp_connections_closed_total",
        ])
    };
    connect();
    host.set(
        "connection.uri_san_local_certificate",
        "spiffe://new/ns/n/sa/s",
    );
    connect();
    assert_eq!(closed("spiffe://new/ns/n/sa/s"), 0);
    plugin.on_tick();
    connect();
    assert_eq!(closed("spiffe://new/ns/n/sa/s"), 1);
    // Without a cluster, or without a certificate of the peer's, the pair is unknown.
    host.set("xds.cluster_name", "");
    connect();
    host.set(
        "connection.uri_san_local_certificate",
        "spiffe://other/ns/n/sa/s",
    );
    connect();
    assert_eq!(closed("spiffe://other/ns/n/sa/s"), 1);
    host.set("connection.uri_san_peer_certificate", "");
    connect();
    host.set(
        "connection.uri_san_local_certificate",
        "spiffe://newer/ns/n/sa/s",
    );
    connect();
    assert_eq!(closed("spiffe://newer/ns/n/sa/s"), 1);
}

// Shows: filter/docs/failures.md, "value stays pending; the next tick or close reports it again"
#[test]
fn no_hostcall_status_loses_a_byte_or_a_count() {
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
                connection: plugin.on_new_connection(2).expect("a connection"),
                plugin,
            };
            let down = sim.down(&client);
            let up = sim.up(b"answer");
            sim.plugin.on_tick();
            let lost = down.is_empty();
            assert!(
                up.ends_with(b"answer") || lost,
                "from call {first} on {status}"
            );
            // Where no property is to be had there is no TLS either, and no frame is looked for.
            assert!(
                lost || down == b"query" || status == Status::NOT_FOUND && down == client,
                "from call {first} on {status}: {down:?}"
            );
            // All counts reach a host that recovers.
            host.fail_from.set(None);
            sim.close();
            sim.plugin.on_tick();
            let (opened, closed, _, sent) = sim.counts(&[]);
            assert_eq!(
                (opened, closed, sent),
                (1, 1, if up.is_empty() { 0 } else { 6 }),
                "from call {first} on {status}"
            );
        }
    }
}

#[test]
fn a_changed_service_is_used_within_an_interval() {
    const SERVICE: &str = "xds.cluster_metadata.filter_metadata.istio.services.0";
    /// The map `{host: …}` with a host of one letter.
    const MAP: &[u8] = b"\x01\0\0\0\x04\0\0\0\x01\0\0\0host\0";
    let host = inbound();
    host.set(SERVICE, [MAP, b"a\0"].concat());
    let plugin = Plugin::configure(&host, 1, b"").expect("a good configuration");
    let connect = || {
        let connection = plugin.on_new_connection(2).expect("a connection");
        connection.borrow_mut().on_close();
    };
    let closed = |service: &str| {
        host.metric(&[
            &format!("destination_service=.={service};"),
            "istio_tcp_connections_closed_total",
        ])
    };
    connect();
    host.set(SERVICE, [MAP, b"b\0"].concat());
    connect();
    assert_eq!([closed("a"), closed("b")], [2, 0]);
    plugin.on_tick();
    connect();
    assert_eq!([closed("a"), closed("b")], [2, 1]);
}
