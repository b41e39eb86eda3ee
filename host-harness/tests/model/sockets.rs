//! Reads, resets and what real Envoys do in one way or another.

use std::collections::BTreeSet;

use super::{probe, probe_module, stream_lines};
use host_harness::scenario::{Emulated, Scenario, Stage, Step};
use host_harness::{Chances, Profile, Sidecar, Tls};

/// The data callbacks and the closes.
fn callbacks(sidecar: &Sidecar) -> Vec<String> {
    let lines = stream_lines(sidecar).into_iter();
    lines
        .filter(|line| line.contains("_data(") || line.contains("_close("))
        .collect()
}

// Shows: host-harness/src/manual.md, "A reset of a connection with TLS reads as the end of its stream before Envoy 1.39"
#[test]
fn a_reset_of_a_connection_with_tls_reads_as_its_end_before_1_39() {
    for (profile, expected) in [
        (
            Profile::V1_38,
            &["upstream_data(0, true)", "upstream_close(0)"][..],
        ),
        (Profile::V1_39, &["downstream_close(1)"]),
    ] {
        let sidecar = probe("").profile(profile).upstream_tls(Tls::anonymous());
        let sidecar = sidecar.start().unwrap();
        let connection = sidecar.connect();
        connection.server.reset();
        assert_eq!(callbacks(&sidecar), expected, "{profile}");
    }
}

#[test]
fn the_rest_of_a_long_write_is_read_after_the_reset_that_its_first_part_leads_to() {
    let sidecar = probe("").buffer_limit(8).start().unwrap();
    let connection = sidecar.connect();
    connection.client.close();
    connection.server.write(vec![b'x'; 20_000]);
    assert_eq!(
        callbacks(&sidecar),
        [
            "downstream_data(0, true)",
            "upstream_data(16384, false)",
            "upstream_data(3616, false)",
            "downstream_close(2)",
        ]
    );
}

#[test]
fn a_read_buffer_that_a_filter_shrinks_is_passed_on_again() {
    let script = "downstream_data#1: set downstream 0 99 <; pause";
    let sidecar = probe(script).buffer_limit(5).start().unwrap();
    sidecar.connect().client.write("6bytes");
    assert_eq!(
        callbacks(&sidecar),
        ["downstream_data(6, false)", "downstream_data(1, false)"]
    );
}

#[test]
fn a_read_uses_the_room_in_the_last_block_too() {
    let sidecar = probe("upstream_data: pause").buffer_limit(6).start();
    let sidecar = sidecar.unwrap();
    let connection = sidecar.connect();
    connection.server.write("6bytes");
    connection.server.write(vec![b'x'; 19_000]);
    assert_eq!(
        callbacks(&sidecar),
        ["upstream_data(6, false)", "upstream_data(19006, false)"]
    );
}

#[test]
fn a_scripted_run_of_chances_has_all_that_can_happen() {
    let scenario = Scenario::parse(
        "
name: a queue is notified before the other application's bytes, or after them
outbound:
  filters:
    - wasm:
        vm_id: vm
        configuration: |
          new_connection: register_queue q
          downstream_data: enqueue_to vm q a
          queue_ready: dequeue_from vm q
steps:
  - connect: {}
  - at_once: [client: { write: a }, server: { write: b }]
",
    )
    .unwrap();
    let module = probe_module();
    let mut seen = BTreeSet::new();
    let mut chances = Some(Chances::scripted());
    while let Some(now) = chances {
        let mut stage = Emulated::start(&scenario, &module).unwrap();
        stage.chances(now.clone());
        for step in &scenario.steps {
            match step {
                Step::Connect(connect) => stage.connect(connect).unwrap(),
                Step::AtOnce(at_once) => stage.at_once(at_once).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        let (_, sidecar) = stage.sidecars()[0];
        let lines = super::lines(sidecar).into_iter();
        let order = lines.filter_map(|line| {
            let kinds = ["downstream_data(", "upstream_data(", "queue_ready("];
            kinds.into_iter().find(|kind| line.contains(kind))
        });
        seen.insert(order.collect::<Vec<_>>());
        chances = now.next();
    }
    let expected = [
        vec!["downstream_data(", "queue_ready(", "upstream_data("],
        vec!["downstream_data(", "upstream_data(", "queue_ready("],
    ];
    // In the order of the scenario: the bytes of the client come first.
    assert_eq!(seen, expected.into_iter().collect());
}
