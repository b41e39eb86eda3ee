//! One sidecar, and the frames of its peers.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use host_harness::scenario::{Emulated, NodeSpec, Scenario, Side};
use host_harness::{Connection, Event, Module, Node, Sidecar};

use crate::Error;
use crate::cost::{Costs, costs};

/// The reporting interval of `mesh.yaml`.
const INTERVAL: Duration = Duration::from_secs(15);
/// The message of the applications.
const MESSAGE: &[u8] = b"some sixty-four bytes of a request, or of what answers to that..";

/// A running sidecar and the exchange frames of its peers: the first bytes from the peer's side.
pub struct Bench {
    side: Side,
    sidecar: Sidecar,
    frames: Vec<Vec<u8>>,
}

impl Bench {
    /// Starts a sidecar of `mesh.yaml` with a filter and the frames of these peers.
    ///
    /// # Errors
    /// The filter does not start.
    pub fn start(side: Side, module: &Module, peers: &Peers) -> Result<Self, Error> {
        Self::start_in(scenario()?, side, module, peers)
    }

    /// Starts a sidecar of `mesh.yaml` without TLS.
    ///
    /// # Errors
    /// The filter does not start.
    pub fn start_plaintext(side: Side, module: &Module) -> Result<Self, Error> {
        let mut scenario = scenario()?;
        scenario.mtls = None;
        Self::start_in(scenario, side, module, &Peers::default())
    }

    fn start_in(
        mut scenario: Scenario,
        side: Side,
        module: &Module,
        peers: &Peers,
    ) -> Result<Self, Error> {
        match side {
            Side::Outbound => scenario.inbound = None,
            Side::Inbound => scenario.outbound = None,
        }
        let stage = Emulated::start(&scenario, module)?;
        let sidecars = stage.sidecars();
        let (_, sidecar) = sidecars.first().ok_or_else(|| no_sidecar(side))?;
        Ok(Self {
            side,
            sidecar: Sidecar::clone(sidecar),
            frames: peers.frames(side),
        })
    }

    /// The running sidecar.
    pub fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Opens a connection of the n-th peer and exchanges frames: the client sends its frame and one
    /// message, then the server does.
    ///
    /// # Errors
    /// Bytes did not arrive.
    pub fn exchange(&self, peer: usize) -> Result<Connection, Error> {
        let connection = self.sidecar.connect();
        let frame = self.frames.get(peer % self.frames.len().max(1));
        let greeting = [frame.map_or(&[][..], Vec::as_slice), MESSAGE].concat();
        let own = match self.side {
            Side::Inbound => {
                connection.client.write(greeting);
                connection.server.write(MESSAGE);
                connection.server.take().len()
            }
            Side::Outbound => {
                connection.client.write(MESSAGE);
                connection.server.write(greeting);
                connection.client.take().len()
            }
        };
        // The other direction starts with the sidecar's own frame, whose length is unknown here.
        match own == MESSAGE.len() || self.frames.is_empty() {
            true => Ok(connection),
            false => Err(Error::Lost {
                what: "an exchange",
                sent: MESSAGE.len(),
                arrived: own,
            }),
        }
    }

    /// Opens connections of all peers in turn and exchanges frames.
    ///
    /// # Errors
    /// See [`Self::exchange`].
    pub fn open(&self, count: usize) -> Result<Vec<Connection>, Error> {
        (0..count).map(|n| self.exchange(n)).collect()
    }

    /// Plays a whole connection: open, exchange, this number of messages in each direction, close.
    ///
    /// # Errors
    /// See [`Self::exchange`].
    pub fn whole(&self, peer: usize, messages: usize) -> Result<(), Error> {
        let connection = self.exchange(peer)?;
        (0..messages).try_for_each(|_| self.talk(&connection))?;
        self.close(&connection);
        Ok(())
    }

