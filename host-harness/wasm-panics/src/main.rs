//! `wasm-panics`: lists every place where a module can panic. `cargo panics` in this repository.

use std::io::{self, ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Value, json};
use wasm_panics::{PanicSite, Panics, PanicsError};

/// The exit code for a file that cannot be analysed. clap uses it for a wrong command line.
const FAILED: u8 = 2;

/// The exit code with which a shell reports a program that SIGPIPE ended. Rust ignores that signal.
const BROKEN_PIPE: u8 = 128 + 13;

/// List every place where a WebAssembly module can panic, with a call path from an export to it.
///
/// A panic stops the VM and every connection in it. The command lists each place where code that
/// the host can reach calls a function that never returns, or executes `unreachable`. It does not
/// decide whether the condition of a panic can hold. The module needs its function names, so build
/// it unstripped; with debug information, inlined functions have names too. Exits with 0 if there
/// is no such place, 1 if there is one and 2 if the file cannot be analysed.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  wasm-panics filter.wasm
  wasm-panics --json filter.wasm | jq '.sites[] | .panic'"
)]
struct Command {
    /// The module, a .wasm file that is not stripped.
    module: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// The reason why the command fails.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Panics(#[from] PanicsError),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn main() -> ExitCode {
    match Command::parse().run() {
        Ok(code) => code,
        Err(Error::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            ExitCode::from(BROKEN_PIPE)
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(FAILED)
        }
    }
}

impl Command {
    fn run(self) -> Result<ExitCode, Error> {
        let panics = Panics::of_file(&self.module)?;
        let text = match self.json {
            true => format!("{:#}\n", to_json(&panics)),
            false => to_text(&panics),
        };
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(match panics.sites.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn to_json(panics: &Panics) -> Value {
    let sites: Vec<_> = panics.sites.iter().map(site_to_json).collect();
    json!({ "functions": panics.functions, "sites": sites })
}

fn site_to_json(site: &PanicSite) -> Value {
    let frames = site
        .frames
        .iter()
        .map(|frame| json!({"function": frame.function, "location": frame.location}));
    let path = site
        .path
        .iter()
        .map(|step| json!({"function": step.function, "indirect": step.indirect}));
    json!({
        "panic": site.panic,
        "frames": frames.collect::<Vec<_>>(),
        "path": path.collect::<Vec<_>>(),
    })
}

fn to_text(panics: &Panics) -> String {
    let mut text = String::new();
    for site in &panics.sites {
        text.push_str(&format!("{}\n", site.panic));
        for frame in &site.frames {
            let location = frame.location.as_deref().unwrap_or_default();
            text.push_str(&format!("    in  {frame} {location}\n"));
        }
        text.push_str(&format!("    by  {}\n\n", site.path()));
    }
    text.push_str(&format!(
        "places: {}, functions: {}\n",
        panics.sites.len(),
        panics.functions
    ));
    text
}
