//! The size of chunks changes neither the bytes that arrive nor the metrics.

use host_harness::{Chunks, Rig};
use mesh::apps::noise;

use crate::sidecars::{CLIENT, INTERVAL, SERVER, counts, inbound, module, outbound, outcomes, rig};

/// Sends a request and an answer with every write in these chunks, and closes the connection.
fn talk(rig: &Rig, chunks: Chunks, request: &[u8], answer: &[u8]) {
    let connection = rig.connect();
    connection.chunks(chunks.clone());
    connection.client.write(request);
    assert_eq!(connection.server.read(), request, "{chunks:?}");
    connection.server.write(answer);
    assert_eq!(connection.client.read(), answer, "{chunks:?}");
    connection.client.end();
    assert!(connection.server.saw_end(), "{chunks:?}");
    connection.server.end();
    assert!(connection.client.saw_end(), "{chunks:?}");
}

#[test]
fn every_size_of_chunk() {
    let rig = rig();
    let (request, answer) = (noise(1, 700), noise(2, 900));
    let sizes = [1, 2, 3, 7, 8, 9, 100, 500, 699];
    for size in sizes {
        talk(&rig, Chunks::Size(size), &request, &answer);
    }
    rig.advance(INTERVAL);
    let connections = sizes.len() as u64;
    let expected = [
        connections,
        connections,
        connections * 700,
        connections * 900,
    ];
    assert_eq!(counts(&rig.outbound), expected);
    assert_eq!(counts(&rig.inbound), expected);
    assert_eq!(outcomes(&rig.outbound, "exchanged"), connections);
    assert_eq!(outcomes(&rig.inbound, "exchanged"), connections);
}

#[test]
fn payload_that_looks_like_a_frame() {
    for payload in [
        b"=".as_slice(),
        b"=#",
        b"=#\x04",
        b"=#\x04g\0\0\0\x04abcd",
        b"\x3d\x23\x04\x67\xff\xff\xff\xff",
    ] {
        for chunks in [Chunks::Whole, Chunks::Size(1)] {
            talk(&rig(), chunks, payload, payload);
        }
    }
}

#[test]
fn either_side_without_the_filter() {
    let module = module();
    let absent = host_harness::Sidecar::passthrough;
    let receive = r#"{"peer_exchange": {"mode": "receive"}}"#;
    let client_only = Rig::builder(outbound(&module).plugin_config(receive), absent());
    let server_only = Rig::builder(absent(), inbound(&module));
    for rig in [client_only, server_only] {
        let rig = rig.mtls(CLIENT, SERVER).start().unwrap();
        for size in [1, 5, 1000] {
            talk(
                &rig,
                Chunks::Size(size),
                &noise(3, 300),
                b"=#\x04 not a frame",
            );
        }
    }
}
