//! Random programs: a short run of `cargo differential`.

use differential::{Emulator, Programs, mix, random_program};
use host_harness::Profile;

#[test]
fn random_programs_are_equal_in_the_emulator_and_in_envoy() {
    let _alone = crate::alone();
    let programs = Programs::new(None).unwrap();
    let all: Vec<_> = (0..50)
        .map(|index| random_program(programs.profile(), 40, index))
        .collect();
    let (mut compared, mut differences) = (0, Vec::new());
    programs
        .compare(&all, |_, difference| {
            compared += 1;
            differences.extend(difference.map(|difference| difference.to_string()));
        })
        .unwrap();
    assert_eq!(compared, all.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The number of programs of which each feature is reached by some.
const MANY: usize = 500;

#[test]
fn programs_have_every_feature_that_the_page_names() {
    let emulator = Emulator::new(Profile::default()).unwrap();
    let all: Vec<_> = (0..MANY)
        .map(|index| random_program(Profile::default(), 1, index))
        .map(|program| emulator.reach(&program).unwrap())
        .collect();
    let rare: Vec<_> = mix(&all)
        .into_iter()
        .filter(|(_, count)| *count < 4)
        .collect();
    assert!(
        rare.is_empty(),
        "of {MANY} programs, too few reach {rare:?}"
    );
}
