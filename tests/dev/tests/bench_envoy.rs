//! A small comparison of Envoys. The large one is `cargo bench-envoy`.

use dev::bench::{self, Contestant, Options};

#[test]
fn every_contestant_does_the_work_of_every_round() -> mesh::Result<()> {
    let report = bench::measure(&Options {
        rounds: 2,
        megabytes: 1,
        connections: 8,
        requests: 8,
        idle: 20,
        memory_rounds: 1,
        workers: 1,
        envoy_version: None,
        json: false,
    })?;
    let rounds: Vec<_> = report
        .measures
        .iter()
        .map(|measure| measure.rounds.len())
        .collect();
    assert_eq!(rounds, [2, 2, 2, 2, 2, 1]);
    for measure in &report.measures {
        for contestant in Contestant::ALL {
            assert!(measure.spread(contestant).median > 0.0, "{measure:?}");
        }
    }
    let [empty, ours, _] = report.measures[5].ratios().map(|ratio| ratio.spread.median);
    assert!(
        empty > 1.0 && ours > empty,
        "a VM and a filter take memory: {report}"
    );
    Ok(())
}
