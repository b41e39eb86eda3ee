//! `cargo istio golden`: what istiod configures for every overlay, as files in the repository.
//!
//! A state is one installation: an overlay, the mode of the PeerAuthentication, and whether the
//! proxies have Istio's own filters. Its file has what istiod sends to the sidecars of Bookinfo's
//! ratings-v2 and mongodb. One more file has what Envoy Gateway configures. Tests without a control
//! plane read the files.

mod files;
mod normal;
mod pods;
mod states;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use mesh::progress::say;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::pods::Pods;
use self::states::{Installed, Label, STATES, State};
use crate::envoy_gateway::EnvoyGateway;
use crate::error::{Error, Result};
use crate::istiod::Proxy;
use crate::run::{ControlPlane, Run};

/// The options of the command.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct Options {
    /// Compare the files instead of writing them, and name those that differ
    #[arg(long)]
    pub check: bool,
}

/// Writes the files or compares them. Returns whether they are equal to what istiod configures.
///
/// # Errors
/// The control plane does not start, or a file cannot be read or written.
pub fn run(run: &Run, options: &Options) -> Result<bool> {
    let mut control = run.control_plane()?;
    let texts = generate(run, &mut control)?;
    let different = files::compare(&texts)?;
    if !options.check {
        files::write(&texts)?;
    }
    let verb = if options.check {
        "differs"
    } else {
        "is written"
    };
    let mut text: String = different
        .iter()
        .map(|name| format!("{name} {verb}\n"))
        .collect();
    text.push_str(&format!(
        "{} files, {} {verb}",
        texts.len(),
        different.len()
    ));
    let _gone = writeln!(io::stdout(), "{text}");
    Ok(different.is_empty() || !options.check)
}

/// Compares the files with what this control plane configures, and restores its settings. Returns
/// the number of files.
///
/// # Errors
/// Files differ; the message names them and the command that writes them.
pub fn check(run: &Run, control: &mut ControlPlane) -> Result<usize> {
    let texts = generate(run, control);
    // Also after a failure: other checks follow.
    let ControlPlane { kubelet, istiod } = control;
    istiod.replace(kubelet, Proxy::Stock)?;
    let texts = texts?;
    let different = files::compare(&texts)?;
    if different.is_empty() {
        return Ok(texts.len());
    }
    Err(Error::Check(format!(
        "istiod configures other things than {}. `cargo istio golden` writes them",
        different.join(", ")
    )))
}

/// The texts of all files by name. The last istiod configures Istio's own filters.
fn generate(run: &Run, control: &mut ControlPlane) -> Result<BTreeMap<String, String>> {
    let pods = Pods::start(control)?;
    run.stages.done("the pods of Bookinfo are ready");
    let mut texts = BTreeMap::new();
    let mut without = Vec::new();
    for proxy in [Proxy::Stock, Proxy::Native] {
        if proxy == Proxy::Native {
            let ControlPlane { kubelet, istiod } = control;
            istiod.replace(kubelet, proxy)?;
            run.stages.done("istiod configures Istio's own filters");
        }
        for state in STATES.iter().filter(|state| state.proxy == proxy) {
            let all = pods.in_state(state, control)?;
            if matches!(state.installed, Installed::Nothing) {
                without.clone_from(&all);
            }
            let document = own(state, all, &without)?;
            texts.insert(state.file(), files::text(&document)?);
            run.stages.done(&state.file());
        }
    }
    pods.remove(control)?;
    if let Some(document) = gateway(run)? {
        texts.insert(files::GATEWAY.to_owned(), files::text(&document)?);
        run.stages.done(files::GATEWAY);
    }
    Ok(texts)
}

/// What Envoy Gateway configures; nothing if it is not built.
fn gateway(run: &Run) -> Result<Option<Value>> {
    // No connection is made: the address is only in endpoints.
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    match EnvoyGateway::start(run, server) {
        Ok(gateway) => gateway.configured(run).map(Some),
        Err(error) if error.is_unmet() => {
            say(&format!("{} stays as it is: {error}", files::GATEWAY));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The configuration of the pods with the label of a state. The other pods must have the same as
/// without an installation.
fn own(state: &State, all: Vec<(Label, Value)>, without: &[(Label, Value)]) -> Result<Value> {
    let mut own = Value::Null;
    for (pair, without) in all.into_iter().zip(without) {
        if pair.0 == state.label {
            own = pair.1;
        } else if &pair != without {
            let what = format!("{} changes pods with another label", state.file());
            return Err(Error::Check(what));
        }
    }
    Ok(own)
}
