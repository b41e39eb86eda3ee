//! The filters' VMs, driven by the real clock.

use crate::config::{Config, Plugin};
use host_harness::{Clock, LoadError, LogLine, Module, Sidecar, StartError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// All filters of one proxy.
pub(crate) struct Plugins {
    /// The proxy without a filter: everything else is beside it.
    passthrough: Sidecar,
    /// Filter chains with the same plugins share them.
    running: Vec<(Vec<Plugin>, Sidecar)>,
    started: Instant,
    started_at: Duration,
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
    /// The filters of a chain do not start.
    #[error("{names}: {source}")]
    Start {
        /// The plugins.
        names: String,
        /// Why.
        source: StartError,
    },
}

impl Plugins {
    /// Loads every module and starts every plugin, with `concurrency` VMs each.
    pub(crate) fn start(config: &Config, concurrency: usize) -> Result<Self, PluginError> {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH);
        let started_at = started_at.unwrap_or_default();
        let passthrough = Sidecar::passthrough()
            .node(config.node.clone())
            .stats_tags(config.stats_tags.clone())
            .clock(&Clock::at(started_at))
            .start()
            .map_err(|source| PluginError::Start {
                names: String::new(),
                source,
            })?;
        let mut running: Vec<(Vec<Plugin>, Sidecar)> = Vec::new();
        let listeners = config.listeners.iter();
        for chain in listeners.flat_map(|listener| &listener.filter_chains) {
            if !running.iter().any(|(plugins, _)| *plugins == chain.plugins) {
                let sidecar = start(&chain.plugins, &passthrough, concurrency)?;
                running.push((chain.plugins.clone(), sidecar));
            }
        }
        Ok(Self {
            passthrough,
            running,
            started: Instant::now(),
            started_at,
        })
    }

    /// The emulated Envoy of a filter chain.
    pub(crate) fn sidecar(&self, plugins: &[Plugin]) -> &Sidecar {
        let mut running = self.running.iter();
        let found = running.find(|(running, _)| running == plugins);
        found.map_or(&self.passthrough, |(_, sidecar)| sidecar)
    }

    /// Moves the clock to the present, with all ticks that are due. To be called before anything that happens.
    pub(crate) fn catch_up(&self) {
        let behind = self.now().saturating_sub(self.passthrough.clock().now());
        // They share the clock: one moves it, the others are then at the present.
        self.passthrough.advance(behind);
        for (_, sidecar) in &self.running {
            sidecar.advance(Duration::ZERO);
        }
    }

    /// How long until the next tick.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        let sidecars = self.running.iter();
        let next = sidecars
            .filter_map(|(_, sidecar)| sidecar.next_tick())
            .min();
        Some(next?.saturating_sub(self.now()))
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

    fn now(&self) -> Duration {
        self.started_at + self.started.elapsed()
    }
}

/// Starts the plugins of one filter chain.
fn start(
    plugins: &[Plugin],
    process: &Sidecar,
    concurrency: usize,
) -> Result<Sidecar, PluginError> {
    let mut builder = Sidecar::passthrough().workers(concurrency).beside(process);
    for plugin in plugins {
        let load = |source| PluginError::Load {
            module: plugin.module.clone(),
            source,
        };
        builder = builder
            .direction(plugin.direction)
            .filter(&Module::from_file(&plugin.module).map_err(load)?)
            .plugin(&plugin.name, &plugin.root_id, &plugin.vm_id)
            .plugin_config(&plugin.configuration)
            .vm_config(&plugin.vm_configuration)
            .failure_policy(plugin.failure_policy);
        if let Some(capabilities) = &plugin.capabilities {
            builder = builder.allow_capabilities(capabilities);
        }
    }
    builder.start().map_err(|source| {
        let names: Vec<_> = plugins.iter().map(|plugin| plugin.name.as_str()).collect();
        let names = format!("plugins {}", names.join(", "));
        PluginError::Start { names, source }
    })
}
