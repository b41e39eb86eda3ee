//! The plugin's life cycle: configure, tick, new connection.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use prost::Message as _;

use crate::config::{Config, ConfigError, GoDuration, Mode};
use crate::connection::{Connection, Undecided};
use crate::host::attributes::path;
use crate::host::envoy::SetEnvoyFilterStateArguments;
use crate::host::{ContextId, Host, Status};
use crate::labels::Reporter;
use crate::peer::{LocalNode, filter_state};
use crate::shared::Shared;

/// The filter state with the ALPN list that Envoy's tcp_proxy offers to the upstream.
const ALPN_FILTER_STATE: &str = "envoy.network.application_protocols";

/// Values of `envoy.config.core.v3.TrafficDirection`.
const INBOUND: i64 = 1;
const OUTBOUND: i64 = 2;

/// One configuration in one VM.
#[derive(Debug)]
pub struct Plugin<H> {
    id: ContextId,
    pub(crate) shared: Rc<Shared<H>>,
    undecided: Rc<Undecided<H>>,
    /// The argument of the hostcall that offers the exchange's ALPN to the upstream of an outbound
    /// connection; empty if none is offered.
    alpn_offer: Vec<u8>,
    /// The first connection was logged.
    is_introduced: Cell<bool>,
    /// The configured reporter, unless the listener of the first connection contradicts it.
    reporter: Cell<Option<Reporter>>,
}

impl<H: Host> Plugin<H> {
    /// Starts a plugin from the bytes of its configuration; `id` is its root context.
    ///
    /// # Errors
    /// The first error of the configuration.
    pub fn configure(host: H, id: ContextId, configuration: &[u8]) -> Result<Self, ConfigError> {
        let config = Config::parse(configuration)?;
        let (node, roots) = LocalNode::read(&host);
        let mut shared = Shared::new(host, roots, &node, config)?;
        filter_state::declare(&shared.host);
        log_start(&shared, &node);
        shared.is_ticking = start_ticks(&shared);
        let config = &shared.config.peer_exchange;
        let offers_alpn =
            config.advertise_alpn && matches!(shared.exchange.mode(), Mode::Auto | Mode::On);
        Ok(Self {
            id,
            alpn_offer: match offers_alpn {
                true => alpn_offer(&config.protocols),
                false => Vec::new(),
            },
            undecided: Rc::default(),
            is_introduced: Cell::new(false),
            reporter: Cell::new(shared.config.reporter),
            shared: Rc::new(shared),
        })
    }

    /// Opens a connection; the host's effective context is the connection's. `None` if the
    /// configuration leaves its port out: it passes uncounted.
    pub fn on_new_connection(&self, id: ContextId) -> Option<Rc<RefCell<Connection<H>>>> {
        let attributes = self.shared.attributes();
        let ports = &self.shared.config.ports;
        if !ports.is_all() {
            let port = attributes.integer(path::DESTINATION_PORT);
            let port = port.and_then(|port| u16::try_from(port).ok());
            if port.is_some_and(|port| !ports.contains(port)) {
                return None;
            }
        }
        let (reporter, unknown_direction) = self.reporter();
        self.introduce(reporter);
        if reporter == Reporter::Source {
            self.offer_alpn();
        }
        Some(Connection::open(
            Rc::clone(&self.shared),
            &self.undecided,
            id,
            reporter,
            unknown_direction,
        ))
    }

    /// The reporter of a new connection, and the status with which reading the listener's direction
    /// failed.
    ///
    /// The listener of the first connection is compared with the configured reporter. A wrong one
    /// would exchange the workloads in the labels, and frames would pass to the application.
    fn reporter(&self) -> (Reporter, Option<Status>) {
        let attributes = self.shared.attributes();
        let Some(configured) = self.reporter.get() else {
            return of_direction(attributes.listener_direction());
        };
        if self.is_introduced.get() || configured == Reporter::Waypoint {
            return (configured, None);
        }
        let direction = attributes.listener_direction().ok().flatten();
        let listener = match direction {
            Some(INBOUND) => Reporter::Destination,
            Some(OUTBOUND) => Reporter::Source,
            _ => configured,
        };
        if listener != configured {
            self.reporter.set(None);
            log::warn!(
                "reporter: the configuration says {}, the direction of the listener says {}: the key is \
                 ignored; remove it, or give this listener a configuration of its own",
                configured.name(),
                listener.name(),
            );
        }
        (listener, None)
    }

