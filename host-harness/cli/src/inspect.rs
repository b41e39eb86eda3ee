use std::path::PathBuf;
use std::process::ExitCode;

use crate::exit;
use crate::output::{out, outln};
use host_harness::{Import, Inspection, LoadError, Origin};
use serde_json::{Value, json};

/// List the imports and exports of a compiled filter, without running it.
///
/// Prints its ABI version, its imports and exports, and the reasons why the harness cannot load it.
/// Exits with 0 if the harness can load it, and 2 if it cannot: something is missing, or the file is
/// not a WebAssembly module.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness inspect filter.wasm
  harness inspect --json filter.wasm | jq .missing")]
pub(crate) struct Inspect {
    /// The filter, a .wasm file.
    module: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<ExitCode, LoadError> {
        let inspection = Inspection::of_file(&self.module)?;
        if self.json {
            outln!("{:#}", to_json(&inspection));
        } else {
            out!("{}", to_text(&inspection));
        }
        Ok(match inspection.problems.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(exit::ERROR),
        })
    }
}

fn to_json(inspection: &Inspection) -> Value {
    let missing: Vec<_> = inspection.missing().map(Import::to_string).collect();
    let problems: Vec<_> = inspection
        .problems
        .iter()
        .map(LoadError::to_string)
        .collect();
    json!({
        "size": inspection.size,
        "abi_version": inspection.abi_version.map(|version| version.to_string()),
        "kind": kind(inspection),
        "imports": {
            "proxy_wasm": names(inspection, Origin::ProxyWasm),
            "wasi": names(inspection, Origin::Wasi),
            "other": names(inspection, Origin::Other),
        },
        "callbacks": inspection.callbacks().collect::<Vec<_>>(),
        "exports": inspection.exports,
        "missing": missing,
        "problems": problems,
    })
}

fn to_text(inspection: &Inspection) -> String {
    let version = inspection.abi_version.map(|version| version.to_string());
    let callbacks: Vec<_> = inspection.callbacks().collect();
    let exports = inspection.exports.iter().map(String::as_str);
    let others: Vec<_> = exports.filter(|name| !callbacks.contains(name)).collect();
    let mut text = String::new();
    let mut line = |title: &str, value: &str| text.push_str(&format!("{title:<14}{value}\n"));
    line("size", &format!("{} bytes", inspection.size));
    line("ABI version", version.as_deref().unwrap_or("none"));
    line("kind", kind(inspection));
    for (title, origin) in [
        ("proxy-wasm", Origin::ProxyWasm),
        ("WASI", Origin::Wasi),
        ("other imports", Origin::Other),
    ] {
        line(title, &listed(&names(inspection, origin)));
    }
    line("callbacks", &listed(&callbacks));
    line("other exports", &listed(&others));
    for problem in &inspection.problems {
        line("missing", &problem.to_string());
    }
    if inspection.problems.is_empty() {
        line("missing", "nothing: the harness can load it");
    }
    text
}

/// The kind of the filter by its exports. SDKs export the callbacks of both kinds for any filter.
fn kind(inspection: &Inspection) -> &'static str {
    let (network, http) = (inspection.network_callbacks(), inspection.http_callbacks());
    match (network.is_empty(), http.is_empty()) {
        (false, true) => "network filter",
        (true, false) => "HTTP filter: a TCP stream calls none of its callbacks",
        (false, false) => "network or HTTP filter: it has the callbacks of both",
        (true, true) => "neither network nor HTTP filter: it has no callback for a stream",
    }
}

fn names(inspection: &Inspection, origin: Origin) -> Vec<String> {
    let imports = inspection.imports.iter();
    let own = imports.filter(|import| import.origin() == origin);
    match origin {
        Origin::Other => own.map(Import::to_string).collect(),
        Origin::ProxyWasm | Origin::Wasi => own.map(|import| import.name.clone()).collect(),
    }
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let names: Vec<_> = names.iter().map(AsRef::as_ref).collect();
    names.join(&format!("\n{:14}", ""))
}
