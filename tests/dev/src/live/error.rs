//! Why there is no page.

/// The result of the page's queries.
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no page. Every message names the URL and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing answers as a Prometheus does.
    #[error(
        "no Prometheus answers at {url}: {reason}. Give the URL under which its own pages are, such as http://localhost:9090 after `kubectl --namespace istio-system port-forward service/prometheus 9090`"
    )]
    NoPrometheus {
        /// The URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It has none of Istio's TCP metrics.
    #[error(
        "the Prometheus at {url} has no series istio_tcp_…_total. Check under {url}/targets that it scrapes the sidecars, and open a TCP connection between two of them. The metrics of overlays/telemetry-only have other names: they are for use beside Istio's"
    )]
    NoSeries {
        /// The URL.
        url: String,
    },
    /// The page cannot be served.
    #[error(transparent)]
    Page(#[from] mesh::Error),
}

impl Error {
    /// Removes the query from the message: its URL is long.
    pub(super) fn no_prometheus(url: &str, error: &mesh::Error) -> Self {
        let reason = match error {
            mesh::Error::Http { reason, .. } => reason.clone(),
            mesh::Error::Malformed { .. } => "its answer is not that of a Prometheus".to_owned(),
            other => other.to_string(),
        };
        Self::NoPrometheus {
            url: url.to_owned(),
            reason,
        }
    }
}
