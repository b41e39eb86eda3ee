//! The scenario of Istio's task page on one machine: Bookinfo's ratings-v2 connects to MongoDB,
//! PostgreSQL and MySQL through sidecars, and their metrics name both peers. With another option,
//! all of Bookinfo runs.

mod bookinfo;
mod interrupt;
mod keep;
mod listing;
pub mod live;
mod options;
mod parts;
mod prepare;
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
use self::options::TopologyChoice;
use self::report::{Kept, Report};
use self::stage::Stage;
use mesh::Scratch;
use mesh::envoy::Envoy;
use mesh::error::{Error, Result};
use mesh::progress;
use mesh::report::Check;

pub use self::options::Options;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The pause between requests while the demo is kept.
const BETWEEN_VISITS: Duration = Duration::from_millis(400);

/// Runs the demo. The exit code is 0 if every check passed.
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

/// A running demo. Dropping it stops all processes.
trait Demo {
    /// Runs the traffic and returns its report. Some connections stay open.
    fn run_traffic(&mut self) -> Result<Report>;

    /// Closes those connections and checks that every connection is then reported as closed.
    fn hang_up(&mut self) -> Result<Vec<Check>>;

    /// The addresses of the running parts, and the command that ends them.
    fn kept(&self) -> Result<Kept>;

    /// All sidecars.
    fn sidecars(&self) -> Vec<&Envoy>;

    /// Sends a little more traffic after all checks, so that the metrics change. Clears the counts
    /// of the taps.
    fn send_traffic(&mut self) -> Result<()>;
}

/// Fetches, builds and starts everything, and sends no traffic.
fn start<'a>(
    options: &Options,
    scratch: &'a Scratch,
    interrupt: &'a Interrupt,
) -> Result<Box<dyn Demo + 'a>> {
    Ok(match options.topology {
        TopologyChoice::Databases => Box::new(Stage::start(options, scratch, interrupt)?),
        TopologyChoice::Bookinfo => Box::new(bookinfo::Stage::start(options, scratch, interrupt)?),
    })
}

fn once(options: &Options, interrupt: &Interrupt) -> Result<bool> {
    on_scratch(interrupt, |scratch| {
        let mut stage = start(options, scratch, interrupt)?;
        let mut report = stage.run_traffic()?;
        report.checks.extend(stage.hang_up()?);
        let ok = report.conclude();
        publish(&report, options);
        Ok(ok)
    })
}

/// The process of `--keep` that continues: it owns all other processes and ends on SIGTERM.
fn supervised(options: &Options, interrupt: &Interrupt) -> Result<bool> {
    let supervisor = keep::Supervisor::begin()?;
    interrupt.listen()?;
    on_scratch(interrupt, |scratch| {
        let mut stage = start(options, scratch, interrupt)?;
        let mut report = stage.run_traffic()?;
        let live = Live::start(stage.sidecars().into_iter().map(Into::into))?;
        report.kept = Some(stage.kept()?.with("Live mesh", live.url()));
        let ok = report.conclude();
        publish(&report, options);
        if supervisor.hand_over(ok)? {
            while interrupt.is_awaited_for(BETWEEN_VISITS) {
                // An error shows in the metrics; this process has no output any more.
                let _seen = stage.send_traffic();
            }
        }
        Ok(ok)
    })
}

/// Runs `work` with a scratch folder. Keeps the folder, which has the logs, if `work` fails.
fn on_scratch(interrupt: &Interrupt, work: impl FnOnce(&Scratch) -> Result<bool>) -> Result<bool> {
    let mut scratch = Scratch::new("demo")?;
    let result = work(&scratch);
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
    // The reader may have closed the pipe. The demo still has to stop its processes.
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
