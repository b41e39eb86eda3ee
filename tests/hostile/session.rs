//! One mesh with one hostile peer and one background connection.

use std::io::Read;
use std::net::TcpStream;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::exposition::Labels;
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Filter, Mesh, Service};
use mesh::{Envoy, Scratch, Workload, wasm};
use serde_json::{Value, json};

use crate::background::{self, BackgroundConnection};
use crate::case::Case;
use crate::expected::ExpectedMetrics;
use crate::peer::{self, ATTACK, Script, TALK};
use crate::{memory, wire};

const SERVICE: &str = "app";
const MIB: u64 = 1 << 20;
/// A frame that takes longer is too late for the labels: on a busy machine any frame may take a
/// while.
const INTERVAL: &str = "200ms";

/// The filter under test is at `reporter`'s sidecar. The other sidecar has no filter, so that the
/// hostile peer can send any bytes over real mTLS.
pub(crate) struct HostileSession {
    pub(crate) reporter: Reporter,
    mesh: Mesh,
    expected: ExpectedMetrics,
    background: BackgroundConnection,
    script: Script,
    /// Envoy's resident memory at the start.
    memory: u64,
    _app: App,
    _scratch: Scratch,
}

impl HostileSession {
    /// Starts with these limits of the filter; `{}` are the defaults.
    pub(crate) fn start(name: &str, reporter: Reporter, limits: Value) -> Result<Self> {
        let script = Script::default();
        let (app, mode) = match reporter {
            Reporter::Destination => (App::start(apps::echo)?, "auto"),
            Reporter::Source => (App::start(peer::server(script.clone()))?, "receive"),
        };
        let filter = Filter::Configured(json!({
            "tcp_reporting_duration": INTERVAL,
            "peer_exchange": { "mode": mode },
            "limits": limits,
        }));
        let (client, server) = match reporter {
            Reporter::Destination => (Filter::Absent, filter),
            Reporter::Source => (filter, Filter::Absent),
        };
        let scratch = Scratch::new(&format!("hostile-{name}-{reporter}"))?;
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
            .in_shared_envoys()
            .client_filter(client)
            .service(service.filter(server))
            .start(&scratch)?;
        let background = background(&mesh, reporter)?;
        let memory = memory::resident(mesh.sidecar(reporter, SERVICE)?)?;
        let mut expected = ExpectedMetrics::new(reporter);
        expected.exchange("exchanged");
        Ok(Self {
            reporter,
            mesh,
            expected,
            background,
            script,
            memory,
            _app: app,
            _scratch: scratch,
        })
    }

    /// Plays a case and compares the exposition.
    pub(crate) fn play(&mut self, case: &Case) -> Result {
        self.send(case)?;
        self.expect(case)?;
        self.settled(&case.name)
    }

    /// Plays a case and compares the bytes that pass.
    pub(crate) fn send(&self, case: &Case) -> Result {
        let stream = self.connect()?;
        match self.reporter {
            Reporter::Destination => {
                let received = peer::converse(stream, &case.sends)?;
                let mut echo = received.as_slice();
                if case.is_answered() {
                    wire::skip_frame(&mut echo)?;
                }
                assert!(
                    echo == case.passes,
                    "{}: {} bytes came back",
                    case.name,
                    echo.len()
                );
            }
            Reporter::Source => {
                self.script.push(&case.sends);
                let received = peer::converse(stream, ATTACK)?;
                assert!(
                    received == case.passes,
                    "{}: {} bytes passed",
                    case.name,
                    received.len()
                );
            }
        }
        Ok(())
    }

    /// Expects a case's metrics.
    pub(crate) fn expect(&mut self, case: &Case) -> Result {
        let labels = self.labels(&case.labels)?;
        self.expect_opened(&labels);
        self.expect_ended(case, &labels);
        Ok(())
    }

    /// Expects a connection that is counted while it is open.
    pub(crate) fn expect_opened(&mut self, labels: &Labels) {
        let counts = Counts {
            opened: 1,
            ..Counts::default()
        };
        self.expected.connection(labels, counts);
    }

