//! State that all connections of a plugin share: the configuration, the caches and the series.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use peer_exchange::{DEFAULT_MAX_PAYLOAD, Payload};

use crate::config::{Config, ConfigError, ExpressionValues, Expressions, Mode};
use crate::exchange::{ExchangeContext, LocalExchange};
use crate::host::attributes::{Attributes, Roots, path};
use crate::host::{Host, Warnings};
use crate::labels::{Metric, Reporter, Workload};
use crate::peer::{
    Client, ConnectionAttributes, KnownClients, KnownPair, LocalNode, PeerCache, PeerMetadata,
    Replaceable, ResolvedPeer, TlsPair, filter_state,
};
use crate::series::{Diagnostics, ExtendedMetrics, LabelSelection, Outcome, Series, SeriesTable};

/// State that all connections of a plugin share.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    pub(crate) host: H,
    roots: Roots,
    pub(crate) config: Config,
    /// This workload, without its principal.
    local: Workload,
    pub(crate) exchange: LocalExchange,
    pub(crate) expressions: Expressions,
    pub(crate) selection: LabelSelection,
    pub(crate) series: RefCell<SeriesTable>,
    /// The opt-in metrics, if they are enabled.
    pub(crate) extended: Option<ExtendedMetrics>,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) warnings: Warnings,
    peers: RefCell<PeerCache>,
    clients: RefCell<KnownClients>,
    /// The host calls `on_tick`.
    pub(crate) is_ticking: bool,
    /// How many reporting intervals are over.
    ticks: Cell<u32>,
}

impl<H: Host> Shared<H> {
    /// Compiles the configuration for a host with this node.
    ///
    /// # Errors
    /// An expression that the host cannot evaluate, or a frame longer than peers accept.
    pub(crate) fn new(
        host: H,
        roots: Roots,
        node: &LocalNode,
        config: Config,
    ) -> Result<Self, ConfigError> {
        let mut expressions = Expressions::default();
        let selection = LabelSelection::compile(&host, roots, &config, &mut expressions)?;
        let limits = config.limits;
        let frame = node.frame(
            &config.additional_labels,
            limits.max_frame_bytes.max(DEFAULT_MAX_PAYLOAD),
        )?;
        Ok(Self {
            host,
            roots,
            local: node.workload(),
            exchange: LocalExchange::new(
                config.peer_exchange.mode,
                node.native_exchange().is_some(),
                frame,
                limits.max_frame_bytes,
            ),
            expressions,
            selection,
            series: RefCell::new(SeriesTable::new(limits.max_series)),
            extended: config
                .extended_metrics
                .then(|| ExtendedMetrics::new(limits.max_series)),
            diagnostics: Diagnostics::default(),
            warnings: Warnings::default(),
            peers: RefCell::new(PeerCache::new(limits.peer_cache_bytes)),
            clients: RefCell::new(KnownClients::new(limits.peer_cache_bytes)),
            is_ticking: false,
            ticks: Cell::new(0),
            config,
        })
    }

