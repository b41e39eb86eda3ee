//! The plugin: one configuration in one VM, and what its connections share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use prost::Message as _;

use crate::attributes::{Attributes, Roots};
use crate::config::{Config, ConfigError, Mode};
use crate::connection::{Connection, Facts};
use crate::diagnostics::Diagnostics;
use crate::envoy::SetEnvoyFilterStateArguments;
use crate::host::{ContextId, Host};
use crate::labels::{Reporter, Workload};
use crate::node::LocalNode;
use crate::refused::Refused;
use crate::series::{Series, SeriesTable};

/// How many series one VM keeps before peers are no longer told apart.
pub const MAX_SERIES: usize = 10_000;

/// What an outbound connection offers so that the server's sidecar takes part.
const OFFERED_ALPN: &str = "istio-peer-exchange,istio";

/// The filter state that Envoy's tcp_proxy takes the ALPN list of its upstream connection from.
const ALPN_FILTER_STATE: &str = "envoy.network.application_protocols";

/// Warnings per reporting interval; what a peer can provoke must not flood the log.
const MAX_WARNINGS: u32 = 10;

/// One configured plugin.
#[derive(Debug)]
pub struct Plugin<H> {
    host: H,
    id: ContextId,
    config: Config,
    mode: Mode,
    roots: Roots,
    local: Workload,
    frame: Vec<u8>,
    series: RefCell<SeriesTable>,
    diagnostics: Diagnostics,
    refused: RefCell<Refused>,
    /// Connections whose labels are not frozen yet.
    undecided: RefCell<BTreeMap<ContextId, Rc<RefCell<Connection>>>>,
    ticks: Cell<u64>,
    warnings: Cell<u32>,
}

impl<H: Host> Plugin<H> {
    /// Starts a plugin from the bytes of its configuration; `id` is its root context.
    ///
    /// # Errors
    /// The first fault of the configuration.
    pub fn configure(host: H, id: ContextId, configuration: &[u8]) -> Result<Self, ConfigError> {
        let config = Config::parse(configuration)?;
        let (node, roots) = LocalNode::read(&host);
        let mode = match (config.peer_exchange.mode, node.native_exchange()) {
            (Mode::Auto, Some(_)) => Mode::Off,
            (mode, _) => mode,
        };
        log::info!(
            "tcp-peer-stats {}: node {:?}, peer exchange {} (configured {}; native exchange filter: {}), \
             reporting every {:?}",
            env!("CARGO_PKG_VERSION"),
            node.id(),
            mode.name(),
            config.peer_exchange.mode.name(),
            node.native_exchange().unwrap_or("none"),
            config.tcp_reporting_duration,
        );
        if !config.tcp_reporting_duration.is_zero()
            && let Err(status) = host.set_tick_period(config.tcp_reporting_duration)
        {
            log::error!(
                "the host gives no tick ({status}): connections are reported when they close"
            );
        }
        Ok(Self {
            id,
            mode,
            roots,
            local: node.workload(),
            frame: node.frame(&config.additional_labels),
            series: RefCell::new(SeriesTable::new(MAX_SERIES)),
            diagnostics: Diagnostics::default(),
            refused: RefCell::default(),
            undecided: RefCell::default(),
            ticks: Cell::new(0),
            warnings: Cell::new(0),
            host,
            config,
        })
    }

    /// A connection was accepted; the host's effective context is the connection's.
    pub fn on_new_connection(&self, id: ContextId) -> Rc<RefCell<Connection>> {
        // envoy.config.core.v3.TrafficDirection: 0 unspecified, 1 inbound, 2 outbound.
        let reporter = match self.attributes().xds_integer(&["listener_direction"]) {
            Some(1) => Reporter::Destination,
            _ => Reporter::Source,
        };
        if reporter == Reporter::Source {
            self.advertise();
        }
        let connection = Connection::new(id, reporter, self.ticks.get());
        let connection = Rc::new(RefCell::new(connection));
        self.undecided
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        connection
    }

    /// A reporting interval is over.
    pub fn on_tick(&self) {
        self.ticks.set(self.ticks.get() + 1);
        self.warnings.set(0);
        self.freeze_overdue();
        self.series.borrow().flush(&self.host);
        self.diagnostics.flush(&self.host);
    }

