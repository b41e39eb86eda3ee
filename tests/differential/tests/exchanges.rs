//! Random programs of two sidecars: a short run of `cargo differential`.

use std::sync::Mutex;

use differential::{Exchanges, random_exchange};

#[test]
fn two_sidecars_behave_in_the_emulator_as_in_envoy() {
    let _alone = crate::alone();
    let exchanges = Exchanges::new(None).unwrap();
    let programs: Vec<_> = (0..16)
        .map(|index| random_exchange(exchanges.profile(), 40, index))
        .collect();
    let seen = Mutex::new((0, Vec::new()));
    exchanges
        .compare(&programs, |difference| {
            let mut seen = seen.lock().unwrap();
            seen.0 += 1;
            seen.1
                .extend(difference.map(|difference| difference.to_string()));
        })
        .unwrap();
    let (compared, differences) = seen.into_inner().unwrap();
    assert_eq!(compared, programs.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
