//! The profiles of the emulator are what real Envoys answer, and the emulator answers the same.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::Profile;
use mesh::EnvoyBinary;
use profiles::{RELEASES, differences, in_emulator, in_envoy, profile_of};

#[test]
fn an_envoy_answers_as_its_profile_says() {
    let binary = EnvoyBinary::find(None).unwrap();
    let release = binary.version.split('/').next().unwrap();
    let recorded = profile_of(release).unwrap().text().unwrap();
    let asked = in_envoy(&binary).unwrap().to_string();
    let differences = differences(recorded, &asked);
    assert!(
        differences.is_empty(),
        "Envoy {release} does not answer as host-harness/profiles says. If it is right, run `cargo profiles --write`:\n{}",
        differences.join("\n")
    );
}

#[test]
fn the_emulator_answers_as_each_envoy() {
    let mut found = Vec::new();
    for release in RELEASES {
        let profile = profile_of(release).unwrap();
        let asked = in_emulator(profile).unwrap().to_string();
        let recorded = profile.text().unwrap();
        let differences = differences(&emulated(recorded), &emulated(&asked));
        found.extend(differences.iter().map(|line| format!("{release}: {line}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The lines without what the manual lists in "What is not emulated": VMs that two plugins share,
/// and foreign functions that sign and compress.
fn emulated(survey: &str) -> String {
    const NOT_EMULATED: [&str; 4] = ["compress: ", "sign: ", "uncompress: ", "verify_signature: "];
    let is_emulated = |line: &&str| {
        let line = line.trim_start();
        !line.contains("{ shared: ") && !NOT_EMULATED.iter().any(|name| line.starts_with(name))
    };
    survey
        .lines()
        .filter(is_emulated)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn each_profile_is_measured() {
    let measured: Vec<_> = RELEASES
        .map(|release| profile_of(release).unwrap())
        .to_vec();
    let profiles: Vec<_> = Profile::ALL
        .into_iter()
        .filter(|profile| profile.text().is_some())
        .collect();
    assert_eq!(measured, profiles);
}
