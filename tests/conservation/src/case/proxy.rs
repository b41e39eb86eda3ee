//! A proxy and its configuration.

/// `peer_exchange.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the configuration's")]
pub enum Mode {
    Auto,
    On,
    Receive,
    Off,
}

/// A proxy and its configuration.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Whether it has the filter.
    pub filter: bool,
    /// `peer_exchange.mode`.
    pub mode: Mode,
    /// `limits.max_frame_bytes`.
    pub max_frame_bytes: Option<u32>,
    /// `peer_exchange.advertise_alpn`.
    pub advertise_alpn: bool,
    /// `peer_exchange.proof_duration`, in seconds.
    pub proof_seconds: Option<u16>,
    /// Its listener computes the JA4 fingerprint of a ClientHello.
    pub knows_offer: bool,
    /// The port of its connections is one that `ports` excludes.
    pub port_excluded: bool,
    /// Its node lists a native exchange filter.
    pub native_exchange: bool,
    /// Its node lists `EXCHANGE_KEYS`.
    pub exchange_keys: bool,
    /// It is as old as Istio 1.7.
    pub legacy: bool,
    /// Further configuration.
    pub extra: Extra,
}

/// Configuration that changes metrics only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// `extended_metrics`, `debug` and a definition.
    Everything,
    /// Other names and separators.
    Names,
    /// Labels added and removed.
    Labels,
    /// One metric is dropped.
    Dropped,
    /// `tcp_reporting_duration` is zero.
    OnlyAtClose,
    /// `max_series` is one, and label values are short.
    Tight,
}

/// The filter with its defaults.
impl Default for Proxy {
    fn default() -> Self {
        Self {
            filter: true,
            mode: Mode::Auto,
            max_frame_bytes: None,
            advertise_alpn: true,
            proof_seconds: None,
            knows_offer: true,
            port_excluded: false,
            native_exchange: false,
            exchange_keys: false,
            legacy: false,
            extra: Extra::None,
        }
    }
}

impl Proxy {
    /// The mode in force: a native exchange filter turns `auto` off.
    pub fn mode(&self) -> Mode {
        match (self.mode, self.native_exchange) {
            (Mode::Auto, true) => Mode::Off,
            (mode, _) => mode,
        }
    }

    /// Whether it has the filter and `ports` includes its connections.
    pub fn is_active(&self) -> bool {
        self.filter && !self.port_excluded
    }

    /// Whether it offers the exchange's ALPN to servers.
    pub fn offers(&self) -> bool {
        let exchanges = matches!(self.mode(), Mode::Auto | Mode::On);
        self.is_active() && self.advertise_alpn && exchanges
    }

    /// The prefix of every metric's name.
    pub fn prefix(&self) -> &'static str {
        match self.extra {
            Extra::Names => "mesh",
            _ => "istio",
        }
    }
}
