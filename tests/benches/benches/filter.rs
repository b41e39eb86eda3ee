//! A start, data callbacks and whole connections.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]
#![allow(clippy::unwrap_used, reason = "an error ends the bench")]

use benches::Subject;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Bytes per data callback.
const CHUNKS: [usize; 3] = [64, 1024, 16 * 1024];

/// The start of the VM and the configuration of the filter.
fn start(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    for subject in Subject::all(1).unwrap() {
        group.bench_function(subject.name, |bencher| {
            bencher.iter(|| subject.start().unwrap())
        });
    }
}

/// One data callback after the exchange.
fn data(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("data");
    for subject in Subject::all(1).unwrap() {
        let sidecar = subject.start().unwrap();
        let connection = sidecar.exchange(0).unwrap();
        for chunk in CHUNKS {
            let bytes = vec![b'b'; chunk];
            group.throughput(Throughput::Bytes(chunk as u64));
            group.bench_function(BenchmarkId::new(subject.name, chunk), |bencher| {
                bencher.iter(|| {
                    connection.client.write(&bytes);
                    connection.server.take()
                });
            });
        }
    }
}

/// Open and exchange: computes the labels, and finds or creates their series.
fn open(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("open and exchange");
    for subject in Subject::all(2).unwrap() {
        let sidecar = subject.start().unwrap();
        group.bench_function(BenchmarkId::new(subject.name, "series known"), |bencher| {
            bencher.iter(|| sidecar.exchange(0).unwrap());
        });
        let fresh = || {
            let sidecar = subject.start().unwrap();
            sidecar.exchange(0).unwrap();
            sidecar
        };
        group.bench_function(BenchmarkId::new(subject.name, "series new"), |bencher| {
            bencher.iter_batched_ref(
                fresh,
                |fresh| fresh.exchange(1).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
}

/// Open, exchange, ten data callbacks, close.
fn connection(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole connection");
    for subject in Subject::all(1).unwrap() {
        let sidecar = subject.start().unwrap();
        group.bench_function(subject.name, |bencher| {
            bencher.iter(|| sidecar.whole(0, 5).unwrap());
        });
    }
}

criterion_group! { name = benches; config = benches::criterion(); targets = start, data, open, connection }
criterion_main!(benches);
