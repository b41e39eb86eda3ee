//! The scenario of Istio's task page on one machine: Bookinfo's ratings-v2 connects to MongoDB,
//! PostgreSQL and MySQL through sidecars, and their metrics name both peers. With another option,
//! all of Bookinfo runs.

mod bookinfo;
mod interrupt;
mod keep;
mod listing;
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
use self::options::TopologyChoice;
use self::report::{Kept, Report};
use self::stage::Stage;
use crate::live::{self, Live};
use mesh::Scratch;
use mesh::error::{Error, Result};
use mesh::progress;
use mesh::prometheus::Prometheus;
use mesh::report::Check;

pub use self::options::Options;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The pause between requests while the demo is kept.
const BETWEEN_VISITS: Duration = Duration::from_millis(400);

/// The period of rates on the live page: several intervals of Prometheus and of the filter.
const RATES: Duration = Duration::from_secs(8);

/// In place of the URL of the live page.
const NO_PAGE: &str = "(needs Prometheus. Debian: `apt install prometheus`)";

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

    /// Prometheus, if it is installed.
    fn prometheus(&self) -> Option<&Prometheus>;

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
        let live = stage.prometheus().map(live).transpose()?;
        let page = live.as_ref().map_or_else(|| NO_PAGE.to_owned(), Live::url);
        report.kept = Some(stage.kept()?.with("Live mesh", page));
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

fn live(prometheus: &Prometheus) -> Result<Live> {
    Live::start(&prometheus.url(), RATES).map_err(|error| match error {
        live::Error::Page(error) => error,
        other => Error::malformed("the data of the live page", other),
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
