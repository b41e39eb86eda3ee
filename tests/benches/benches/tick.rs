//! Ticks, by the numbers of open connections and of series with new bytes.
#![allow(missing_docs, reason = "criterion's macros write undocumented items")]
#![allow(clippy::unwrap_used, reason = "an error ends the bench")]

use benches::Subject;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

/// The numbers of open connections without traffic.
const OPEN: [usize; 3] = [10, 1_000, 10_000];
/// The numbers of series. Each has a connection that moves bytes before every tick.
const SERIES: [usize; 3] = [1, 20, 200];

fn idle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick, by open connections");
    for subject in Subject::all(20).unwrap() {
        for count in OPEN {
            let sidecar = subject.start().unwrap();
            let _open = sidecar.open(count).unwrap();
            group.bench_function(BenchmarkId::new(subject.name, count), |bencher| {
                bencher.iter(|| sidecar.tick());
            });
        }
    }
}

fn busy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick, by series that moved");
    for count in SERIES {
        for subject in Subject::all(count).unwrap() {
            let sidecar = subject.start().unwrap();
            let open = sidecar.open(count).unwrap();
            let talk = || {
                open.iter()
                    .try_for_each(|connection| sidecar.talk(connection))
                    .unwrap()
            };
            group.bench_function(BenchmarkId::new(subject.name, count), |bencher| {
                bencher.iter_batched(talk, |()| sidecar.tick(), BatchSize::PerIteration);
            });
        }
    }
}

criterion_group! { name = benches; config = benches::criterion(); targets = idle, busy }
criterion_main!(benches);
