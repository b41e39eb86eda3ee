//! Scenarios in the host harness.

use std::time::Duration;

use host_harness::{App, Cluster, Connection, Module, Node, Profile, Sidecar, UpstreamHost};

use crate::envoy::Addresses;
use crate::error::{Error, Result};
use crate::normal;
use crate::observed::{Arrived, Observed, Segment};
use crate::scenario::{self, Act, Scenario, Step};

/// Runs a scenario as the `index`-th of a run, with the addresses that it had in Envoy.
/// `server_first`: an item of [`Scenario::orders`].
///
/// # Errors
/// The filter rejects the script.
pub(crate) fn run(
    module: &Module,
    profile: Profile,
    scenario: &Scenario,
    index: usize,
    addresses: &Addresses,
    server_first: &[bool],
) -> Result<Observed> {
    let id = scenario::id(index);
    let sidecar = Sidecar::outbound(module)
        .profile(profile)
        .plugin(&id, "", &id)
        .plugin_config(scenario.configuration(index))
        .node(Node::new("probe").cluster("probe"))
        .upstream_connect_mode(scenario.connect_mode)
        .max_early_data_bytes(scenario::EARLY_DATA)
        .cluster(Cluster::new("server"))
        .upstream_host(UpstreamHost::new(addresses.server.to_string()))
        .addresses(addresses.client.to_string(), addresses.listener.to_string())
        .start()
        .map_err(|source| Error::Start {
            scenario: scenario.name.clone(),
            source,
        })?;
    let connection = sidecar.connect();
    let mut run = Run {
        client: Seen::of(&connection.client),
        server: Seen::of(&connection.server),
        connected: false,
        connection,
        sidecar,
        logged: 0,
        segments: Vec::new(),
    };
    run.observe("the client connects".into());
    let mut server_first = server_first.iter().copied();
    for step in &scenario.steps {
        run.step(step, &mut server_first);
    }
    let observed = Observed {
        metrics: normal::metrics(&run.sidecar.prometheus_text(), &id),
        segments: run.segments,
    };
    Ok(normal::observed(observed, &id))
}

struct Run {
    sidecar: Sidecar,
    connection: Connection,
    client: Seen,
    server: Seen,
    connected: bool,
    /// The number of log lines that were read.
    logged: usize,
    segments: Vec<Segment>,
}

impl Run {
    fn step(&mut self, step: &Step, server_first: &mut impl Iterator<Item = bool>) {
        match step {
            Step::Client(act) => self.client.act(act),
            Step::Server(act) => self.act_of_server(act),
            Step::AtOnce { client, server } if server_first.next() == Some(true) => {
                self.act_of_server(server);
                self.client.act(client);
            }
            Step::AtOnce { client, server } => {
                let connected = self.connected;
                self.client.act(client);
                if connected {
                    self.act_of_server(server);
                }
            }
            Step::Advance(time) => return self.advance(*time),
        }
        self.observe(step.to_string());
    }

    /// Before it is connected, the server application does not act.
    fn act_of_server(&mut self, act: &Act) {
        if self.connected {
            self.server.act(act);
        }
    }

    fn advance(&mut self, time: Duration) {
        self.sidecar.advance(time);
        self.observe_again();
    }

    fn observe(&mut self, cause: String) {
        self.segments.push(Segment {
            cause,
            ..Segment::default()
        });
        self.observe_again();
    }

    fn observe_again(&mut self) {
        let logs = self.sidecar.logs();
        let Some(segment) = self.segments.last_mut() else {
            return;
        };
        let new = logs.iter().skip(self.logged);
        // Context 0 is the harness itself.
        let of_the_filter = new.filter(|line| line.context != 0);
        segment
            .lines
            .extend(of_the_filter.map(|line| line.message.clone()));
        self.logged = logs.len();
        let connected = self.connection.reached_server();
        segment.server.connected |= connected && !std::mem::replace(&mut self.connected, connected);
        self.client.drain(&mut segment.client);
        self.server.drain(&mut segment.server);
    }
}

/// An application, and its events that were already observed.
struct Seen {
    app: App,
    closed: bool,
    end: bool,
    reset: bool,
}

impl Seen {
    fn of(app: &App) -> Self {
        Self {
            app: app.clone(),
            closed: false,
            end: false,
            reset: false,
        }
    }

    fn act(&mut self, act: &Act) {
        if self.closed || self.reset {
            return;
        }
        match act {
            Act::Write(bytes) => self.app.write(bytes),
            Act::WriteAndEnd(bytes) => self.app.write_and_end(bytes),
            Act::End => self.app.end(),
            Act::Close => self.app.close(),
            Act::Reset => self.app.reset(),
        }
        self.closed |= matches!(act, Act::Close | Act::Reset);
    }

    fn drain(&mut self, arrived: &mut Arrived) {
        if self.closed {
            return;
        }
        arrived.bytes.extend(self.app.read());
        arrived.end |= self.app.saw_end() && !self.end;
        arrived.reset |= self.app.saw_reset() && !self.reset;
        self.end |= self.app.saw_end();
        self.reset |= self.app.saw_reset();
    }
}
