//! What a peer sends, and what must come of it.

/// One connection of a hostile peer.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What it sends before it ends its direction.
    pub(crate) sends: Vec<u8>,
    /// What of it reaches the application.
    pub(crate) passes: Vec<u8>,
    /// How the exchange ends: `result` of `istio_tcp_peer_exchange_total`, once each.
    pub(crate) results: Vec<&'static str>,
    /// What the peer is believed of itself: labels without `source_` or `destination_`.
    pub(crate) believed: Vec<(&'static str, String)>,
    /// Whether its namespace is not its certificate's.
    pub(crate) contradicts: bool,
}

impl Case {
    fn new(name: impl Into<String>, sends: Vec<u8>, passes: &[u8], result: &'static str) -> Self {
        Self {
            name: name.into(),
            sends,
            passes: passes.to_vec(),
            results: vec![result],
            believed: Vec::new(),
            contradicts: false,
        }
    }

    /// A good frame, then payload.
    pub(crate) fn exchanged(name: &str, frame: &[u8], payload: &[u8]) -> Self {
        Self::new(name, [frame, payload].concat(), payload, "exchanged")
    }

    /// A worthless frame, then payload.
    pub(crate) fn malformed(name: impl Into<String>, frame: &[u8]) -> Self {
        let payload = b"payload behind a worthless frame";
        Self::new(name, [frame, payload].concat(), payload, "malformed")
    }

    /// No frame: everything is payload.
    pub(crate) fn absent(name: &str, payload: &[u8]) -> Self {
        Self::new(name, payload.to_vec(), payload, "absent")
    }

    /// A header that announces too much: nothing passes.
    pub(crate) fn too_large(name: impl Into<String>, sends: Vec<u8>) -> Self {
        Self::new(name, sends, b"", "too_large")
    }

    /// The end of the stream inside a frame.
    pub(crate) fn truncated(name: impl Into<String>, sends: Vec<u8>, passes: &[u8]) -> Self {
        Self::new(name, sends, passes, "truncated")
    }

    /// The peer is believed this of itself.
    pub(crate) fn believed(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.believed.push((label, value.into()));
        self
    }

    /// The exchange ends in one more way.
    pub(crate) fn and(mut self, result: &'static str) -> Self {
        self.results.push(result);
        self
    }

    /// The peer's namespace is not its certificate's.
    pub(crate) fn contradicting(mut self) -> Self {
        self.contradicts = true;
        self
    }

    /// Whether the filter answers a client's frame with its own.
    pub(crate) fn is_answered(&self) -> bool {
        ["exchanged", "malformed", "no_metadata"]
            .iter()
            .any(|seen| self.results.contains(seen))
    }

    /// A frame without metadata, then payload.
    pub(crate) fn no_metadata(name: &str, frame: &[u8]) -> Self {
        Self::new(
            name,
            [frame, b"payload"].concat(),
            b"payload",
            "no_metadata",
        )
    }
}
