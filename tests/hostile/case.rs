//! The bytes that a peer sends, and the expected outcome.

/// One connection of a hostile peer.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The bytes that it sends before it ends its direction.
    pub(crate) sends: Vec<u8>,
    /// The bytes that reach the application.
    pub(crate) passes: Vec<u8>,
    /// The `result`s of `istio_tcp_peer_exchange_total` that are counted, once each.
    pub(crate) results: Vec<&'static str>,
    /// The labels that the peer's frame sets, without `source_` or `destination_`.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// Whether the peer's namespace is not its certificate's.
    pub(crate) mismatch: bool,
}

impl Case {
    fn new(name: impl Into<String>, sends: Vec<u8>, passes: &[u8], result: &'static str) -> Self {
        Self {
            name: name.into(),
            sends,
            passes: passes.to_vec(),
            results: vec![result],
            labels: Vec::new(),
            mismatch: false,
        }
    }

    /// A valid frame, then payload.
    pub(crate) fn exchanged(name: &str, frame: &[u8], payload: &[u8]) -> Self {
        Self::new(name, [frame, payload].concat(), payload, "exchanged")
    }

    /// A malformed frame, then payload.
    pub(crate) fn malformed(name: impl Into<String>, frame: &[u8]) -> Self {
        let payload = b"payload behind a malformed frame";
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

    /// The frame sets this label.
    pub(crate) fn labelled(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }

    /// One more result is counted.
    pub(crate) fn and_result(mut self, result: &'static str) -> Self {
        self.results.push(result);
        self
    }

    /// The peer's namespace is not its certificate's.
    pub(crate) fn of_another_namespace(mut self) -> Self {
        self.mismatch = true;
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
