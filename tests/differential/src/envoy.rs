//! Scenarios in real Envoy: one Envoy runs many scenarios, step by step, each with its own listener
//! and VM.

mod bootstrap;
mod socket;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::thread;

use envoy_stage::{BARRIER, Barrier, PluginLog};
use mesh::EnvoyBinary;
use mesh::bootstrap::Bootstrap;
use mesh::{Envoy, Scratch};

use self::socket::Socket;
use crate::error::{Error, Result};
use crate::normal;
use crate::observed::{Observed, Segment};
use crate::scenario::{self, Scenario, Step};

/// A running Envoy with a listener for each scenario of a batch.
pub(crate) struct Batch<'a> {
    scenarios: &'a [Scenario],
    envoy: Envoy,
    log: PluginLog,
    barrier: Barrier,
    /// The listener of the server application, which is the cluster's endpoint.
    server: TcpListener,
    _scratch: Scratch,
}

/// The addresses of a run in Envoy, which the harness uses too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    /// The local address of the client.
    pub(crate) client: SocketAddr,
    /// The address of the proxy's listener.
    pub(crate) listener: SocketAddr,
    /// The address of the server.
    pub(crate) server: SocketAddr,
}

impl<'a> Batch<'a> {
    /// Starts an Envoy with one listener for each scenario.
    ///
    /// # Errors
    /// Envoy does not start. The message has the end of its log.
    pub(crate) fn start(
        binary: &EnvoyBinary,
        probe: &Path,
        scenarios: &'a [Scenario],
    ) -> Result<Self> {
        let socket = |what| {
            move |source| Error::Socket {
                scenario: "any".into(),
                what,
                source,
            }
        };
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(socket("listen"))?;
        server.set_nonblocking(true).map_err(socket("listen"))?;
        let address = server.local_addr().map_err(socket("listen"))?;
        let document = bootstrap::document(probe, scenarios, address);
        let bootstrap = Bootstrap::parse(&document.to_string())?;
        // A new folder, because the file with an earlier Envoy's admin address would be read as
        // this one's.
        let scratch = Scratch::new("differential")?;
        let envoy = Envoy::start(binary, "batch", bootstrap.document(), 1, scratch.path())?;
        let log = PluginLog::open(&envoy).map_err(socket("read Envoy's log"))?;
        let barrier =
            Barrier::connect(envoy.listener(BARRIER)?).map_err(socket("connect the barrier"))?;
        Ok(Self {
            scenarios,
            envoy,
            log,
            barrier,
            server,
            _scratch: scratch,
        })
    }

    /// Runs the scenario at this index.
    ///
    /// # Errors
    /// Envoy exited, or an operation on a socket failed.
    pub(crate) fn run(&mut self, index: usize) -> Result<Option<(Observed, Addresses)>> {
        let Some(scenario) = self.scenarios.get(index) else {
            return Ok(None);
        };
        let mut run = Run::start(self, index, scenario)?;
        for (step, following) in pairs(&scenario.steps) {
            run.step(step, following)?;
        }
        run.finish().map(Some)
    }
}

/// Each step with the time that passes after it.
fn pairs(steps: &[Step]) -> impl Iterator<Item = (&Step, Option<&Step>)> {
    let following = steps.iter().skip(1).map(Some).chain([None]);
    steps.iter().zip(following)
}

/// A running scenario.
struct Run<'b, 'a> {
    batch: &'b mut Batch<'a>,
    scenario: &'a Scenario,
    id: String,
    client: Socket,
    server: Socket,
    addresses: Addresses,
    segments: Vec<Segment>,
}

impl<'b, 'a> Run<'b, 'a> {
    fn start(batch: &'b mut Batch<'a>, index: usize, scenario: &'a Scenario) -> Result<Self> {
        let failed = |what| {
            move |source| Error::Socket {
                scenario: scenario.name.clone(),
                what,
                source,
            }
        };
        let id = scenario::id(index);
        let listener = batch.envoy.listener(&id)?;
        // Waits for events of the previous scenario.
        batch.barrier.wait().map_err(failed("wait for Envoy"))?;
        while batch.server.accept().is_ok() {}
        let (client, address) = Socket::connect(listener).map_err(failed("connect"))?;
        let server = batch.server.local_addr().map_err(failed("listen"))?;
        let mut run = Self {
            batch,
            scenario,
            id,
            client,
            server: Socket::default(),
            addresses: Addresses {
                client: address,
                listener,
                server,
            },
            segments: Vec::new(),
        };
        run.observe("the client connects".into())?;
        Ok(run)
    }

    /// Performs a step and records its effects, unless time must pass first.
    fn step(&mut self, step: &Step, following: Option<&Step>) -> Result<()> {
        let done = match step {
            Step::Client(act) => self.client.act(act),
            Step::Server(act) => self.server.act(act),
            Step::AtOnce { client, server } => {
                let acted = self.client.act(client);
                acted.and_then(|()| self.server.act(server))
            }
            Step::Advance(time) => {
                thread::sleep(*time);
                Ok(())
            }
        };
        done.map_err(|source| self.failed("act", source))?;
        match (step, following) {
            (Step::Advance(_), _) => self.observe_again(),
            (_, Some(Step::Advance(_))) => {
                self.segments.push(Segment {
                    cause: step.to_string(),
                    ..Segment::default()
                });
                Ok(())
            }
            _ => self.observe(step.to_string()),
        }
    }

    fn observe(&mut self, cause: String) -> Result<()> {
        self.segments.push(Segment {
            cause,
            ..Segment::default()
        });
        self.observe_again()
    }

    /// Waits until Envoy is idle and adds the effects to the last segment.
    fn observe_again(&mut self) -> Result<()> {
        let settled = self.settle();
        settled.map_err(|source| self.failed("look", source))
    }

    fn settle(&mut self) -> std::io::Result<()> {
        self.batch.barrier.wait()?;
        let connected = !self.server.is_connected() && self.accept()?;
        let Some(segment) = self.segments.last_mut() else {
            return Ok(());
        };
        segment.server.connected |= connected;
        self.client.drain(&mut segment.client)?;
        self.server.drain(&mut segment.server)?;
        segment.lines.extend(self.batch.log.take(&self.id)?);
        Ok(())
    }

    fn accept(&mut self) -> std::io::Result<bool> {
        match self.batch.server.accept() {
            Ok((stream, _)) => {
                self.server = Socket::accepted(stream)?;
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn finish(self) -> Result<(Observed, Addresses)> {
        // The first request makes Envoy merge the histograms of its workers, the next one returns
        // them.
        self.batch.envoy.prometheus_text()?;
        let merged = self.batch.barrier.wait();
        merged.map_err(|source| self.failed("wait for Envoy", source))?;
        let text = self.batch.envoy.prometheus_text()?;
        let observed = Observed {
            segments: self.segments,
            metrics: normal::metrics(&text, &self.id),
        };
        Ok((normal::observed(observed, &self.id), self.addresses))
    }

    fn failed(&self, what: &'static str, source: std::io::Error) -> Error {
        Error::Socket {
            scenario: self.scenario.name.clone(),
            what,
            source,
        }
    }
}
