//! The opt-in metrics.

use super::*;

#[test]
fn rejected_extended_metrics_are_sent_at_the_next_tick() {
    let refused_at = |call: u32| {
        let host = inbound();
        let sim = Sim::new(&host, r#"{"extended_metrics": true}"#);
        sim.down(&peer_frame());
        host.fail_only
            .set(Some((host.hostcalls.get() + call, Status(10))));
        sim.close();
        let terminated = || host.metric(&["istio_tcp_connections_terminated_total"]);
        let at_close = terminated();
        sim.plugin.on_tick();
        assert_eq!(terminated(), 1, "call {call} of the close refused");
        at_close
    };
    let at_close: Vec<_> = (1..40).map(refused_at).collect();
    assert!(
        at_close.contains(&0) && at_close.contains(&1),
        "{at_close:?}"
    );
}

#[test]
fn stats_by_flags_of_the_close_are_limited_by_max_series() {
    let host = inbound();
    let config = r#"{"extended_metrics": true, "limits": {"max_series": 2}}"#;
    let plugin = Plugin::configure(&host, 1, config.as_bytes()).expect("a good configuration");
    for flags in [0x2i64, 0x4, 0x8, 0x2] {
        let connection = plugin.on_new_connection(2).expect("a connection");
        host.set("response.flags", 0i64.to_le_bytes());
        host.data.replace(peer_frame());
        connection
            .borrow_mut()
            .on_data(Buffer::Downstream, peer_frame().len(), false);
        host.set("response.flags", flags.to_le_bytes());
        connection.borrow_mut().on_close();
    }
    let terminated = |flags: &str| {
        host.metric(&[
            &format!("response_flags=.={flags};.;"),
            "istio_tcp_connections_terminated_total",
        ])
    };
    // The third has the flags of its series, which are those of the open.
    assert_eq!(["UH", "UT", "LR", "-"].map(terminated), [2, 1, 0, 1]);
}

#[test]
fn extended_metrics_stay_pending_while_the_host_rejects_them() {
    let host = inbound();
    let sim = Sim::new(&host, r#"{"extended_metrics": true}"#);
    sim.down(&peer_frame());
    host.fail_from
        .set(Some((host.hostcalls.get() + 1, Status(10))));
    sim.close();
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    let terminated = || host.metric(&["istio_tcp_connections_terminated_total"]);
    assert_eq!(terminated(), 0);
    host.fail_from.set(None);
    sim.plugin.on_tick();
    sim.plugin.on_tick();
    assert_eq!(terminated(), 1);
}
