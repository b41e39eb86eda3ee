//! The plugin: one configuration in one VM, and what its connections share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use peer_exchange::{DEFAULT_MAX_PAYLOAD, InvalidFrame, Payload};
use prost::Message as _;

use crate::config::{Config, ConfigError, Limits, Mode};
use crate::config::{ExpressionValues, Expressions, Moment};
use crate::connection::Connection;
use crate::exchange::refused::Refused;
use crate::host::attributes::{Attributes, Roots, path};
use crate::host::envoy::SetEnvoyFilterStateArguments;
use crate::host::{ContextId, Host};
use crate::labels::Metric;
use crate::labels::{Reporter, Workload};
use crate::peer::LocalNode;
use crate::peer::filter_state;
use crate::peer::{ConnectionAttributes, PeerCache, PeerMetadata, ResolvedPeer, TlsPair};
use crate::series::{Diagnostics, ExtendedMetrics, LabelSelection, Series, SeriesTable};

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
    /// A native exchange filter is compiled in.
    native: bool,
    roots: Roots,
    local: Workload,
    frame: Vec<u8>,
    /// Has outbound connections offer the exchange's ALPN; empty to leave it to the cluster.
    offer: Vec<u8>,
    expressions: Expressions,
    selection: LabelSelection,
    pub(crate) series: RefCell<SeriesTable>,
    extended: Option<ExtendedMetrics>,
    diagnostics: Diagnostics,
    refused: RefCell<Refused>,
    known: RefCell<PeerCache>,
    /// Connections whose labels are not frozen yet.
    undecided: RefCell<BTreeMap<ContextId, Rc<RefCell<Connection>>>>,
    /// The host calls `on_tick`.
    ticking: bool,
    ticks: Cell<u64>,
    warnings: Cell<u32>,
    /// The log has told of the first connection.
    introduced: Cell<bool>,
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
        let mut expressions = Expressions::default();
        let selection = LabelSelection::compile(&host, roots, &config, &mut expressions)?;
        filter_state::declare(&host);
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
        for notice in config.notices.lines() {
            log::warn!("{notice}");
        }
        let mut ticking = !config.tcp_reporting_duration.is_zero();
        if ticking && let Err(status) = host.set_tick_period(config.tcp_reporting_duration) {
            ticking = false;
            log::error!(
                "the host gives no tick ({status}): connections are reported when they close"
            );
        }
        let offers = matches!(mode, Mode::Auto | Mode::On) && config.peer_exchange.advertise_alpn;
        Ok(Self {
            id,
            mode,
            native: node.native_exchange().is_some(),
            roots,
            local: node.workload(),
            frame: node.frame(
                &config.additional_labels,
                config.limits.max_frame_bytes.max(DEFAULT_MAX_PAYLOAD),
            ),
            offer: match offers {
                true => offer(&config.peer_exchange.protocols),
                false => Vec::new(),
            },
            expressions,
            selection,
            series: RefCell::new(SeriesTable::new(config.limits.max_series)),
            extended: config
                .extended_metrics
                .then(|| ExtendedMetrics::new(config.limits.max_series)),
            diagnostics: Diagnostics::default(),
            refused: RefCell::default(),
            known: RefCell::default(),
            undecided: RefCell::default(),
            ticking,
            ticks: Cell::new(0),
            warnings: Cell::new(0),
            introduced: Cell::new(false),
            host,
            config,
        })
    }

    /// A connection was accepted; the host's effective context is the connection's. `None` if its
    /// port is none that the configuration wants looked at: it passes unseen.
    pub fn on_new_connection(&self, id: ContextId) -> Option<Rc<RefCell<Connection>>> {
        if !self.config.ports.is_all() {
            let port = self.attributes().integer(path::DESTINATION_PORT);
            let port = port.and_then(|port| u16::try_from(port).ok());
            if port.is_some_and(|port| !self.config.ports.contains(port)) {
                return None;
            }
        }
        let direction = self.attributes().listener_direction();
        let reporter = self.reporter(direction.ok().flatten());
        self.introduce(reporter);
        if reporter == Reporter::Source {
            self.advertise();
        }
        let connection = Connection::new(self, id, reporter, direction.err());
        let connection = Rc::new(RefCell::new(connection));
        self.undecided
            .borrow_mut()
            .insert(id, Rc::clone(&connection));
        Some(connection)
    }

    fn reporter(&self, direction: Option<i64>) -> Reporter {
        if self.config.server_gateway {
            return Reporter::Waypoint;
        }
        match direction {
            Some(1) => Reporter::Destination,
            _ => Reporter::Source,
        }
    }

    /// Logs where the first connection came in: the plugin does not know its chain before.
    fn introduce(&self, reporter: Reporter) {
        if !self.introduced.replace(true) {
            let chain = self.attributes().text(path::FILTER_CHAIN);
            log::info!(
                "tcp-peer-stats: first connection, filter chain {:?}, reporter {}",
                chain.unwrap_or_default(),
                reporter.name(),
            );
        }
    }

    /// A reporting interval is over.
    pub fn on_tick(&self) {
        self.ticks.set(self.ticks.get() + 1);
        self.warnings.set(0);
        self.known.borrow_mut().drop_local_sans();
        self.freeze_overdue();
        self.series.borrow().report(&self.host, &self.selection);
        if let Some(extended) = &self.extended {
            extended.report(&self.host);
        }
        self.diagnostics.report(&self.host, self.selection.naming());
    }

    /// Freezes the labels of connections that have been undecided for too long.
    fn freeze_overdue(&self) {
        let undecided: Vec<_> = self.undecided.borrow().values().map(Rc::clone).collect();
        if undecided.is_empty() {
            return;
        }
        for connection in undecided {
            if let Ok(mut connection) = connection.try_borrow_mut() {
                connection.freeze_overdue(self);
            }
        }
        if let Err(status) = self.host.set_effective_context(self.id) {
            log::error!("the host does not return to the plugin's own context: {status}");
        }
    }

    /// Offers the exchange's ALPN on the upstream connection that is about to be made.
    fn advertise(&self) {
        if self.offer.is_empty() {
            return;
        }
        if let Err(status) = self
            .host
            .call_foreign_function("set_envoy_filter_state", &self.offer)
        {
            let protocols = &self.config.peer_exchange.protocols;
            self.warn(|| format!("the ALPN {protocols:?} cannot be offered: {status}"));
        }
    }
}

