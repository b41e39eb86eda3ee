//! The process of an Envoy and its admin interface.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::binary::EnvoyBinary;
use crate::error::{Context, Error, Result};
use crate::http::{http_get, http_query_within};
use crate::poll::Look;
use crate::process::{self, Process};

const READY_LIMIT: Duration = Duration::from_secs(60);
/// The time limit of a question whether it is ready, which is repeated.
const READY_ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The process of an Envoy, and the address of its admin interface.
#[derive(Debug)]
pub(crate) struct Server {
    process: Mutex<Process>,
    pub(crate) id: u32,
    pub(crate) log: PathBuf,
    pub(crate) admin: SocketAddr,
}

impl Server {
    /// Starts an Envoy, which may use this much CPU time until it is ready.
    pub(crate) fn start(
        cpu: Duration,
        binary: &EnvoyBinary,
        name: &str,
        bootstrap: &Value,
        concurrency: u32,
        dir: &Path,
    ) -> Result<Self> {
        let (command, admin_file) = command(binary, name, bootstrap, concurrency, dir)?;
        let log = dir.join(format!("{name}.log"));
        let mut process = Process::spawn(&format!("Envoy {name}"), command, &log)?;
        let what = format!("Envoy {name} becoming ready");
        let id = process.id();
        let limit = READY_LIMIT * binary.slowness();
        let admin = process.until(&what, limit, || {
            let seen = ready(&admin_file);
            let is_over = matches!(seen, Look::NotYet(_)) && process::cpu_time(id)? > cpu;
            match is_over {
                false => Ok(seen),
                true => Err(Error::TimedOut {
                    what: what.clone(),
                    limit: cpu,
                    detail: " of CPU time".into(),
                }),
            }
        })?;
        Ok(Self {
            process: Mutex::new(process),
            id,
            log,
            admin,
        })
    }

    /// Checks that the process is running.
    pub(crate) fn check(&self) -> Result<()> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.check()
    }

    /// The bytes of the log.
    pub(crate) fn read_log(&self) -> Result<Vec<u8>> {
        fs::read(&self.log).context(|| format!("cannot read {}", self.log.display()))
    }

    /// The last lines of the log.
    pub(crate) fn end_of_log(&self) -> String {
        process::tail(&self.log)
    }

    /// Gets a path of the admin interface.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        http_get(&self.url(path))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.admin)
    }
}

/// Writes a bootstrap to `dir`. Returns the command that loads it, and the file to which Envoy
/// writes the admin address.
pub(crate) fn command(
    binary: &EnvoyBinary,
    name: &str,
    bootstrap: &Value,
    concurrency: u32,
    dir: &Path,
) -> Result<(Command, PathBuf)> {
    let file = |suffix: &str| dir.join(format!("{name}.{suffix}"));
    let (config, admin_file) = (file("json"), file("admin"));
    let document = format!("{bootstrap:#}");
    fs::write(&config, document).context(|| format!("cannot write {}", config.display()))?;
    let command = binary.command(&config, &admin_file, concurrency);
    Ok((command, admin_file))
}

fn ready(admin_file: &Path) -> Look<SocketAddr> {
    let text = fs::read_to_string(admin_file).unwrap_or_default();
    let Ok(admin) = text.trim().parse::<SocketAddr>() else {
        return Look::NotYet("no admin address".into());
    };
    match http_query_within(READY_ANSWER_LIMIT, &format!("http://{admin}/ready"), &[]) {
        Ok(_live) => Look::Found(admin),
        Err(error) => Look::NotYet(error.to_string()),
    }
}
