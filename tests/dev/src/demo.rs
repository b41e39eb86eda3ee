//! The Istio task page's story on one machine: Bookinfo's ratings-v2 talks to MongoDB and PostgreSQL through sidecars,
//! and the sidecars tell who talked to whom. Or all of Bookinfo does.

mod bookinfo;
mod checks;
mod interrupt;
mod keep;
mod listing;
pub mod live;
mod options;
mod parts;
mod prepare;
mod progress;
mod report;
mod snapshot;
mod stage;
mod text;
mod traffic;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use self::interrupt::Interrupt;
use self::live::Live;
use self::options::Cast;
use self::report::{Check, Kept, Report};
use self::stage::Stage;
use mesh::Scratch;
use mesh::envoy::Envoy;
use mesh::error::{Error, Result};

pub use self::options::Options;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Between the traffic that goes on while the demo is kept.
const BETWEEN_VISITS: Duration = Duration::from_millis(400);

/// Runs the demo: 0 if every check passed.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let interrupt = Interrupt::default();
    let result = if options.prepare {
        prepare::run().map(|()| true)
    } else if options.supervised {
        supervised(options, &interrupt)
    } else if options.keep {
        return keep::launch().unwrap_or_else(|error| failed(&error, &interrupt));
    } else {
        interrupt.listen().and_then(|()| once(options, &interrupt))
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error, &interrupt),
    }
}

/// A cast on its stage. Dropping it stops everything.
trait Play {
    /// The traffic, and what came of it. Some connections are left open.
    fn play(&mut self) -> Result<Report>;

    /// Lets those connections end and checks that every connection is then reported as closed.
    fn hang_up(&mut self) -> Result<Vec<Check>>;

    /// What there is to look at, and how to end it.
    fn kept(&self) -> Result<Kept>;

    /// Everyone who has metrics.
    fn sidecars(&self) -> Vec<&Envoy>;

    /// A little more traffic, for those who look, after all checks. What has passed before is forgotten.
    fn go_on(&mut self) -> Result<()>;
}

/// Fetches, builds and starts everything but the traffic.
fn set<'a>(
    options: &Options,
    scratch: &'a Scratch,
    interrupt: &'a Interrupt,
) -> Result<Box<dyn Play + 'a>> {
    Ok(match options.topology {
        Cast::Databases => Box::new(Stage::set(options, scratch, interrupt)?),
        Cast::Bookinfo => Box::new(bookinfo::Stage::set(options, scratch, interrupt)?),
    })
}

fn once(options: &Options, interrupt: &Interrupt) -> Result<bool> {
    on_scratch(interrupt, |scratch| {
        let mut stage = set(options, scratch, interrupt)?;
        let mut report = stage.play()?;
        report.checks.extend(stage.hang_up()?);
        let ok = report.conclude();
        publish(&report, options);
        Ok(ok)
    })
}

/// The part of `--keep` that stays: it owns everything and ends on SIGTERM.
fn supervised(options: &Options, interrupt: &Interrupt) -> Result<bool> {
    let supervisor = keep::Supervisor::begin()?;
    interrupt.listen()?;
    on_scratch(interrupt, |scratch| {
        let mut stage = set(options, scratch, interrupt)?;
        let mut report = stage.play()?;
        let live = Live::start(stage.sidecars().into_iter().map(Into::into))?;
        report.kept = Some(stage.kept()?.with("Live mesh", live.url()));
        let ok = report.conclude();
        publish(&report, options);
        if supervisor.hand_over(ok)? {
            while interrupt.is_awaited_for(BETWEEN_VISITS) {
                // Whoever looks sees what has gone wrong; and there is nobody to tell.
                let _seen = stage.go_on();
            }
        }
        Ok(ok)
    })
}

/// Runs `play` in a folder that stays if it fails, for the logs in it.
fn on_scratch(interrupt: &Interrupt, play: impl FnOnce(&Scratch) -> Result<bool>) -> Result<bool> {
    let mut scratch = Scratch::new("demo")?;
    let result = play(&scratch);
    if !matches!(result, Ok(true)) && !interrupt.came() && !scratch.is_empty() {
        progress::say(&format!(
            "bootstraps and logs: {}",
            scratch.path().display()
        ));
        scratch.keep();
    }
    result
}

fn publish(report: &Report, options: &Options) {
    let text = if options.json {
        report.to_json()
    } else {
        text::render(report)
    };
    // The reader may have gone; what there is to end is ended all the same.
    let _gone = writeln!(io::stdout(), "{text}");
}

fn failed(error: &Error, interrupt: &Interrupt) -> ExitCode {
    if interrupt.came() || matches!(error, Error::Interrupted) {
        progress::say("interrupted: everything is stopped");
        return ExitCode::from(INTERRUPTED);
    }
    progress::say(&format!("error: {error}"));
    ExitCode::FAILURE
}
