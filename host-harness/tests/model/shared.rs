//! Shared key-value data and queues.

use super::{lines, probe, stream_lines};

#[test]
fn compare_and_swap_counts_over_all_keys() {
    let script = "new_connection: get_shared k; set_shared k v 0; get_shared k; set_shared k w 7; \
                  set_shared k w 1; get_shared k; set_shared new z 5; get_shared new";
    let sidecar = probe(script).start().unwrap();
    sidecar.connect();
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "get_shared k = 1  cas 0",
            "set_shared k v 0 = 0",
            "get_shared k = 0 v cas 1",
            "set_shared k w 7 = 8",
            "set_shared k w 1 = 0",
            "get_shared k = 0 w cas 2",
            "set_shared new z 5 = 0",
            "get_shared new = 0 z cas 3"
        ]
    );
}

#[test]
fn the_root_that_registered_a_queue_is_told_after_the_callback() {
    let script = "configure: register_queue q\n\
                  new_connection: resolve_queue vm q; resolve_queue other q; enqueue 1 item; dequeue 99; enqueue 99 x\n\
                  queue_ready: dequeue 1; dequeue 1";
    let sidecar = probe(script).plugin("", "", "vm").start().unwrap();
    sidecar.connect();
    assert_eq!(
        lines(&sidecar)[5..],
        [
            "2 new_connection()",
            "2   resolve_queue vm q = 0 1",
            "2   resolve_queue other q = 1 0",
            "2   enqueue 1 item = 0",
            "2   dequeue 99 = 1 ",
            "2   enqueue 99 x = 1",
            "1 queue_ready(1)",
            "1   dequeue 1 = 0 item",
            "1   dequeue 1 = 7 "
        ]
    );
}

#[test]
fn every_worker_has_its_own_vm() {
    let script = "new_connection: define counter c; increment 4 1; metric 4";
    let sidecar = probe(script).workers(2).start().unwrap();
    sidecar.connect();
    sidecar.connect();
    let values: Vec<_> = lines(&sidecar)
        .into_iter()
        .filter(|line| line.contains("metric 4"))
        .collect();
    // The same context and metric ids in both, the same counter behind them.
    assert_eq!(values, ["2   metric 4 = 0 1", "2   metric 4 = 0 2"]);
}
