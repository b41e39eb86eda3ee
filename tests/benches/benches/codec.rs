//! The wire format: frames encoded, and decoded whole and in pieces.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use peer_exchange::{Decoded, Decoder, Frame, Node, Struct, Style, Value};

/// The sizes of the pieces of a frame, in bytes.
const PIECES: [usize; 4] = [1, 8, 64, 1024];

/// A frame like that of a sidecar.
fn frame() -> Frame {
    let labels: Struct = [
        ("app", "ratings"),
        ("version", "v2"),
        ("service.istio.io/canonical-name", "ratings"),
        ("service.istio.io/canonical-revision", "v2"),
    ]
    .into_iter()
    .collect();
    let mut metadata: Struct = [
        ("NAME", "ratings-v2-84d8b6c6b9-h7xqv"),
        ("NAMESPACE", "default"),
        ("WORKLOAD_NAME", "ratings-v2"),
        ("CLUSTER_ID", "Kubernetes"),
    ]
    .into_iter()
    .collect();
    metadata.insert("LABELS", Value::from(labels));
    let node = Node {
        id: "sidecar~10.0.0.1~ratings-v2-84d8b6c6b9-h7xqv.default~default.svc.cluster.local",
        metadata: &metadata,
        locality: Default::default(),
    };
    node.frame(Style::Modern, &[])
}

fn decode(bytes: &[u8], piece: usize) -> Decoded {
    let mut decoder = Decoder::default();
    let mut decoded = Decoded::NeedMore;
    for piece in bytes.chunks(piece) {
        decoded = decoder.decode(black_box(piece)).decoded;
    }
    decoded
}

fn codec(criterion: &mut Criterion) {
    let frame = frame();
    let bytes = frame.encode();
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| black_box(&frame).encode())
    });
    group.bench_function("decode, whole", |bencher| {
        bencher.iter(|| decode(&bytes, bytes.len()));
    });
    for piece in PIECES {
        let id = BenchmarkId::new("decode, in pieces of", piece);
        group.bench_function(id, |bencher| bencher.iter(|| decode(&bytes, piece)));
    }
}

criterion_group! { name = benches; config = benches::criterion(); targets = codec }
criterion_main!(benches);
