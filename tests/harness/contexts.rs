//! Contexts are deleted, and their memory is freed.

use host_harness::{Connection, Rig, Sidecar};

use crate::sidecars::{INTERVAL, module, outbound, rig};

/// Connections after which memory must not grow any more, and as many as are made then.
const WARM: u32 = 500;
const MANY: u32 = 4_000;

/// Updates of the configuration, likewise.
const WARM_UPDATES: u32 = 50;
const MANY_UPDATES: u32 = 1_000;

/// A connection that ends in one of the ways a connection can.
fn connect(rig: &Rig, turn: u32) {
    let Connection { client, server, .. } = match turn % 5 {
        1 => rig.connect_greeted("220 ready"),
        _ => rig.connect(),
    };
    client.write("query");
    server.write("answer");
    match turn % 5 {
        0 | 1 => {
            client.write_and_end("bye");
            server.end();
        }
        2 => client.reset(),
        3 => server.reset(),
        _ => {
            server.write_and_end("bye");
            client.end();
        }
    }
    if turn.is_multiple_of(7) {
        rig.advance(INTERVAL);
    }
}

/// All contexts that were created but the root's are deleted, in the filter and in the host.
fn assert_all_deleted(sidecar: &Sidecar) {
    let contexts = sidecar.contexts();
    assert_eq!(contexts.created, contexts.deleted + 1, "{contexts:?}");
    assert_eq!(sidecar.context_count(), 1);
}

#[test]
fn contexts_and_memory_of_connections_are_freed() {
    let rig = rig();
    (0..WARM).for_each(|turn| connect(&rig, turn));
    let memory = [&rig.outbound, &rig.inbound].map(Sidecar::memory_size);
    (0..MANY).for_each(|turn| connect(&rig, turn));
    for sidecar in [&rig.outbound, &rig.inbound] {
        assert_all_deleted(sidecar);
        assert_eq!(sidecar.contexts().created, u64::from(1 + WARM + MANY));
    }
    assert_eq!(
        [&rig.outbound, &rig.inbound].map(Sidecar::memory_size),
        memory
    );
}

/// The listener is updated, with a connection of the old configuration still open.
fn update(sidecar: &Sidecar) {
    let old = sidecar.connect();
    old.client.write("query");
    sidecar.update_config("{}").unwrap();
    let new = sidecar.connect();
    for connection in [old, new] {
        connection.client.write_and_end("query");
        connection.server.write_and_end("answer");
    }
    sidecar.finish_draining();
}

// Shows: filter/docs/failures.md, "Over a thousand updates the guest's memory does not grow"
#[test]
fn contexts_and_memory_of_configurations_are_freed() {
    let sidecar = outbound(&module()).start().unwrap();
    (0..WARM_UPDATES).for_each(|_| update(&sidecar));
    let memory = sidecar.memory_size();
    (0..MANY_UPDATES).for_each(|_| update(&sidecar));
    assert_all_deleted(&sidecar);
    let streams = 2 * u64::from(WARM_UPDATES + MANY_UPDATES);
    let roots = u64::from(1 + WARM_UPDATES + MANY_UPDATES);
    assert_eq!(sidecar.contexts().created, roots + streams);
    assert_eq!(sidecar.memory_size(), memory);
}
