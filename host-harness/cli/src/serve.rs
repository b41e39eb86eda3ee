use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use harness_serve::{Bootstrap, ConfigError, ServeError, Server};

/// Serve an Envoy bootstrap with no Envoy: a small TCP proxy with its wasm network filters in the harness.
///
/// Reads the file that one gives Envoy, terminates and originates TLS, and answers /stats/prometheus, /stats, /listeners
/// and /ready on the admin address. What of the file has no effect is named in a warning. Serves until it is ended; exits
/// with 2 when the file cannot be served.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo demo --prepare
  cargo harness serve -c envoy-config/client-sidecar.yaml
  curl http://127.0.0.1:15000/stats/prometheus")]
pub(crate) struct Serve {
    /// The bootstrap, in YAML or JSON.
    #[arg(short, long, value_name = "FILE")]
    config_path: PathBuf,

    /// Write the admin address to this file, as Envoy does.
    #[arg(long, value_name = "FILE")]
    admin_address_path: Option<PathBuf>,

    /// How many VMs take turns with the connections.
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
}

/// Why a bootstrap cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("cannot write {}: {source}", file.display())]
    AdminAddress { file: PathBuf, source: io::Error },
}

impl Serve {
    /// Returns when it cannot serve; else the process is ended.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let bootstrap = Bootstrap::from_file(&self.config_path)?;
        let log = |line: &str| eprintln!("{line}");
        let server = Server::start(bootstrap, self.concurrency.into(), log)?;
        for (name, address) in server.listeners() {
            eprintln!("[info] listener {name}: {address}");
        }
        if let Some(admin) = server.admin() {
            eprintln!("[info] admin: http://{admin}/");
            if let Some(file) = self.admin_address_path {
                fs::write(&file, admin.to_string())
                    .map_err(|source| Error::AdminAddress { file, source })?;
            }
        }
        server.wait();
        Ok(ExitCode::FAILURE)
    }
}
