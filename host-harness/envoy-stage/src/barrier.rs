//! Waiting until an Envoy is idle, and checking whether it hangs.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

/// The name of [`Barrier::listener`].
pub const BARRIER: &str = "barrier";

/// A connection that an Envoy with one worker echoes: when a byte is back, the worker has handled
/// all earlier events.
pub struct Barrier(TcpStream);

/// The number of echoes to wait for. Reading, forwarding, accepting and closing take one iteration
/// of the event loop each, and some defer work to the next.
const ECHOES_UNTIL_IDLE: usize = 6;

/// The time limit of an echo, for a busy machine.
const ANSWER: Duration = Duration::from_secs(10);

impl Barrier {
    /// The listener that echoes, for the bootstrap.
    #[must_use]
    pub fn listener() -> Value {
        json!({
            "name": BARRIER,
            // Its connections are not those of other listeners.
            "stat_prefix": BARRIER,
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
            "filter_chains": [{ "filters": [{
                "name": "echo",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo",
                },
            }] }],
        })
    }

    /// Connects to the listener.
    ///
    /// # Errors
    /// The connection fails.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::within(ANSWER, address)
    }

    /// Connects likewise, and waits for each echo for at most this time.
    pub(crate) fn within(limit: Duration, address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        Ok(Self(stream))
    }

    /// Waits until the worker has handled all events and their consequences.
    ///
    /// # Errors
    /// The Envoy does not echo.
    pub fn wait(&mut self) -> io::Result<()> {
        (0..ECHOES_UNTIL_IDLE).try_for_each(|_| self.echo())
    }

    /// Waits for one echo.
    ///
    /// # Errors
    /// The Envoy does not echo.
    pub fn echo(&mut self) -> io::Result<()> {
        self.0.write_all(b"?")?;
        self.0.read_exact(&mut [0])
    }
}