    /// Freezes the labels of connections that have been undecided for too long.
    fn freeze_overdue(&self) {
        let undecided: Vec<_> = self.undecided.borrow().values().map(Rc::clone).collect();
        if undecided.is_empty() {
            return;
        }
        for connection in undecided {
            if let Ok(mut connection) = connection.try_borrow_mut() {
                connection.freeze_overdue(self, self.ticks.get());
            }
        }
        if let Err(status) = self.host.set_effective_context(self.id) {
            log::error!("the host does not return to the plugin's own context: {status}");
        }
    }

    /// Offers the exchange's ALPN on the upstream connection that is about to be made.
    fn advertise(&self) {
        let advertises = matches!(self.mode, Mode::Auto | Mode::On);
        if !advertises || !self.config.peer_exchange.advertise_alpn {
            return;
        }
        let argument = SetEnvoyFilterStateArguments {
            path: ALPN_FILTER_STATE.to_owned(),
            value: OFFERED_ALPN.to_owned(),
            span: SetEnvoyFilterStateArguments::DOWNSTREAM_CONNECTION,
        };
        let argument = argument.encode_to_vec();
        if let Err(status) = self
            .host
            .call_foreign_function("set_envoy_filter_state", &argument)
        {
            self.warn(|| format!("the ALPN {OFFERED_ALPN:?} cannot be offered: {status}"));
        }
    }
}

/// What connections ask of their plugin.
impl<H: Host> Plugin<H> {
    pub(crate) fn host(&self) -> &H {
        &self.host
    }

    /// The mode in force.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn attributes(&self) -> Attributes<'_, H> {
        Attributes::new(&self.host, self.roots)
    }

    pub(crate) fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// This workload's labels, but for the principal, which depends on the connection.
    pub(crate) fn local(&self) -> &Workload {
        &self.local
    }

    /// Our own frame.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Whether the connection's upstream host takes part in the exchange: its metadata says so, as
    /// Istio's control plane writes it, or its cluster is on the allow-list.
    pub(crate) fn takes_part(&self, attributes: &Attributes<'_, H>) -> bool {
        const TLS_MODE: [&str; 4] = [
            "upstream_host_metadata",
            "filter_metadata",
            "envoy.transport_socket_match",
            "tlsMode",
        ];
        let clusters = &self.config.peer_exchange.clusters;
        attributes.xds_text(&TLS_MODE).as_deref() == Some("istio")
            || !clusters.is_empty()
                && attributes
                    .xds_text(&["cluster_name"])
                    .is_some_and(|name| clusters.contains(&name))
    }

    pub(crate) fn is_refused(&self, address: &str) -> bool {
        let refused = self.refused.borrow();
        !refused.is_empty()
            && self
                .host
                .now()
                .is_ok_and(|now| refused.contains(address, now))
    }

    /// An upstream answered our frame with something else.
    pub(crate) fn refuse(&self, reporter: Reporter, address: Box<str>) {
        let Ok(now) = self.host.now() else { return };
        self.warn(|| {
            format!("{address} does not take part in the peer exchange: left alone for a while")
        });
        self.refused.borrow_mut().insert(address, now);
        self.diagnostics.refused_host(reporter);
    }

    /// The series of a connection.
    pub(crate) fn series(&self, facts: &Facts) -> Rc<Series> {
        let mut table = self.series.borrow_mut();
        if let Some(series) = table.get(&self.host, &facts.encode(&facts.peer)) {
            return series;
        }
        self.diagnostics.overflow(facts.reporter);
        self.warn(|| format!("{MAX_SERIES} series: further peers are counted as unknown"));
        table.get_coarse(&self.host, &facts.encode(&Workload::default()))
    }

    /// The labels of a connection are frozen.
    pub(crate) fn decided(&self, id: ContextId) {
        self.undecided.borrow_mut().remove(&id);
    }

    /// A connection is over: what its series moved is reported at once.
    pub(crate) fn report_close(&self, series: &Series) {
        series.flush(&self.host);
        if self.config.tcp_reporting_duration.is_zero() {
            self.diagnostics.flush(&self.host);
        }
    }

    /// Logs a warning, unless this interval has had its share.
    pub(crate) fn warn(&self, message: impl FnOnce() -> String) {
        let warnings = self.warnings.get();
        if warnings < MAX_WARNINGS {
            self.warnings.set(warnings + 1);
            log::warn!("{}", message());
        }
    }
}

#[cfg(test)]
mod tests;