    /// Sends one message in each direction.
    ///
    /// # Errors
    /// Bytes did not arrive.
    pub fn talk(&self, connection: &Connection) -> Result<(), Error> {
        for (from, to) in [
            (&connection.client, &connection.server),
            (&connection.server, &connection.client),
        ] {
            to.take();
            from.write(MESSAGE);
            let arrived = to.take().len();
            if arrived != MESSAGE.len() {
                return Err(Error::Lost {
                    what: "a message",
                    sent: MESSAGE.len(),
                    arrived,
                });
            }
        }
        Ok(())
    }

    /// Opens and closes connections of all peers in turn, one after the other, with an exchange on
    /// each.
    ///
    /// # Errors
    /// See [`Self::exchange`].
    pub fn come_and_go(&self, count: usize) -> Result<(), Error> {
        (0..count).try_for_each(|n| {
            self.close(&self.exchange(n)?);
            Ok(())
        })
    }

    /// Ends the connection from both applications.
    pub fn close(&self, connection: &Connection) {
        connection.client.end();
        connection.server.end();
    }

    /// Advances the clock by a reporting interval.
    pub fn tick(&self) {
        self.sidecar.advance(INTERVAL);
    }

    /// Measures the costs of the callbacks during `act`.
    ///
    /// # Errors
    /// `act` failed, or the filter trapped.
    pub fn cost(&self, act: impl FnOnce() -> Result<(), Error>) -> Result<Costs, Error> {
        Ok(costs(&self.trace(act)?))
    }

    /// The callbacks and host calls during `act`.
    ///
    /// # Errors
    /// `act` failed, or the filter trapped.
    pub fn trace(&self, act: impl FnOnce() -> Result<(), Error>) -> Result<Vec<Event>, Error> {
        self.sidecar.record_trace();
        self.sidecar.take_trace();
        act()?;
        let trace = self.sidecar.take_trace();
        match self.sidecar.failure() {
            Some(failure) => Err(Error::Trap(failure)),
            None => Ok(trace),
        }
    }
}

/// The exchange frames that sidecars of different workloads write.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    clients: Vec<Vec<u8>>,
    servers: Vec<Vec<u8>>,
}

impl Peers {
    /// The frames of `count` clients and `count` servers with different workloads, written by
    /// sidecars with this filter.
    ///
    /// # Errors
    /// The filter does not start.
    pub fn of(module: &Module, count: usize) -> Result<Self, Error> {
        let scenario = scenario()?;
        let frames = |side| -> Result<Vec<_>, Error> {
            let spec = scenario.sidecar(side).ok_or_else(|| no_sidecar(side))?;
            (0..count).map(|n| frame(module, &spec.node, n)).collect()
        };
        Ok(Self {
            clients: frames(Side::Outbound)?,
            servers: frames(Side::Inbound)?,
        })
    }

    /// The frames that a sidecar of this side receives.
    fn frames(&self, side: Side) -> Vec<Vec<u8>> {
        match side {
            Side::Outbound => self.servers.clone(),
            Side::Inbound => self.clients.clone(),
        }
    }
}

/// The frame that the sidecar of the n-th workload writes in front of the first byte.
fn frame(module: &Module, node: &NodeSpec, n: usize) -> Result<Vec<u8>, Error> {
    let mut metadata = node.metadata.clone();
    if n > 0
        && let Some(name) = metadata.get_mut("WORKLOAD_NAME")
    {
        *name = format!("{}-{n}", name.as_str().unwrap_or_default()).into();
    }
    let sidecar = Sidecar::outbound(module)
        .node(Node::new(&node.id).metadata(metadata))
        .plugin_config(r#"{ "peer_exchange": { "mode": "on" } }"#)
        .start()?;
    let connection = sidecar.connect();
    connection.client.write(MESSAGE);
    let mut written = connection.server.take();
    written.truncate(written.len().saturating_sub(MESSAGE.len()));
    Ok(written)
}

fn file() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/mesh.yaml"))
}

fn scenario() -> Result<Scenario, Error> {
    Ok(Scenario::read(file())?)
}

fn no_sidecar(side: Side) -> Error {
    let side = match side {
        Side::Outbound => "outbound",
        Side::Inbound => "inbound",
    };
    Error::NoSidecar(file().to_owned(), side)
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sidecar", self.side)
    }
}
