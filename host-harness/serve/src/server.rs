//! A running proxy.

use crate::accept;
use crate::admin::{self, Admin};
use crate::config::{Bootstrap, Config, ConfigError};
use crate::plugins::{PluginError, Plugins};
use host_harness::LogLine;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// The longest time without a look at the clock and the log.
const LOOK: Duration = Duration::from_millis(20);

/// A proxy that serves a bootstrap on a thread of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    listening: Listening,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Default)]
struct Listening {
    listeners: BTreeMap<String, SocketAddr>,
    admin: Option<SocketAddr>,
}

/// Why a bootstrap is not served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The bootstrap is wrong, or asks for what is not supported.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A filter does not start.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({what}): {source}")]
    Bind {
        /// The listener, or the admin address.
        what: String,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The system has no thread or event queue for it.
    #[error("cannot start the proxy's thread: {0}")]
    Thread(#[from] io::Error),
    /// The thread ended before it could tell why.
    #[error("the proxy's thread ended")]
    Ended,
}

impl Server {
    /// Starts every filter, with `concurrency` VMs each, listens, and then returns. Warnings and what the filters log are
    /// handed to `log` line by line.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn start(
        bootstrap: Bootstrap,
        concurrency: usize,
        log: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, ServeError> {
        let (started, listening) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let body = move || {
            let served = LocalSet::new();
            let run = async {
                match Proxy::start(&bootstrap, concurrency, log).await {
                    Ok((proxy, listening)) => {
                        // Whoever started it may have gone.
                        let _gone = started.send(Ok(listening));
                        tokio::select! {
                            () = proxy.watch() => {}
                            _ = stopped => {}
                        }
                    }
                    Err(error) => {
                        let _gone = started.send(Err(error));
                    }
                }
            };
            match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => served.block_on(&runtime, run),
                Err(error) => {
                    let _gone = started.send(Err(ServeError::Thread(error)));
                }
            }
        };
        let thread = thread::Builder::new().name("proxy".into()).spawn(body)?;
        let listening = listening.recv().map_err(|_| ServeError::Ended)??;
        Ok(Self {
            listening,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where a listener listens.
    pub fn listener(&self, name: &str) -> Option<SocketAddr> {
        self.listening.listeners.get(name).copied()
    }

    /// All listeners by name.
    pub fn listeners(&self) -> &BTreeMap<String, SocketAddr> {
        &self.listening.listeners
    }

    /// The admin address, if the bootstrap has one.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.listening.admin
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported.
            let _ended = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ended = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// What runs on the thread.
struct Proxy<L> {
    plugins: Rc<Plugins>,
    log: L,
}

impl<L: FnMut(&str)> Proxy<L> {
    async fn start(
        bootstrap: &Bootstrap,
        concurrency: usize,
        mut log: L,
    ) -> Result<(Self, Listening), ServeError> {
        let config = bootstrap.load()?;
        for warning in &config.warnings {
            log(&format!("[warning] {warning}"));
        }
        let plugins = Rc::new(Plugins::start(&config, concurrency)?);
        let mut proxy = Self { plugins, log };
        proxy.pass_on_logs();
        let listening = proxy.listen(config).await?;
        Ok((proxy, listening))
    }

    async fn listen(&self, config: Config) -> Result<Listening, ServeError> {
        let mut listening = Listening::default();
        let mut sockets = Vec::new();
        for listener in config.listeners {
            let what = format!("listener {}", listener.name);
            let (socket, address) = bind(listener.address, &what).await?;
            listening.listeners.insert(listener.name.clone(), address);
            sockets.push((Rc::new(listener), socket));
        }
        if let Some(address) = config.admin {
            let (socket, address) = bind(address, "admin").await?;
            listening.admin = Some(address);
            let admin = Admin {
                listeners: listening.listeners.clone(),
                plugins: self.plugins.clone(),
            };
            spawn_local(admin::serve(Rc::new(admin), socket));
        }
        for (listener, socket) in sockets {
            spawn_local(accept::listen(listener, socket, self.plugins.clone()));
        }
        Ok(listening)
    }

    /// Delivers ticks and passes the log on, for ever.
    async fn watch(mut self) {
        loop {
            sleep(self.plugins.next_tick().unwrap_or(LOOK).min(LOOK)).await;
            self.plugins.catch_up();
            self.pass_on_logs();
        }
    }

    fn pass_on_logs(&mut self) {
        for line in self.plugins.take_logs() {
            let LogLine {
                level,
                plugin,
                message,
                ..
            } = line;
            let line = match plugin.as_str() {
                "" => format!("[{level}] wasm: {message}"),
                plugin => format!("[{level}] wasm log {plugin}: {message}"),
            };
            (self.log)(&line);
        }
    }
}

async fn bind(address: SocketAddr, what: &str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Bind {
        what: what.to_owned(),
        address,
        source,
    };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    Ok((socket, address))
}
