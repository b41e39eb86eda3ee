//! The filters' VMs, driven by the real clock.

use crate::config::{Config, FailurePolicy, Plugin};
use host_harness::{Clock, LoadError, LogLine, Module, Sidecar, SidecarBuilder, StartError};
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Envoy's default `reload_config.backoff.base_interval`.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// All plugins of one proxy.
pub(crate) struct Plugins {
    /// The proxy without a filter: everything else is beside it.
    passthrough: Sidecar,
    running: Vec<Running>,
    started: Instant,
    started_at: Duration,
}

struct Running {
    plugin: Plugin,
    builder: SidecarBuilder,
    sidecar: RefCell<Sidecar>,
    reloaded: Cell<Option<Instant>>,
}

/// A plugin that does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// Its module cannot be loaded.
    #[error("{module}: {source}")]
    Load {
        /// The file.
        module: String,
        /// Why.
        source: LoadError,
    },
    /// The filter does not start.
    #[error("plugin {name:?}: {source}")]
    Start {
        /// The plugin.
        name: String,
        /// Why.
        source: StartError,
    },
}

impl Plugins {
    /// Loads every module and starts every plugin, with `concurrency` VMs each.
    pub(crate) fn start(config: &Config, concurrency: usize) -> Result<Self, PluginError> {
        let started_at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let passthrough = Sidecar::passthrough()
            .node(config.node.clone())
            .stats_tags(config.stats_tags.clone())
            .clock(&Clock::at(started_at))
            .start()
            .map_err(|source| PluginError::Start {
                name: String::new(),
                source,
            })?;
        let mut plugins = Self {
            passthrough,
            running: Vec::new(),
            started: Instant::now(),
            started_at,
        };
        let chains = config
            .listeners
            .iter()
            .flat_map(|listener| &listener.filter_chains);
        for plugin in chains.filter_map(|chain| chain.plugin.as_ref()) {
            if !plugins
                .running
                .iter()
                .any(|running| running.plugin == *plugin)
            {
                let running = Running::start(plugin, &plugins.passthrough, concurrency)?;
                plugins.running.push(running);
            }
        }
        Ok(plugins)
    }

    /// The emulated Envoy for a new connection of a filter chain.
    pub(crate) fn sidecar(&self, plugin: Option<&Plugin>) -> Sidecar {
        let running = plugin.and_then(|plugin| {
            self.running
                .iter()
                .find(|running| running.plugin == *plugin)
        });
        let Some(running) = running else {
            return self.passthrough.clone();
        };
        if running.sidecar.borrow().is_failed() {
            match running.plugin.failure_policy {
                FailurePolicy::Closed => {}
                FailurePolicy::Open => return self.passthrough.clone(),
                FailurePolicy::Reload => running.reload(),
            }
        }
        running.sidecar.borrow().clone()
    }

    /// Moves the clock to the present, with all ticks that are due. To be called before anything that happens.
    pub(crate) fn catch_up(&self) {
        let now = self.started_at + self.started.elapsed();
        let behind = now.saturating_sub(self.passthrough.clock().now());
        self.passthrough.advance(behind);
        for running in &self.running {
            let sidecar = running.sidecar.borrow().clone();
            sidecar.advance(Duration::ZERO);
        }
    }

    /// How long until the next tick.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        let now = self.started_at + self.started.elapsed();
        let next = self
            .running
            .iter()
            .filter_map(|running| running.sidecar.borrow().next_tick())
            .min()?;
        Some(next.saturating_sub(now))
    }

    /// What the filters logged since the last call.
    pub(crate) fn take_logs(&self) -> Vec<LogLine> {
        self.passthrough.take_logs()
    }

    pub(crate) fn stats_text(&self) -> String {
        self.passthrough.stats_text()
    }

    pub(crate) fn prometheus_text(&self) -> String {
        self.passthrough.prometheus_text()
    }
}

impl Running {
    fn start(plugin: &Plugin, process: &Sidecar, concurrency: usize) -> Result<Self, PluginError> {
        let module = Module::from_file(&plugin.module).map_err(|source| PluginError::Load {
            module: plugin.module.clone(),
            source,
        })?;
        let builder = Sidecar::inbound(&module)
            .direction(plugin.direction)
            .plugin(&plugin.name, &plugin.root_id, &plugin.vm_id)
            .plugin_config(&plugin.configuration)
            .vm_config(&plugin.vm_configuration)
            .workers(concurrency)
            .beside(process);
        let sidecar = builder
            .clone()
            .start()
            .map_err(|source| PluginError::Start {
                name: plugin.name.clone(),
                source,
            })?;
        Ok(Self {
            plugin: plugin.clone(),
            builder,
            sidecar: RefCell::new(sidecar),
            reloaded: Cell::new(None),
        })
    }

    /// Starts a new VM in place of the dead one, but not again and again.
    fn reload(&self) {
        let recently = |reloaded: Instant| reloaded.elapsed() < RELOAD_INTERVAL;
        if self.reloaded.get().is_some_and(recently) {
            return;
        }
        self.reloaded.set(Some(Instant::now()));
        // One that does not start again stays dead, and closes its connections.
        if let Ok(sidecar) = self.builder.clone().start() {
            self.sidecar.replace(sidecar);
        }
    }
}
