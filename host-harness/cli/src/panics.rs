use std::path::PathBuf;
use std::process::ExitCode;

use crate::output::{out, outln};
use host_harness::{PanicSite, Panics, PanicsError};
use serde_json::{Value, json};

/// List every place where a compiled filter can panic, and how a host's call gets there.
///
/// A panic kills the VM and every connection in it. A place is listed when code that the host can reach calls
/// what never returns, or executes `unreachable`: whether its condition can hold is for you to say. The module must
/// carry its function names, so build it unstripped; with debug information, inlined functions are named too.
/// Exits with 0 when there is no such place, 1 when there is and 2 when the file cannot be searched.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo harness panics filter.wasm
  cargo harness panics --json filter.wasm | jq '.sites[] | .panic'")]
pub(crate) struct PanicsOf {
    /// The filter, a .wasm file that is not stripped.
    module: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl PanicsOf {
    pub(crate) fn run(self) -> Result<ExitCode, PanicsError> {
        let panics = Panics::of_file(&self.module)?;
        if self.json {
            outln!("{:#}", to_json(&panics));
        } else {
            out!("{}", to_text(&panics));
        }
        Ok(match panics.sites.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn to_json(panics: &Panics) -> Value {
    let site = |site: &PanicSite| {
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
    };
    json!({
        "functions": panics.functions,
        "sites": panics.sites.iter().map(site).collect::<Vec<_>>(),
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
