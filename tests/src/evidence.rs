//! What was tried to break it, and what came of it: `cargo evidence`.
//!
//! A [`Campaign`] is a command that takes its time. What it says in the end is kept as a [`Record`] in `tests/evidence/`, word
//! by word, and the table in `filter/docs/evidence.md` is made of the records alone: nobody types a figure.

mod campaign;
mod record;
mod table;
mod tally;

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, Subcommand};

pub use self::campaign::Campaign;
pub use self::record::Record;
pub use self::table::table;
pub use self::tally::Tally;
use crate::error::{Context, Error, Result};
use crate::process::die_with_parent;
use crate::workspace;

/// Makes `filter/docs/evidence.md` of what the long runs said, and makes the long runs.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo evidence", bin_name = "cargo evidence")]
pub struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Run campaigns, record what they say, and make the table
    Run {
        /// Which; see the table
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Record what a campaign said, from the standard input, and make the table
    Read {
        /// Which one said it
        name: String,
    },
}

/// Does what is asked for, and makes the table.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let done = match &options.action {
        None => Ok(()),
        Some(Action::Run { names }) => names.iter().try_for_each(|name| play(name)),
        Some(Action::Read { name }) => keep(name, io::stdin().lock()),
    };
    let made = done.and_then(|()| {
        let file = document();
        fs::write(&file, table()?).context(|| format!("cannot write {}", file.display()))
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evidence: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the table is.
#[must_use]
pub fn document() -> PathBuf {
    workspace::root().join("filter/docs/evidence.md")
}

fn play(name: &str) -> Result<()> {
    let campaign = Campaign::find(name)?;
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{} 2>&1", campaign.command)])
        .current_dir(workspace::root())
        .stdout(Stdio::piped());
    die_with_parent(&mut command, rustix::process::Signal::KILL);
    let mut child = command
        .spawn()
        .context(|| format!("cannot start `{}`", campaign.command))?;
    if let Some(output) = child.stdout.take() {
        keep(name, BufReader::new(output))?;
    }
    let status = child
        .wait()
        .context(|| format!("cannot wait for `{}`", campaign.command))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::CommandFailed {
            name: campaign.command,
            status,
            output: "see above".to_owned(),
        }),
    }
}

/// Records what a campaign says, and lets it be seen.
fn keep(name: &str, output: impl BufRead) -> Result<()> {
    let mut lines = Vec::new();
    for line in output.split(b'\n') {
        let line = line.context(|| format!("cannot read what {name} says"))?;
        let line = String::from_utf8_lossy(&line).into_owned();
        eprintln!("{line}");
        lines.push(line);
    }
    Record::new(&Campaign::find(name)?, &lines)?.save()
}
