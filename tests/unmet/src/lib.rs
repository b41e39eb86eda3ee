//! Reports skipped tests.
//!
//! A test whose program is missing on this machine calls [`skip`] and returns. libtest counts it as
//! passed and captures its output, so the requirement is written directly to standard error, and to
//! a list that the test program `closing_list` of this package prints at the end of `cargo test`.
//! If [`REQUIRE_ALL`] is set, a missing requirement fails the test.

use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::{env, thread};

/// The environment variable that makes every skipped test a failure. `.ci/run` sets it.
pub const REQUIRE_ALL: &str = "REQUIRE_ALL";

/// Reports that the test of this thread is skipped, because `requirement` is not met.
///
/// `requirement` names the missing program and the command that installs it.
///
/// # Panics
/// [`REQUIRE_ALL`] is set, and neither empty nor `0`.
#[allow(clippy::panic, reason = "a panic fails the test")]
pub fn skip(requirement: impl Display) {
    assert!(!requires_all(), "{REQUIRE_ALL} is set, but {requirement}");
    skip_always(requirement);
}

/// As [`skip`], for a requirement that [`REQUIRE_ALL`] does not include.
pub fn skip_always(requirement: impl Display) {
    let thread = thread::current();
    let line = format!("{}: {requirement}\n", thread.name().unwrap_or("a test"));
    // libtest captures the output of the macros of the standard library.
    let _lost = io::stderr().write_all(format!("skipped: {line}").as_bytes());
    let _lost = append(&list(), &line);
}

/// Whether [`REQUIRE_ALL`] is set, and neither empty nor `0`.
#[must_use]
pub fn requires_all() -> bool {
    is_set(env::var_os(REQUIRE_ALL).as_deref())
}

fn is_set(value: Option<&OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}

/// The path of the list of this run of `cargo test`. Its name is the process id of cargo, the
/// parent of every test program.
///
/// The list is in the target folder, three levels above the test program.
#[must_use]
pub fn list() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    let target = program.ancestors().nth(3);
    let target = target.unwrap_or_else(|| Path::new("target"));
    target.join("skipped").join(parent_id().to_string())
}

fn append(list: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = list.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(list)?;
    file.write_all(line.as_bytes())
}

/// The closing list: the number of skipped checks, and each of them with its requirement. `None` if
/// no check was skipped.
#[must_use]
pub fn closing(lines: &str) -> Option<String> {
    let mut skipped: Vec<&str> = lines.lines().collect();
    skipped.sort_unstable();
    let (count, checks) = match skipped.len() {
        0 => return None,
        1 => (1, "check"),
        more => (more, "checks"),
    };
    Some(format!(
        "{count} {checks} skipped ({REQUIRE_ALL}=1 makes that a failure):\n  {}\n",
        skipped.join("\n  ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_list_counts_and_names_skipped_checks() {
        assert_eq!(closing(""), None);
        assert_eq!(
            closing("b: Redis was not found\na: kubectl was not found\n").as_deref(),
            Some(
                "2 checks skipped (REQUIRE_ALL=1 makes that a failure):\n  a: kubectl was not found\n  b: Redis was not \
                 found\n"
            )
        );
        let one = closing("a: kubectl was not found\n").unwrap();
        assert!(one.starts_with("1 check skipped"), "{one}");
    }

    #[test]
    fn a_variable_that_is_empty_or_zero_is_not_set() {
        for (value, expected) in [
            (None, false),
            (Some(""), false),
            (Some("0"), false),
            (Some("1"), true),
        ] {
            assert_eq!(is_set(value.map(OsStr::new)), expected, "{value:?}");
        }
    }

    #[test]
    fn lines_are_added_to_the_list() {
        let list = list().with_extension("test");
        append(&list, "a\n").unwrap();
        append(&list, "b\n").unwrap();
        let lines = fs::read_to_string(&list).unwrap();
        fs::remove_file(&list).unwrap();
        assert_eq!(lines, "a\nb\n");
    }
}
