//! A page that shows the current state of the mesh: its links, their traffic and their security.
//!
//! It shows only the metrics of the running sidecars, and needs only a browser on this machine.
//! `/graph.json` has the same data.

mod edges;
mod http;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::edges::Watched;
use self::http::{Page, Request};
use mesh::acceptor::Acceptor;
use mesh::envoy::Envoy;
use mesh::error::{Context, Result};

const INTERVAL: Duration = Duration::from_secs(1);

const PAGES: [Page; 6] = [
    Page::html("/", include_str!("live/page/index.html")),
    Page::css("/style.css", include_str!("live/page/style.css")),
    Page::script("/live.js", include_str!("live/page/live.js")),
    Page::script("/draw.js", include_str!("live/page/draw.js")),
    Page::script("/layout.js", include_str!("live/page/layout.js")),
    Page::script("/units.js", include_str!("live/page/units.js")),
];

/// The path of the data.
const GRAPH: &str = "/graph.json";

/// A sidecar that the page shows.
#[derive(Clone, Debug)]
pub struct Source {
    /// The workload's name.
    pub name: String,
    /// The URL of its Prometheus exposition.
    pub metrics: String,
}

impl From<&Envoy> for Source {
    fn from(envoy: &Envoy) -> Self {
        Self {
            name: envoy.name().to_owned(),
            metrics: envoy.url("/stats/prometheus"),
        }
    }
}

/// The server of the page, on loopback. Dropping it stops the server.
#[derive(Debug)]
pub struct Live {
    server: Acceptor,
    ending: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Live {
    /// Scrapes these sidecars and serves the page on a port that the system picks.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start(sources: impl IntoIterator<Item = Source>) -> Result<Self> {
        let mut watched = Watched::new(sources.into_iter().collect());
        let graph = Arc::new(Mutex::new(watched.look(Instant::now())));
        let ending = Arc::new(AtomicBool::new(false));

        let answer = Arc::clone(&graph);
        let server = Acceptor::start(move |stream| {
            let graph = || lock(&answer).clone();
            // A browser may disconnect at any time.
            let _gone = Request::read(&stream).and_then(|request| match request.path() {
                GRAPH => request.answer(&Page::json(GRAPH, &graph())),
                path => match PAGES.iter().find(|page| page.path == path) {
                    Some(page) => request.answer(page),
                    None => request.refuse("404 Not Found"),
                },
            });
        })?;

        let end = Arc::clone(&ending);
        let watcher = thread::Builder::new()
            .name("live".into())
            .spawn(move || {
                while !end.load(Ordering::SeqCst) {
                    thread::park_timeout(INTERVAL);
                    let seen = watched.look(Instant::now());
                    *lock(&graph) = seen;
                }
            })
            .context(|| "cannot start a thread")?;
        Ok(Self {
            server,
            ending,
            watcher: Some(watcher),
        })
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if let Some(watcher) = self.watcher.take() {
            watcher.thread().unpark();
            let _ended = watcher.join();
        }
    }
}

fn lock(graph: &Mutex<String>) -> std::sync::MutexGuard<'_, String> {
    graph.lock().unwrap_or_else(PoisonError::into_inner)
}
