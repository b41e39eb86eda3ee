//! The peer that the filter publishes, as the next filter of the chain reads it.

use host_harness::{Connection, Module, Rig, Sidecar, SidecarBuilder, artifact};

use crate::sidecars::{CLIENT, INTERVAL, SERVER, inbound, module, outbound};

/// Both sidecars, each with a second filter that runs this script.
fn rig(script: &str) -> Rig {
    let probe = Module::from_file_cached(artifact::build("probe-filter", "wasm").unwrap()).unwrap();
    let module = module();
    let behind = |sidecar: SidecarBuilder| sidecar.filter(&probe).plugin_config(script);
    Rig::builder(behind(outbound(&module)), behind(inbound(&module)))
        .mtls(CLIENT, SERVER)
        .start()
        .unwrap()
}

/// The properties that the second filter read, once each.
fn answers(sidecar: &Sidecar) -> Vec<String> {
    let lines = sidecar.logs().into_iter().map(|line| line.message);
    let mut answers: Vec<_> = lines
        .filter_map(|line| Some(line.trim().split_once("property ")?.1.trim_end().to_owned()))
        .collect();
    answers.dedup();
    answers
}

#[test]
fn the_next_filter_sees_it_with_the_first_bytes() {
    let script = "downstream_data: property downstream_peer/workload; property downstream_peer/labels/app; \
                  property filter_state/wasm.downstream_peer/identity\n\
                  upstream_data: property upstream_peer/workload; property filter_state/wasm.upstream_peer/identity";
    let rig = rig(script);
    let connection = rig.connect();
    connection.client.write("query");
    assert_eq!(
        answers(&rig.inbound),
        [
            "downstream_peer/workload = 0 ratings-v2".to_owned(),
            "downstream_peer/labels/app = 0 ratings".to_owned(),
            format!("filter_state/wasm.downstream_peer/identity = 0 {CLIENT}"),
        ]
    );
    // For upstream data the second filter runs first, so it reads the server's peer at the second
    // bytes.
    rig.outbound.take_logs();
    connection.server.write("answer");
    connection.server.write("answer");
    let seen = answers(&rig.outbound);
    assert!(
        seen.contains(&"upstream_peer/workload = 0 mongodb-v1".to_owned()),
        "{seen:?}"
    );
    let identity = format!("filter_state/wasm.upstream_peer/identity = 0 {SERVER}");
    assert!(seen.contains(&identity), "{seen:?}");
}

fn published(connection: &Connection) -> bool {
    connection.filter_state("wasm.upstream_peer").is_some()
}

#[test]
fn the_peer_of_a_silent_connection_is_published_at_a_tick() {
    let rig = rig("");
    let connection = rig.connect();
    assert!(!published(&connection));
    rig.advance(INTERVAL * 2);
    assert!(published(&connection));
}