    pub(crate) fn attributes(&self) -> Attributes<'_, H> {
        Attributes::new(&self.host, self.roots)
    }

    /// Whether the frames of servers are proofs.
    pub(crate) fn learns(&self, reporter: Reporter) -> bool {
        reporter == Reporter::Source
            && self.exchange.mode() == Mode::Auto
            && !self.config.peer_exchange.proof_duration.is_zero()
    }

    pub(crate) fn exchange_context(&self) -> ExchangeContext<'_, H> {
        ExchangeContext {
            attributes: self.attributes(),
            config: &self.config.peer_exchange,
            local: &self.exchange,
            diagnostics: &self.diagnostics,
            warnings: &self.warnings,
        }
    }

    /// How many reporting intervals are over, modulo 2^32.
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks.get()
    }

    /// Starts a new reporting interval.
    pub(crate) fn start_interval(&self) {
        self.ticks.set(self.ticks.get().wrapping_add(1));
        self.warnings.start_interval();
    }

    /// Reports all series, metrics and diagnostics that changed.
    pub(crate) fn report(&self) {
        self.series.borrow().report(&self.host, &self.selection);
        if let Some(extended) = &self.extended {
            extended.report(&self.host);
        }
        self.diagnostics.report(&self.host, self.selection.naming());
    }

    /// Reports the series of a connection that closed.
    pub(crate) fn report_close(&self, series: &Series) {
        series.report(&self.host, &self.selection);
        if self.config.tcp_reporting_duration.is_zero() {
            self.diagnostics.report(&self.host, self.selection.naming());
        }
    }

    /// Decodes the payload of a peer's frame and counts the outcome of its exchange; `None` if it
    /// has no metadata or is malformed.
    pub(crate) fn decode(&self, reporter: Reporter, payload: Payload) -> Option<Rc<PeerMetadata>> {
        let decoded = self.peers.borrow_mut().decode(payload);
        let outcome = match &decoded {
            Ok(Some(_)) => Outcome::Exchanged,
            Ok(None) => Outcome::NoMetadata,
            Err(invalid) => {
                let reason = format_args!("malformed frame: {invalid}");
                self.exchange_context().warn(reporter, &reason);
                Outcome::Malformed
            }
        };
        self.diagnostics.outcome(reporter, outcome);
        decoded.ok().flatten()
    }

    /// The pair of the connection of the effective context, with its replaceable facts.
    pub(crate) fn known_pair(&self, pair: TlsPair) -> Rc<KnownPair> {
        let read = |pair: &TlsPair, current: Option<&Replaceable>| self.replaceable(pair, current);
        self.peers.borrow_mut().pair(pair, self.ticks(), read)
    }

    /// Reads the replaceable facts of the effective context; `None` if they are the current ones.
    ///
    /// Those of a pair with a cluster are up to one reporting interval old: the service is the
    /// dearest of the attributes, as Envoy reads it by reflection, and Envoy's TLS library keeps the
    /// parsed certificate with each connection whose SAN is read.
    fn replaceable(&self, pair: &TlsPair, current: Option<&Replaceable>) -> Option<Replaceable> {
        let current = current.filter(|_| self.is_ticking && pair.cluster().is_some());
        if current.is_some() && pair.peer_san().is_some() {
            return None;
        }
        let attributes = self.attributes();
        let local_san = attributes.text(match pair.reporter {
            Reporter::Source => path::UPSTREAM_LOCAL_SAN,
            Reporter::Destination | Reporter::Waypoint => path::LOCAL_SAN,
        });
        let service = match current {
            Some(current) if current.local_san == local_san => return None,
            Some(current) => current.service.clone(),
            None => attributes.bytes(path::SERVICE),
        };
        Some(Replaceable { local_san, service })
    }

    /// A connection whose client sent no frame waits for the metadata of another connection.
    pub(crate) fn need_metadata(&self) {
        self.clients.borrow_mut().need(self.ticks());
    }

    /// Records the metadata that a client brought on the connection of the effective context, and
    /// returns it. A connection without metadata gets that of another connection of the same client.
    pub(crate) fn share_metadata(
        &self,
        pair: &TlsPair,
        metadata: Option<Rc<PeerMetadata>>,
    ) -> Option<Rc<PeerMetadata>> {
        let mut clients = self.clients.borrow_mut();
        let are_needed = pair.reporter != Reporter::Source && clients.are_needed(self.ticks());
        let principal = pair.peer_san().filter(|_| are_needed);
        let address = principal.and_then(|_| self.attributes().text(path::SOURCE_ADDRESS));
        let (Some(principal), Some(address)) = (principal, address) else {
            return metadata;
        };
        let client = Client::new(&address, principal);
        match metadata {
            Some(metadata) => {
                clients.record(client, &metadata, self.ticks());
                Some(metadata)
            }
            None => {
                let shared = clients.find(&client, self.ticks())?;
                self.diagnostics.reused_metadata(pair.reporter);
                Some(shared)
            }
        }
    }

    /// Resolves the attributes of a connection.
    pub(crate) fn resolve(
        &self,
        attributes: ConnectionAttributes,
        metadata: Option<&PeerMetadata>,
    ) -> Rc<ResolvedPeer> {
        let resolved = self.peers.borrow_mut().resolve(
            attributes,
            metadata.map(|metadata| &metadata.metadata),
            &self.local,
            self.config.limits.max_label_length,
        );
        if resolved.namespace_mismatch {
            self.diagnostics.peer_mismatch(resolved.labels.reporter);
        }
        resolved
    }

    /// Writes the peer to the filter state of the effective context, unless nobody may read it.
    pub(crate) fn publish(&self, peer: &ResolvedPeer) {
        if !self.config.publish_peer && self.expressions.is_empty() {
            return;
        }
        let written = filter_state::write(&self.host, peer.labels.reporter, &peer.filter_state);
        if let Err(status) = written
            && self.warnings.allow()
        {
            log::warn!("writing the peer to the filter state failed: {status}");
        }
    }

    /// The series of a connection.
    pub(crate) fn series(&self, peer: &ResolvedPeer, values: &ExpressionValues) -> Rc<Series> {
        self.diagnostics
            .unusable_values(peer.labels.reporter, values.unusable());
        let last = peer.last_series(values);
        let series = last.unwrap_or_else(|| self.find_series(peer, values));
        if self.config.debug {
            let opened = series.stat_name(&self.selection, Metric::Opened);
            log::info!("connection: {}", opened.unwrap_or_default());
        }
        series
    }

    fn find_series(&self, peer: &ResolvedPeer, values: &ExpressionValues) -> Rc<Series> {
        let mut table = self.series.borrow_mut();
        let key = self.selection.key(&peer.labels.values(), values);
        if let Some(series) = table.get(&self.host, &self.selection, key) {
            peer.keep_series(values, &series);
            return series;
        }
        self.diagnostics.overflow(peer.labels.reporter);
        if self.warnings.allow() {
            log::warn!(
                "the limit of {} series is reached: further peers are counted as unknown",
                self.config.limits.max_series
            );
        }
        let labels = peer.labels.clone().without_peers();
        let key = self
            .selection
            .key(&labels.values(), &ExpressionValues::default());
        table.get_coarse(&self.host, &self.selection, key)
    }
}
