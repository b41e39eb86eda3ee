//! Upstreams that are connected after the client's first bytes
//! (`tcp_proxy.upstream_connect_mode`).

use super::*;

/// What is known of an upstream once it is connected.
const UPSTREAM: [&str; 3] = [
    "xds.cluster_name",
    "upstream.address",
    "upstream.uri_san_peer_certificate",
];

/// Takes the upstream away; returns what connects it.
fn disconnect(host: &FakeHost) -> impl Fn() + '_ {
    let mut properties = host.properties.borrow_mut();
    let known = UPSTREAM.map(|path| (path, properties.remove(path)));
    move || {
        for (path, value) in &known {
            if let Some(value) = value {
                host.set(path, value);
            }
        }
    }
}

#[test]
fn a_client_reads_a_frame_although_it_wrote_none() {
    for mode in ["auto", "receive"] {
        let host = outbound();
        let connect = disconnect(&host);
        let sim = Sim::mode(&host, mode);
        assert_eq!(sim.down(b"query"), b"query", "{mode}");
        connect();
        assert_eq!(
            sim.up(&[peer_frame(), b"answer".to_vec()].concat()),
            b"answer"
        );
        sim.close();
        let labels = ["destination_workload=.=peer;", "db.data.svc.cluster.local"];
        assert_eq!(sim.counts(&labels), (1, 1, 5, 6), "{mode}");
    }
}

#[test]
fn a_client_in_mode_on_writes_before_the_upstream_is_connected() {
    let host = outbound();
    let connect = disconnect(&host);
    let sim = Sim::mode(&host, "on");
    assert_ne!(sim.down(b"query"), b"query");
    connect();
    assert_eq!(
        sim.up(&[peer_frame(), b"answer".to_vec()].concat()),
        b"answer"
    );
}

#[test]
fn labels_wait_for_the_cluster() {
    for mode in ["off", "auto"] {
        let host = outbound();
        let connect = disconnect(&host);
        let sim = Sim::mode(&host, mode);
        sim.down(b"query");
        for _ in 0..3 {
            sim.plugin.on_tick();
        }
        assert_eq!(sim.counts(&[]), (0, 0, 0, 0), "{mode}");
        connect();
        sim.up(b"answer");
        sim.close();
        let labels = ["destination_service=.=db.data.svc.cluster.local;"];
        assert_eq!(sim.counts(&labels), (1, 1, 5, 6), "{mode}");
    }
}

#[test]
fn labels_of_a_server_wait_for_its_cluster() {
    let host = inbound();
    let connect = disconnect(&host);
    let sim = Sim::mode(&host, "auto");
    assert_eq!(
        sim.down(&[peer_frame(), b"query".to_vec()].concat()),
        b"query"
    );
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]), (0, 0, 0, 0));
    connect();
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&["source_workload=.=peer;"]), (1, 0, 5, 0));
}

#[test]
fn a_connection_whose_upstream_never_connects_is_counted_at_its_close() {
    for host in [outbound(), inbound()] {
        let _connect = disconnect(&host);
        let sim = Sim::mode(&host, "auto");
        sim.down(b"query");
        sim.close();
        assert_eq!(sim.counts(&[]), (1, 1, 5, 0));
    }
}
