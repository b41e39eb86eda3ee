//! The results of scenarios as text, as JSON and as a JUnit report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::output::outln;
use crate::verdict::{Counts, Verdict};

/// The reason why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: io::Error },
    #[error("cannot make a JUnit report: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// A scenario that was played.
pub(super) struct Played {
    pub(super) file: PathBuf,
    /// Its title, if the file can be read.
    pub(super) name: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

/// The results, printed as they come.
pub(super) struct Report {
    is_json: bool,
    played: Vec<Played>,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            played: Vec::new(),
        }
    }

    pub(super) fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.played.iter().map(|played| &played.verdict)
    }

    pub(super) fn add(&mut self, played: Played) {
        if !self.is_json {
            let file = played.file.display();
            match &played.verdict {
                Verdict::Passed => outln!("ok      {file}"),
                Verdict::Failed(reason) => outln!("FAILED  {file}: {}", reason.text),
                Verdict::NotPlayed(reason) => outln!("ERROR   {file}: {}", reason.text),
            }
        }
        self.played.push(played);
    }

    /// Prints the numbers, and writes the JUnit report to this file.
    pub(super) fn finish(&self, junit: Option<&Path>) -> Result<(), Error> {
        if let Some(path) = junit {
            let text = self.junit().to_string()?;
            fs::write(path, text).map_err(|source| Error::Write {
                path: path.display().to_string(),
                source,
            })?;
        }
        let Counts {
            passed,
            failed,
            not_played,
        } = Counts::of(self.verdicts());
        match not_played {
            _ if self.is_json => outln!("{:#}", self.json()),
            0 => outln!("{passed} passed, {failed} failed"),
            _ => outln!("{passed} passed, {failed} failed, {not_played} could not be played"),
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let counts = Counts::of(self.verdicts());
        json!({
            "passed": counts.passed,
            "failed": counts.failed,
            "not_played": counts.not_played,
            "scenarios": self.played.iter().map(Played::json).collect::<Vec<_>>(),
        })
    }

    fn junit(&self) -> quick_junit::Report {
        let mut suite = TestSuite::new("scenarios");
        suite.add_test_cases(self.played.iter().map(Played::junit));
        let mut report = quick_junit::Report::new("harness");
        report.add_test_suite(suite);
        report
    }
}

impl Played {
    fn json(&self) -> Value {
        let verdict = match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed(_) => "failed",
            Verdict::NotPlayed(_) => "not_played",
        };
        let reason = self.verdict.reason();
        json!({
            "file": self.file.display().to_string(),
            "name": self.name,
            "verdict": verdict,
            "reason": reason.map(|reason| &reason.text),
            "failure": reason.and_then(|reason| reason.failure.as_ref()),
            "seconds": self.took.as_secs_f64(),
        })
    }

    fn junit(&self) -> TestCase {
        let kind = match self.verdict {
            Verdict::Passed => None,
            Verdict::Failed(_) => Some(NonSuccessKind::Failure),
            Verdict::NotPlayed(_) => Some(NonSuccessKind::Error),
        };
        let mut status = kind.map_or_else(TestCaseStatus::success, TestCaseStatus::non_success);
        if let Some(reason) = self.verdict.reason() {
            let first = reason.text.lines().next().unwrap_or_default();
            status.set_message(first);
            status.set_description(reason.text.as_str());
        }
        let file = self.file.display().to_string();
        let name = self.name.as_deref().unwrap_or(&file);
        let mut case = TestCase::new(name, status);
        case.set_classname(file.as_str()).set_time(self.took);
        case
    }
}
