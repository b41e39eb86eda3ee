//! Upstreams that answer the frame without one.

use super::*;

#[test]
fn an_upstream_without_the_exchange_gets_no_frame_for_the_period() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    assert_ne!(sim.down(b"query"), b"query");
    assert_eq!(sim.up(b"what?"), b"what?");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 1);

    let again = |at: u64| {
        host.now.set(Duration::from_secs(at));
        let connection = sim
            .plugin
            .on_new_connection(at as ContextId)
            .expect("a connection");
        host.data.replace(b"query".to_vec());
        connection
            .borrow_mut()
            .on_data(Buffer::Downstream, 5, false);
        let wrote = host.data.take() != b"query";
        host.data.replace(b"answer".to_vec());
        connection.borrow_mut().on_data(Buffer::Upstream, 6, false);
        assert_eq!(host.data.take(), b"answer");
        wrote
    };
    assert!(!again(10));
    assert_eq!(sim.outcome("suppressed"), 1);
    assert!(!again(299));
    assert!(again(300));
}

#[test]
fn a_greeting_before_the_frame_does_not_disable_the_upstream() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
    assert_ne!(sim.down(b"login"), b"login");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 0);
}

#[test]
fn a_suppressed_exchange_is_counted_without_an_answer() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    sim.up(b"what?");
    let next = sim.plugin.on_new_connection(3).expect("a connection");
    host.data.replace(b"query".to_vec());
    next.borrow_mut().on_data(Buffer::Downstream, 5, false);
    next.borrow_mut().on_close();
    assert_eq!(sim.outcome("suppressed"), 1);
}

#[test]
fn an_upstream_that_closes_without_a_byte_is_not_disabled() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    assert_ne!(sim.down(b"query"), b"query");
    sim.connection
        .borrow_mut()
        .on_data(Buffer::Upstream, 0, true);
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 0);
}

#[test]
fn mode_on_disables_no_upstream() {
    let host = outbound();
    let sim = Sim::mode(&host, "on");
    assert_ne!(sim.down(b"query"), b"query");
    sim.up(b"answer");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 0);
}

/// The certificate is read again in the other direction, and no frame is written then.
#[test]
fn an_answer_without_a_written_frame_does_not_disable_the_upstream() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    host.fail_only
        .set(Some((host.hostcalls.get() + 1, Status(10))));
    assert_eq!(sim.down(b"query"), b"query");
    assert_eq!(sim.up(b"answer"), b"answer");
    assert_eq!(sim.outcome("absent"), 1);
    assert_eq!(host.metric(&["istio_tcp_refused_hosts_total"]), 0);
}
