//! What a network filter sees in each minor version of Envoy.
//!
//! The probe filter asks the same questions in every callback (`ask`), in real Envoy
//! ([`in_envoy`]) and in the emulator ([`in_emulator`]). The [`Survey`] of an Envoy is the profile
//! that the emulator has of this version: a file in `host-harness/profiles/`, which contains only
//! what can differ between versions, and no value that differs between two runs.

mod answers;
mod ask;
mod emulator;
mod envoy;
mod error;
mod imports;
mod objects;
mod sharing;
mod survey;

use std::path::PathBuf;

use host_harness::Profile;
use mesh::workspace;

pub use emulator::in_emulator;
pub use envoy::in_envoy;
pub use error::{Error, Result};
pub use survey::Survey;

/// The tested releases: the last with V8 of each minor version since 1.36, from PyPI. 1.38.3 there
/// was built without V8.
pub const RELEASES: [&str; 5] = ["1.36.4", "1.37.0", "1.38.2", "1.39.3", "1.40.0"];

/// The profile of a release such as `1.40.0`, by its minor version.
///
/// # Errors
/// The emulator has no profile of this version.
pub fn profile_of(release: &str) -> Result<Profile> {
    let mut parts = release.split('.');
    let minor = [parts.next(), parts.next()].map(Option::unwrap_or_default);
    let minor = minor.join(".");
    minor.parse().map_err(|_| Error::NoProfile(minor))
}

/// The file with the profile.
#[must_use]
pub fn file_of(profile: Profile) -> PathBuf {
    let folder = workspace::root().join("host-harness/profiles");
    folder.join(format!("{profile}.yaml"))
}

/// The lines of two surveys that differ, as in a diff. The release does not count: the releases of
/// a minor version are equal.
#[must_use]
pub fn differences(recorded: &str, asked: &str) -> Vec<String> {
    let (recorded, asked) = (in_sections(recorded), in_sections(asked));
    let without = |lines: &[String], others: &[String], sign: &str| {
        let lines = lines.iter().filter(|line| !others.contains(line));
        lines
            .map(|line| format!("{sign} {line}"))
            .collect::<Vec<_>>()
    };
    let mut differences = without(&recorded, &asked, "recorded");
    differences.extend(without(&asked, &recorded, "asked   "));
    differences
}

/// The lines, each with its section: the two sides have many lines in common.
fn in_sections(survey: &str) -> Vec<String> {
    let mut section = "";
    let lines = survey.lines();
    let lines = lines.filter(|line| !line.starts_with("release: ") && !line.starts_with('#'));
    lines
        .map(|line| {
            if !line.starts_with([' ', '-']) {
                section = line;
            }
            format!("{section} {}", line.trim_start())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_another_section_is_a_difference() {
        let recorded = "release: 1.40.0\noutbound:\n  a: 1\ninbound:\n  a: 1\n  b: 2\n";
        assert_eq!(differences(recorded, recorded), [""; 0]);
        assert_eq!(
            differences(
                recorded,
                "release: 1.40.1\noutbound:\n  a: 1\n  b: 2\ninbound:\n  a: 1\n"
            ),
            ["recorded inbound: b: 2", "asked    outbound: b: 2"]
        );
    }
}
