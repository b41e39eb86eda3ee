//! An Envoy whose listeners can be updated.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use envoy_process::{Envoy, EnvoyBinary};
use host_harness::scenario::StageError;
use serde_json::{Value, json};

use crate::barrier::{BARRIER, Barrier};
use crate::bootstrap::loopback;
use crate::failures::STUCK_AFTER;
use crate::start::StartError;

/// The time limit of an update and of a drain, for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(20);

/// The drain time of connections with an old configuration.
const DRAIN: Duration = Duration::from_secs(2);

/// The time in which a worker answers that does not hang.
const ANSWER: Duration = Duration::from_secs(2);

/// An Envoy with its listeners, those that are updated in a file of their own.
pub(crate) struct Proxy {
    pub(crate) envoy: Envoy,
    /// The listeners in the file.
    updatable: Vec<Value>,
    file: PathBuf,
    version: u32,
}

/// The inputs of an Envoy's bootstrap.
pub(crate) struct Setup {
    pub(crate) node: Value,
    pub(crate) stats_tags: Vec<Value>,
    /// Listeners that stay as they are.
    pub(crate) listeners: Vec<Value>,
    /// Listeners that are updated.
    pub(crate) updatable: Vec<Value>,
    pub(crate) clusters: Vec<Value>,
    /// The CPU time that the start may use. `None`: the Envoy may have played other scenarios.
    pub(crate) starting: Option<Duration>,
}

impl Proxy {
    pub(crate) fn start(
        binary: &EnvoyBinary,
        name: &str,
        setup: Setup,
        folder: &Path,
    ) -> Result<Self, StartError> {
        let file = folder.join(format!("{name}.listeners.json"));
        let mut listeners = setup.listeners;
        listeners.push(Barrier::listener());
        let mut bootstrap = json!({
            "node": setup.node,
            "admin": { "address": loopback(0) },
            "watchdogs": { "worker_watchdog": watchdog(), "main_thread_watchdog": watchdog() },
            "stats_config": { "use_all_default_tags": false, "stats_tags": setup.stats_tags },
            "static_resources": { "listeners": listeners, "clusters": setup.clusters },
        });
        let is_updatable = !setup.updatable.is_empty();
        write(&file, &setup.updatable, 0)?;
        if let Some(bootstrap) = bootstrap.as_object_mut().filter(|_| is_updatable) {
            let source =
                json!({ "path_config_source": { "path": file }, "resource_api_version": "V3" });
            bootstrap.insert("dynamic_resources".into(), json!({ "lds_config": source }));
        }
        let binary = match is_updatable {
            true => binary.clone().drain_time(DRAIN),
            false => binary.clone(),
        };
        let envoy = match setup.starting {
            Some(cpu) => Envoy::start_within(cpu, &binary, name, &bootstrap, 1, folder),
            None => Envoy::start_shared(&binary, name, &bootstrap, 1, folder),
        };
        Ok(Self {
            envoy: envoy.map_err(StartError::of)?,
            updatable: setup.updatable,
            file,
            version: 0,
        })
    }

    pub(crate) fn listener(&self, name: &str) -> Result<SocketAddr, StartError> {
        self.envoy.listener(name).map_err(StartError::of)
    }

    /// Whether the worker answers a connection.
    pub(crate) fn answers(&self) -> bool {
        let address = self.envoy.listener(BARRIER).ok();
        let barrier = address.and_then(|address| Barrier::within(ANSWER, address).ok());
        barrier.is_some_and(|mut barrier| barrier.echo().is_ok())
    }

    /// The number of open downstream connections of the scenario; 0 if the admin interface does not
    /// respond.
    pub(crate) fn active(&self) -> u64 {
        let stats = self.envoy.get("/stats?filter=downstream_cx_active");
        let stats = stats.unwrap_or_default();
        let counts = stats.lines().filter_map(|line| line.split_once(": "));
        let own =
            counts.filter(|(name, _)| name.starts_with("listener.127") && !name.contains("worker"));
        own.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    /// Replaces a listener, and waits until Envoy has accepted or rejected it.
    pub(crate) fn update(&mut self, listener: Value) -> Result<(), StageError> {
        let name = listener.get("name").cloned();
        let found = self
            .updatable
            .iter_mut()
            .find(|old| old.get("name") == name.as_ref());
        let found = found.ok_or_else(|| StageError::new("the listener is not updatable"))?;
        let old = std::mem::replace(found, listener);
        let [accepted, rejected] = self.updates()?;
        self.version += 1;
        write(&self.file, &self.updatable, self.version)?;
        let mut now = [accepted, rejected];
        self.wait_until("the update of the listener", |proxy| {
            now = proxy.updates()?;
            Ok(now != [accepted, rejected])
        })?;
        match now {
            [_, after] if after > rejected => {
                let mut others = self.updatable.iter_mut();
                if let Some(refused) = others.find(|other| other.get("name") == name.as_ref()) {
                    *refused = old;
                }
                Err(StageError::new(
                    "Envoy rejects the update, as it does if a filter rejects its configuration",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Waits until no connection with an old configuration is left.
    pub(crate) fn drain(&mut self) -> Result<(), StageError> {
        self.wait_until("the end of the drain time", |proxy| {
            let listeners = proxy.stat("listener_manager.total_listeners_draining")?;
            let chains = proxy.stat("listener_manager.total_filter_chains_draining")?;
            Ok(listeners == 0 && chains == 0)
        })
    }

    /// The numbers of accepted and of rejected updates.
    fn updates(&self) -> Result<[u64; 2], StageError> {
        Ok([
            self.stat("listener_manager.lds.update_success")?,
            self.stat("listener_manager.lds.update_rejected")?,
        ])
    }

    fn stat(&self, name: &str) -> Result<u64, StageError> {
        let text = self.envoy.get(&format!("/stats?filter=^{name}$"));
        let text = text.map_err(StageError::new)?;
        let value = text.trim().rsplit(' ').next().unwrap_or_default();
        value
            .parse()
            .map_err(|_| StageError::new(format!("Envoy has no stat {name}: {text:?}")))
    }

    fn wait_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Self) -> Result<bool, StageError>,
    ) -> Result<(), StageError> {
        let started = Instant::now();
        while !holds(self)? {
            self.envoy.check().map_err(StageError::new)?;
            if started.elapsed() > PATIENCE {
                return Err(StageError::new(format!("Envoy does not show {what}")));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// A watchdog that only counts, and not before it is certain.
fn watchdog() -> Value {
    json!({ "miss_timeout": STUCK_AFTER, "megamiss_timeout": STUCK_AFTER })
}

/// Writes the file of the listeners. Envoy reads it when it is moved into place.
fn write(file: &Path, listeners: &[Value], version: u32) -> Result<(), StageError> {
    let typed = listeners.iter().map(|listener| {
        let mut listener = listener.clone();
        if let Some(listener) = listener.as_object_mut() {
            let of_type = "type.googleapis.com/envoy.config.listener.v3.Listener";
            listener.insert("@type".into(), json!(of_type));
        }
        listener
    });
    let document = json!({
        "version_info": version.to_string(),
        "resources": typed.collect::<Vec<_>>(),
    });
    let new = file.with_extension("new");
    let written = fs::write(&new, document.to_string()).and_then(|()| fs::rename(&new, file));
    written.map_err(|source| StageError::new(format!("cannot write {}: {source}", file.display())))
}
