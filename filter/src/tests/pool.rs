//! Connections of one client: the first carries no frame, the later ones do.

use super::*;

const JA4: &str = "filter_state.tcp_peer_stats.client_ja4";
const OFFERED: &str = "t13d0912ie_f91f431d341e_78e6aca7449b";

/// Sends the first bytes of a new connection from this address.
fn connect<'a>(
    sim: &Sim<'a>,
    address: &str,
    bytes: &[u8],
) -> Rc<RefCell<Connection<&'a FakeHost>>> {
    sim.host.set("source.address", address);
    // Each connection of a test has another context.
    let id = address.bytes().map(u32::from).sum();
    let connection = sim.plugin.on_new_connection(id).expect("a connection");
    sim.host.data.replace(bytes.to_vec());
    connection
        .borrow_mut()
        .on_data(Buffer::Downstream, bytes.len(), false);
    connection
}

fn with_frame() -> Vec<u8> {
    [peer_frame(), b"query".to_vec()].concat()
}

fn opened(sim: &Sim<'_>, workload: &str) -> u64 {
    let label = format!("source_workload=.={workload};");
    sim.counts(&[&label]).0
}

#[test]
fn a_connection_without_a_frame_gets_the_metadata_of_a_later_one() {
    let host = inbound();
    host.set(JA4, OFFERED);
    let sim = Sim::mode(&host, "auto");
    sim.close();
    let _first = connect(&sim, "10.0.0.2:50000", b"query");
    sim.plugin.on_tick();
    let _second = connect(&sim, "10.0.0.2:50001", &with_frame());
    sim.plugin.on_tick();
    assert_eq!(opened(&sim, "peer"), 2);
    assert_eq!(host.metric(&["istio_tcp_reused_metadata_total"]), 1);
}

#[test]
fn a_connection_of_another_client_stays_unknown() {
    let host = inbound();
    host.set(JA4, OFFERED);
    let sim = Sim::mode(&host, "auto");
    let _known = connect(&sim, "10.0.0.2:50000", &with_frame());
    let _other_address = connect(&sim, "10.0.0.3:50000", b"query");
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    host.set(
        "connection.uri_san_peer_certificate",
        "spiffe://td/ns/a/sa/b",
    );
    let _other_principal = connect(&sim, "10.0.0.2:50001", b"query");
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    assert_eq!(opened(&sim, "peer"), 1);
    assert_eq!(host.metric(&["istio_tcp_reused_metadata_total"]), 0);
}

/// Metadata is kept only while a connection waits for it.
#[test]
fn a_connection_without_a_frame_does_not_get_the_metadata_of_an_earlier_one() {
    let host = inbound();
    host.set(JA4, OFFERED);
    let sim = Sim::mode(&host, "auto");
    // It is unknown too.
    sim.close();
    let _known = connect(&sim, "10.0.0.2:50000", &with_frame());
    let _without = connect(&sim, "10.0.0.2:50001", b"query");
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    assert_eq!((opened(&sim, "peer"), opened(&sim, "unknown")), (1, 2));
    assert_eq!(host.metric(&["istio_tcp_reused_metadata_total"]), 0);
}

#[test]
fn a_client_that_offered_nothing_is_counted_at_once() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    let _first = connect(&sim, "10.0.0.2:50000", b"query");
    let _second = connect(&sim, "10.0.0.2:50001", &with_frame());
    sim.plugin.on_tick();
    assert_eq!((opened(&sim, "peer"), opened(&sim, "unknown")), (1, 1));
}

#[test]
fn a_waiting_connection_is_counted_at_its_close() {
    let host = inbound();
    host.set(JA4, OFFERED);
    let sim = Sim::mode(&host, "auto");
    let waiting = connect(&sim, "10.0.0.2:50000", b"query");
    let _known = connect(&sim, "10.0.0.2:50001", &with_frame());
    waiting.borrow_mut().on_close();
    assert_eq!(opened(&sim, "peer"), 2);
}

#[test]
fn without_ticks_no_connection_waits() {
    let host = inbound();
    let config = r#"{"tcp_reporting_duration": "0s", "peer_exchange": {"mode": "on"}}"#;
    let sim = Sim::new(&host, config);
    let waiting = connect(&sim, "10.0.0.2:50000", b"query");
    waiting.borrow_mut().on_close();
    assert_eq!(opened(&sim, "unknown"), 1);
}