    /// Logs the filter chain of the first connection, which is unknown before.
    fn introduce(&self, reporter: Reporter) {
        if !self.is_introduced.replace(true) {
            let chain = self.shared.attributes().text(path::FILTER_CHAIN);
            log::info!(
                "tcp-peer-stats: first connection, filter chain {:?}, reporter {}",
                chain.unwrap_or_default(),
                reporter.name(),
            );
        }
    }

    /// Offers the exchange's ALPN to the connection's upstream, which is not connected yet.
    fn offer_alpn(&self) {
        if self.alpn_offer.is_empty() {
            return;
        }
        let host = &self.shared.host;
        let offered = host.call_foreign_function("set_envoy_filter_state", &self.alpn_offer);
        if let Err(status) = offered
            && self.shared.warnings.allow()
        {
            let protocols = &self.shared.config.peer_exchange.protocols;
            log::warn!("offering the ALPN {protocols:?} failed: {status}");
        }
    }

    /// Reports everything that changed in the reporting interval that is over.
    pub fn on_tick(&self) {
        self.shared.start_interval();
        self.freeze_overdue_connections();
        self.shared.report();
    }

    fn freeze_overdue_connections(&self) {
        let undecided: Vec<_> = self
            .undecided
            .borrow()
            .values()
            .filter_map(Weak::upgrade)
            .collect();
        if undecided.is_empty() {
            return;
        }
        for connection in undecided {
            if let Ok(mut connection) = connection.try_borrow_mut() {
                connection.freeze_if_overdue();
            }
        }
        if let Err(status) = self.shared.host.set_effective_context(self.id) {
            log::error!("returning to the plugin's own context failed: {status}");
        }
    }
}

/// The reporter on a listener with this direction, and the status with which reading it failed.
fn of_direction(direction: Result<Option<i64>, Status>) -> (Reporter, Option<Status>) {
    match direction {
        Ok(Some(INBOUND)) => (Reporter::Destination, None),
        Ok(_) => (Reporter::Source, None),
        Err(status) => (Reporter::Source, Some(status)),
    }
}

fn log_start<H: Host>(shared: &Shared<H>, node: &LocalNode) {
    let config = &shared.config;
    log::info!(
        "tcp-peer-stats {}: node {:?}, peer exchange {} (configured {}; native exchange filter: {}), \
         reporting every {}",
        env!("CARGO_PKG_VERSION"),
        node.id(),
        shared.exchange.mode().name(),
        config.peer_exchange.mode.name(),
        node.native_exchange().unwrap_or("none"),
        GoDuration(config.tcp_reporting_duration),
    );
    for notice in config.notices.lines() {
        log::warn!("{notice}");
    }
}

/// Returns whether the host calls `on_tick` from now on.
fn start_ticks<H: Host>(shared: &Shared<H>) -> bool {
    let period = shared.config.tcp_reporting_duration;
    if period.is_zero() {
        return false;
    }
    let started = shared.host.set_tick_period(period);
    if let Err(status) = started {
        log::error!(
            "setting the tick period failed: {status}; connections are reported when they close"
        );
    }
    started.is_ok()
}

/// The argument of the foreign function that offers these protocols, in the form of tcp_proxy.
fn alpn_offer(protocols: &[String]) -> Vec<u8> {
    let argument = SetEnvoyFilterStateArguments {
        path: ALPN_FILTER_STATE.to_owned(),
        value: protocols.join(","),
        span: SetEnvoyFilterStateArguments::DOWNSTREAM_CONNECTION,
    };
    argument.encode_to_vec()
}
