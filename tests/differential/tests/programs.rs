//! Random programs: a short run of `cargo differential`.

use differential::{Programs, mix, random_program};
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

/// The number of programs that a release is compared with, of which each feature has a share.
const MANY: usize = 2_000;

#[test]
fn programs_have_every_feature_that_the_page_names() {
    let all: Vec<_> = (0..MANY)
        .map(|index| random_program(Profile::default(), 1, index))
        .collect();
    let rare: Vec<_> = mix(&all)
        .into_iter()
        .filter(|(_, count)| *count < 20)
        .collect();
    assert!(rare.is_empty(), "of {MANY} programs, too few have {rare:?}");
}