/// The foreign function's argument that offers these protocols, as tcp_proxy wants them.
fn offer(protocols: &[String]) -> Vec<u8> {
    let argument = SetEnvoyFilterStateArguments {
        path: ALPN_FILTER_STATE.to_owned(),
        value: protocols.join(","),
        span: SetEnvoyFilterStateArguments::DOWNSTREAM_CONNECTION,
    };
    argument.encode_to_vec()
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

    /// Whether a native exchange filter does what this one leaves alone.
    pub(crate) fn is_beside_native(&self) -> bool {
        self.native && self.mode == Mode::Off
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// How many reporting intervals are over.
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.get()
    }

    pub(crate) fn selection(&self) -> &LabelSelection {
        &self.selection
    }

    /// What records the metrics that Istio does not have, if they are asked for.
    pub(crate) fn extended(&self) -> Option<&ExtendedMetrics> {
        self.extended.as_ref()
    }

    pub(crate) fn attributes(&self) -> Attributes<'_, H> {
        Attributes::new(&self.host, self.roots)
    }

    pub(crate) fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Our own frame.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Whether the connection's upstream host takes part in the exchange: its metadata says so, as
    /// Istio's control plane writes it, or its cluster is on the allow-list.
    pub(crate) fn takes_part(&self, attributes: &Attributes<'_, H>) -> bool {
        let clusters = &self.config.peer_exchange.clusters;
        attributes.text(path::TLS_MODE).as_deref() == Some("istio")
            || !clusters.is_empty()
                && attributes
                    .text(path::CLUSTER)
                    .is_some_and(|name| clusters.contains(&name))
    }

    /// Whether the connection's upstream refused the exchange a short while ago.
    pub(crate) fn is_refused(&self, attributes: &Attributes<'_, H>) -> bool {
        let refused = self.refused.borrow();
        if refused.is_empty() {
            return false;
        }
        let address = attributes.text(path::UPSTREAM_ADDRESS).unwrap_or_default();
        let now = self.host.now();
        now.is_ok_and(|now| refused.contains(&address, now))
    }

    /// The connection's upstream answered our frame with something else.
    pub(crate) fn refuse(&self, reporter: Reporter) {
        let period = self.config.peer_exchange.refused_duration;
        if period.is_zero() {
            return;
        }
        let address = self.attributes().text(path::UPSTREAM_ADDRESS);
        let (Some(address), Ok(now)) = (address, self.host.now()) else {
            return;
        };
        self.warn(|| {
            format!("{address} does not take part in the peer exchange: left alone for {period:?}")
        });
        self.refused
            .borrow_mut()
            .insert(address.into(), now, period);
        self.diagnostics.refused_host(reporter);
    }

    /// What a frame tells of its sender; nothing if it has no metadata.
    ///
    /// # Errors
    /// It is worthless.
    pub(crate) fn read(&self, payload: Payload) -> Result<Option<Rc<PeerMetadata>>, InvalidFrame> {
        self.known.borrow_mut().decode(payload)
    }

    /// The URI SAN of our own certificate on the connection of the effective context; up to one
    /// reporting interval old, where the peer has a certificate as well and the link has a cluster.
    pub(crate) fn local_san(&self, link: &TlsPair) -> Option<String> {
        let path = match link.reporter {
            Reporter::Source => path::UPSTREAM_LOCAL_SAN,
            Reporter::Destination | Reporter::Waypoint => path::LOCAL_SAN,
        };
        let read = || self.attributes().text(path);
        match self.ticking && link.peer_san.is_some() && link.cluster.is_some() {
            true => self.known.borrow_mut().local_san(link, read),
            false => read(),
        }
    }

    /// What the evidence of a connection amounts to, with what the peer told.
    pub(crate) fn identify(
        &self,
        evidence: ConnectionAttributes,
        told: Option<&PeerMetadata>,
    ) -> Rc<ResolvedPeer> {
        let max = self.config.limits.max_label_length;
        let mut known = self.known.borrow_mut();
        let identity = known.resolve(evidence, told.map(|told| &told.metadata), &self.local, max);
        if identity.namespace_mismatch {
            self.diagnostics.peer_mismatch(identity.labels.reporter);
        }
        identity
    }

    /// What the configured expressions are worth for the connection of the effective context.
    pub(crate) fn evaluate(&self, moment: Moment) -> ExpressionValues {
        self.expressions.evaluate(&self.host, moment)
    }

    /// The series of a connection.
    pub(crate) fn series(&self, identity: &ResolvedPeer, values: &ExpressionValues) -> Rc<Series> {
        self.diagnostics
            .unusable_values(identity.labels.reporter, values.unusable());
        let series = match identity.series.get() {
            Some(series) => Rc::clone(series),
            None => self.find_series(identity, values),
        };
        if self.config.debug {
            let opened = series.stat_name(&self.selection, Metric::Opened);
            log::info!("connection: {}", opened.unwrap_or_default());
        }
        series
    }

    fn find_series(&self, identity: &ResolvedPeer, values: &ExpressionValues) -> Rc<Series> {
        let mut table = self.series.borrow_mut();
        let labels = &identity.labels;
        let key = self.selection.key(&labels.values(), values);
        if let Some(series) = table.get(&self.host, &self.selection, key) {
            if self.expressions.is_empty() {
                identity.series.get_or_init(|| Rc::clone(&series));
            }
            return series;
        }
        self.diagnostics.overflow(labels.reporter);
        let max = self.config.limits.max_series;
        self.warn(|| format!("{max} series: further peers are counted as unknown"));
        let labels = labels.clone().without_peers();
        let key = self
            .selection
            .key(&labels.values(), &ExpressionValues::default());
        table.get_coarse(&self.host, &self.selection, key)
    }

    /// Counts a connection in the metrics of the user's own.
    pub(crate) fn observe(&self, series: &Rc<Series>, values: &ExpressionValues) {
        for (index, value) in self.selection.defined(values) {
            series.add_defined(&self.host, &self.selection, index, value);
        }
    }

    /// The labels of a connection are frozen.
    pub(crate) fn decided(&self, id: ContextId) {
        self.undecided.borrow_mut().remove(&id);
    }

    /// A connection is over: what its series moved is reported at once.
    pub(crate) fn report_close(&self, series: &Series) {
        series.report(&self.host, &self.selection);
        if self.config.tcp_reporting_duration.is_zero() {
            self.diagnostics.report(&self.host, self.selection.naming());
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
