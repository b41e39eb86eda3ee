//! `cargo live`: a page that shows the current state of a mesh, from its Prometheus: who talks to
//! whom and since when, rates, security, and the health of the exchange.
//!
//! It reads `istio_tcp_*` by PromQL, so it shows any mesh with these metrics, also Istio's own.
//! `/graph.json` has the same data.

mod error;
mod http;
mod names;
mod queries;
mod watched;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Parser;
use mesh::acceptor::Acceptor;
use mesh::error::Context;
use mesh::progress::say;

use self::http::{Page, Request};
use self::watched::{Mesh, Watched};

pub use self::error::{Error, Result};

/// The longest pause between two looks. A shorter one is an eighth of the period of rates.
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const PARTS: u32 = 8;

const PAGES: [Page<'_>; 6] = [
    Page::html("/", include_str!("live/page/index.html")),
    Page::css("/style.css", include_str!("live/page/style.css")),
    Page::script("/live.js", include_str!("live/page/live.js")),
    Page::script("/draw.js", include_str!("live/page/draw.js")),
    Page::script("/layout.js", include_str!("live/page/layout.js")),
    Page::script("/units.js", include_str!("live/page/units.js")),
];

/// The path of the data.
const GRAPH: &str = "/graph.json";

/// A page with the TCP connections of a mesh, from the istio_tcp_* metrics in its Prometheus: who
/// talks to whom and since when, rates, security, and the health of the exchange
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo live", bin_name = "cargo live")]
pub struct Options {
    /// The URL of Prometheus
    #[arg(long, value_name = "URL", default_value = "http://localhost:9090")]
    pub prometheus: String,

    /// The period of rates, in seconds: four or more intervals of the scrape
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(2..))]
    pub window: u32,

    /// The port on 127.0.0.1; the system picks one by default
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

/// Serves the page until Ctrl-C.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    let window = Duration::from_secs(options.window.into());
    match Live::start_at(options.port, &options.prometheus, window) {
        Ok(live) => {
            // The reader may have closed the pipe.
            let _gone = writeln!(io::stdout(), "{}", live.url());
            loop {
                thread::park();
            }
        }
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::FAILURE
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
    /// Asks a Prometheus and serves the page on a port that the system picks.
    ///
    /// # Errors
    /// It does not answer or has no such metrics, or the page cannot be served.
    pub fn start(prometheus: &str, window: Duration) -> Result<Self> {
        Self::start_at(0, prometheus, window)
    }

    fn start_at(port: u16, prometheus: &str, window: Duration) -> Result<Self> {
        let mut watched = Watched::new(prometheus, window);
        let mesh = Arc::new(Mutex::new(watched.look()?));
        let ending = Arc::new(AtomicBool::new(false));

        let shown = Arc::clone(&mesh);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Acceptor::start_at(address, move |stream| {
            // A browser may disconnect at any time.
            let _gone = Request::read(&stream).and_then(|request| match request.path() {
                GRAPH => request.answer(&Page::json(GRAPH, &json(&lock(&shown)))),
                path => match PAGES.iter().find(|page| page.path == path) {
                    Some(page) => request.answer(page),
                    None => request.refuse("404 Not Found"),
                },
            });
        })?;

        let end = Arc::clone(&ending);
        let interval = (window / PARTS).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
        let watcher = thread::Builder::new()
            .name("live".into())
            .spawn(move || {
                while !end.load(Ordering::SeqCst) {
                    thread::park_timeout(interval);
                    match watched.look() {
                        Ok(seen) => *lock(&mesh) = seen,
                        // What was seen before stays on the page.
                        Err(error) => lock(&mesh).error = Some(error.to_string()),
                    }
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

fn lock(mesh: &Mutex<Mesh>) -> MutexGuard<'_, Mesh> {
    mesh.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(mesh: &Mesh) -> String {
    // Strings and finite numbers always have a JSON form.
    serde_json::to_string(mesh).unwrap_or_default()
}
