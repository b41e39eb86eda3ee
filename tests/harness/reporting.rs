//! The times at which counts reach the host, and their costs in host calls.

use host_harness::Tls;
use mesh::labels::{CLOSED, OPENED};

use crate::sidecars::{CLIENT, INTERVAL, SERVER, counts, inbound, labels, module, rig};

#[test]
fn an_open_connection_is_reported_at_every_tick() {
    let rig = rig();
    let connection = rig.connect();
    for round in 1..=3u64 {
        connection.client.write(b"query");
        connection.server.write(b"answer");
        assert_eq!(
            counts(&rig.inbound)[2],
            (round - 1) * 5,
            "nothing is reported between ticks"
        );
        rig.advance(INTERVAL);
        let expected = [1, 0, round * 5, round * 6];
        assert_eq!(counts(&rig.outbound), expected);
        assert_eq!(counts(&rig.inbound), expected);
    }
    connection.client.end();
    connection.server.end();
    assert_eq!(counts(&rig.outbound), [1, 1, 15, 18]);
    assert_eq!(counts(&rig.inbound), [1, 1, 15, 18]);
}

// Shows: filter/docs/performance.md, "A data callback makes no host call"
#[test]
fn a_data_callback_in_steady_state_makes_no_hostcall() {
    let rig = rig();
    let connection = rig.connect();
    connection.client.write(b"query");
    connection.server.write(b"answer");
    for sidecar in [&rig.outbound, &rig.inbound] {
        let before = sidecar.hostcalls();
        for _ in 0..100 {
            connection.client.write(b"query");
            connection.server.write(b"answer");
        }
        assert_eq!(sidecar.hostcalls().since(&before).total(), 0);
    }
}

#[test]
fn a_tick_costs_nothing_when_nothing_moved() {
    let rig = rig();
    for _ in 0..50 {
        let connection = rig.connect();
        connection.client.write(b"query");
        connection.server.write(b"answer");
    }
    rig.advance(INTERVAL);
    let before = rig.inbound.hostcalls();
    rig.advance(INTERVAL);
    assert_eq!(rig.inbound.hostcalls().since(&before).total(), 0);
}

#[test]
fn contexts_end_with_their_connections() {
    let rig = rig();
    let before = rig.inbound.context_count();
    for _ in 0..20 {
        let connection = rig.connect();
        connection.client.write(b"query");
        connection.server.reset();
        assert!(!connection.is_open());
    }
    assert_eq!(rig.inbound.context_count(), before);
    assert_eq!(rig.inbound.metric(OPENED).sum(), 20);
    assert_eq!(rig.inbound.metric(CLOSED).sum(), 20);
}

/// The server's sidecar closes before the client has shown its certificate.
#[test]
fn a_connection_to_a_dead_application_is_no_plaintext() {
    let module = module();
    let plain = inbound(&module).refuse_upstream();
    let tls = inbound(&module)
        .refuse_upstream()
        .downstream_tls(Tls::mutual(SERVER, CLIENT));
    for (sidecar, policy) in [(tls, "unknown"), (plain, "none")] {
        let sidecar = sidecar.start().unwrap();
        let connection = sidecar.connect();
        assert!(!connection.is_open());
        let labels = labels(&sidecar);
        assert_eq!(labels["connection_security_policy"], policy);
        assert_eq!(labels["source_principal"], "unknown");
        assert_eq!(labels["response_flags"], "UF,URX");
    }
}

// Shows: filter/docs/operations.md, "an excluded connection costs one host call and no series"
#[test]
fn a_connection_to_an_excluded_port_costs_one_hostcall() {
    let module = module();
    let configuration = r#"{"ports": {"include": [1]}}"#;
    let sidecar = inbound(&module).plugin_config(configuration);
    let sidecar = sidecar.start().unwrap();
    let before = sidecar.hostcalls();
    let connection = sidecar.connect();
    connection.client.write(b"query");
    connection.server.write(b"answer");
    connection.client.end();
    connection.server.end();
    sidecar.advance(INTERVAL);
    assert_eq!(sidecar.hostcalls().since(&before).total(), 1);
    assert_eq!(counts(&sidecar), [0; 4]);
}