    /// Expects the rest of a case whose connection is expected as opened.
    pub(crate) fn expect_ended(&mut self, case: &Case, labels: &Labels) {
        let bytes = case.passes.len() as u64;
        let received = match self.reporter {
            Reporter::Destination => bytes,
            Reporter::Source => ATTACK.len() as u64,
        };
        let counts = Counts {
            opened: 0,
            closed: 1,
            received,
            sent: bytes,
        };
        self.expected.connection(labels, counts);
        for result in &case.results {
            self.expected.exchange(result);
        }
        if case.mismatch {
            self.expected.mismatch();
        }
    }

    /// Expects that a connection is counted under coarser labels.
    pub(crate) fn expect_overflow(&mut self) {
        self.expected.overflow();
    }

    /// Waits until the exposition has the expected series and values, and no others.
    pub(crate) fn settled(&self, name: &str) -> Result {
        let envoy = self.envoy()?;
        poll::until(&format!("{name}: the exact exposition"), LIMIT, || {
            let metrics = envoy.metrics()?;
            assert!(
                metrics.duplicates().is_empty(),
                "{name}: {:?}",
                metrics.duplicates()
            );
            let difference = self.expected.difference(&metrics);
            Ok(if difference.is_empty() {
                Look::Found(())
            } else {
                Look::NotYet(difference)
            })
        })?;
        Ok(())
    }

    /// The labels of a connection whose peer has these labels, written without `source_` or
    /// `destination_`.
    pub(crate) fn labels(&self, of_the_peer: &[(&'static str, String)]) -> Result<Labels> {
        let mut labels = self.mesh.labels_without_exchange(self.reporter, SERVICE)?;
        let side = match self.reporter {
            Reporter::Destination => "source",
            Reporter::Source => "destination",
        };
        for (label, value) in of_the_peer {
            labels.insert(format!("{side}_{label}"), value.clone());
        }
        Ok(labels)
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.mesh.address(SERVICE)?)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    }

    pub(crate) fn envoy(&self) -> Result<&Envoy> {
        Ok(self.mesh.sidecar(self.reporter, SERVICE)?)
    }

    /// The growth of Envoy's resident memory since the start, in bytes.
    pub(crate) fn growth(&self) -> Result<u64> {
        Ok(memory::resident(self.envoy()?)?.saturating_sub(self.memory))
    }

    /// Ends the session: Envoy's memory grew by no more than `bound` bytes, and all bytes of the
    /// background connection arrived and were counted.
    pub(crate) fn end(self, bound: u64) -> Result {
        let (growth, reporter) = (self.growth()?, self.reporter);
        assert!(growth <= bound, "Envoy grew by {} MiB", growth / MIB);
        let payload = self.background.end()?;
        let greeting = TALK.len() as u64;
        let (label, echoed) = match reporter {
            Reporter::Destination => ("source_workload", greeting),
            Reporter::Source => ("destination_workload", 0),
        };
        let expected = [
            (OPENED, 1),
            (CLOSED, 1),
            (RECEIVED, payload + greeting),
            (SENT, payload + echoed),
        ];
        let envoy = self.mesh.sidecar(reporter, SERVICE)?;
        poll::until("the counts of the background connection", LIMIT, || {
            let metrics = envoy.metrics()?;
            let reported = expected.map(|(metric, _)| {
                let sum = metrics.sum(metric, &[(label, background::NAME)]);
                (metric, sum as u64)
            });
            Ok(if reported == expected {
                Look::Found(())
            } else {
                Look::NotYet(format!("{reported:?}"))
            })
        })?;
        Ok(())
    }
}

/// Starts the background connection. Its client or, at the source, its server is named
/// [`background::NAME`].
fn background(mesh: &Mesh, reporter: Reporter) -> Result<BackgroundConnection> {
    let address = mesh.address(SERVICE)?;
    match reporter {
        Reporter::Destination => {
            let greeting = [wire::named(background::NAME), TALK.to_vec()].concat();
            BackgroundConnection::start(address, &greeting, |stream| {
                // The filter's own frame precedes the first bytes that come back.
                wire::skip_frame(stream)?;
                stream.read_exact(&mut [0; TALK.len()])
            })
        }
        Reporter::Source => BackgroundConnection::start(address, TALK, |_| Ok(())),
    }
}
