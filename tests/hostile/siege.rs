//! One mesh, one hostile peer, one bystander.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::exposition::Labels;
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT, owned};
use mesh::poll::{self, Look};
use mesh::{Counts, Filter, Mesh, Service};
use mesh::{Envoy, Scratch, Workload, wasm};
use serde_json::{Value, json};

use crate::bystander::{self, Bystander};
use crate::case::Case;
use crate::ledger::Ledger;
use crate::{Result, memory, wire};

const SERVICE: &str = "app";
const LIMIT: Duration = Duration::from_secs(30);
const MIB: u64 = 1 << 20;
/// A frame that takes longer is too late for the labels: on a busy machine any frame may take a while.
const INTERVAL: &str = "500ms";
/// What a client says first where the server is the hostile one.
const ATTACK: &[u8] = b"!";
const TALK: &[u8] = b"?";

/// The filter under siege is at `reporter`'s sidecar; the other sidecar has none, so that the peer
/// can say what it likes over real mTLS.
pub(crate) struct Siege {
    pub(crate) reporter: Reporter,
    mesh: Mesh,
    ledger: Ledger,
    bystander: Bystander,
    script: Arc<Mutex<VecDeque<Vec<u8>>>>,
    before: u64,
    _app: App,
    _scratch: Scratch,
}

impl Siege {
    /// With these limits; `{}` are the defaults.
    pub(crate) fn lay(name: &str, reporter: Reporter, limits: Value) -> Result<Self> {
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let app = match reporter {
            Reporter::Destination => App::start(apps::echo)?,
            Reporter::Source => App::start(server(Arc::clone(&script)))?,
        };
        let mode = if reporter == Reporter::Source {
            "receive"
        } else {
            "auto"
        };
        let besieged = Filter::Configured(json!({
            "tcp_reporting_duration": INTERVAL,
            "peer_exchange": { "mode": mode },
            "limits": limits,
        }));
        let (client, server) = match reporter {
            Reporter::Destination => (Filter::Absent, besieged),
            Reporter::Source => (besieged, Filter::Absent),
        };
        let scratch = Scratch::new(&format!("hostile-{name}-{reporter}"))?;
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
            .client_filter(client)
            .service(service.filter(server))
            .start(&scratch)?;
        let address = mesh.address(SERVICE)?;
        let bystander = match reporter {
            Reporter::Destination => {
                // The filter's own frame rides on the first bytes that come back.
                let greeting = [wire::named(bystander::NAME), TALK.to_vec()].concat();
                Bystander::start(address, &greeting, |stream| {
                    wire::skip_frame(stream)?;
                    stream.read_exact(&mut [0; TALK.len()])
                })?
            }
            Reporter::Source => Bystander::start(address, TALK, |_| Ok(()))?,
        };
        let before = memory::resident(mesh.sidecar(reporter, SERVICE)?)?;
        let mut ledger = Ledger::new(reporter);
        ledger.exchange("exchanged");
        Ok(Self {
            reporter,
            mesh,
            ledger,
            bystander,
            script,
            before,
            _app: app,
            _scratch: scratch,
        })
    }

    /// Plays a case and checks what came of it.
    pub(crate) fn play(&mut self, case: &Case) -> Result {
        self.send(case)?;
        self.expect(case)?;
        self.settled(&case.name)
    }

    /// Plays a case.
    pub(crate) fn send(&self, case: &Case) -> Result {
        let stream = self.connect()?;
        match self.reporter {
            Reporter::Destination => {
                let heard = converse(stream, &case.sends)?;
                let mut echo = heard.as_slice();
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
                lock(&self.script).push_back(case.sends.clone());
                let heard = converse(stream, ATTACK)?;
                assert!(
                    heard == case.passes,
                    "{}: {} bytes passed",
                    case.name,
                    heard.len()
                );
            }
        }
        Ok(())
    }

    /// Notes what a case must come to.
    pub(crate) fn expect(&mut self, case: &Case) -> Result {
        let labels = self.labels(&case.believed)?;
        self.count(case, &labels);
        Ok(())
    }

    /// Notes a case under labels of its own.
    pub(crate) fn count(&mut self, case: &Case, labels: &Labels) {
        self.opens(labels);
        self.ends(case, labels);
    }

    /// Notes a connection that is counted while it is open.
    pub(crate) fn opens(&mut self, labels: &Labels) {
        let counts = Counts {
            opened: 1,
            ..Counts::default()
        };
        self.ledger.connection(labels, counts);
    }

    /// Notes the rest of a case whose connection was counted before.
    pub(crate) fn ends(&mut self, case: &Case, labels: &Labels) {
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
        self.ledger.connection(labels, counts);
        case.results
            .iter()
            .for_each(|result| self.ledger.exchange(result));
        if case.contradicts {
            self.ledger.mismatch();
        }
    }

    /// Notes a connection that was counted under coarser labels.
    pub(crate) fn overflow(&mut self) {
        self.ledger.overflow();
    }

    /// Waits until the exposition holds what it must, and nothing else.
    pub(crate) fn settled(&self, name: &str) -> Result {
        let envoy = self.envoy()?;
        poll::until(&format!("{name}: the exact exposition"), LIMIT, || {
            let metrics = envoy.metrics()?;
            assert!(
                metrics.duplicates().is_empty(),
                "{name}: {:?}",
                metrics.duplicates()
            );
            let difference = self.ledger.difference(&metrics);
            Ok(if difference.is_empty() {
                Look::Found(())
            } else {
                Look::NotYet(difference)
            })
        })?;
        Ok(())
    }

    /// The labels of a connection whose peer is believed this of itself.
    pub(crate) fn labels(&self, believed: &[(&'static str, String)]) -> Result<Labels> {
        let mut labels = self.mesh.labels(self.reporter, SERVICE)?;
        let side = match self.reporter {
            Reporter::Destination => "source",
            Reporter::Source => "destination",
        };
        // What neither the certificate nor the control plane tells.
        labels.extend(owned(
            match self.reporter {
                Reporter::Destination => [
                    ("source_app", "unknown"),
                    ("source_version", "unknown"),
                    ("source_workload", "unknown"),
                    ("source_cluster", "unknown"),
                    ("source_canonical_service", "unknown"),
                    ("source_canonical_revision", "latest"),
                ]
                .as_slice(),
                Reporter::Source => [
                    ("destination_app", "unknown"),
                    ("destination_version", "unknown"),
                ]
                .as_slice(),
            }
            .iter()
            .copied(),
        ));
        let believed = believed
            .iter()
            .map(|(label, value)| (format!("{side}_{label}"), value.clone()));
        labels.extend(believed);
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

    /// How much Envoy has grown since the siege began, in bytes.
    pub(crate) fn growth(&self) -> Result<u64> {
        Ok(memory::resident(self.envoy()?)?.saturating_sub(self.before))
    }

    /// Ends the siege: Envoy grew by no more than `bound` bytes, and the bystander noticed nothing.
    pub(crate) fn lift(self, bound: u64) -> Result {
        let (grown, reporter) = (self.growth()?, self.reporter);
        assert!(grown <= bound, "Envoy grew by {} MiB", grown / MIB);
        let talked = self.bystander.end()?;
        let greeting = TALK.len() as u64;
        let echoed = if reporter == Reporter::Destination {
            greeting
        } else {
            0
        };
        let (received, sent) = (talked + greeting, talked + echoed);
        let expected = [(OPENED, 1), (CLOSED, 1), (RECEIVED, received), (SENT, sent)];
        let selector = match reporter {
            Reporter::Destination => ("source_workload", bystander::NAME),
            Reporter::Source => ("destination_workload", bystander::NAME),
        };
        let envoy = self.mesh.sidecar(reporter, SERVICE)?;
        poll::until("the bystander's counts", LIMIT, || {
            let metrics = envoy.metrics()?;
            let told =
                expected.map(|(metric, _)| (metric, metrics.sum(metric, &[selector]) as u64));
            Ok(if told == expected {
                Look::Found(())
            } else {
                Look::NotYet(format!("{told:?}"))
            })
        })?;
        Ok(())
    }
}

/// Sends, ends the direction, and returns all that comes back. A peer that is cut off is no error.
fn converse(mut stream: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = stream.try_clone()?;
    let request = request.to_vec();
    let sending = std::thread::spawn(move || {
        let sent = writer.write_all(&request);
        sent.and_then(|()| writer.shutdown(Shutdown::Write))
    });
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(late) if late.kind() == io::ErrorKind::WouldBlock => return Err(late),
        _end_or_cut_off => {}
    }
    let _cut_off = sending.join();
    Ok(heard)
}

/// A server that talks with bystanders and attacks the others by the script.
fn server(
    script: Arc<Mutex<VecDeque<Vec<u8>>>>,
) -> impl Fn(&TcpStream) -> io::Result<()> + Send + Sync {
    move |mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        if first == TALK {
            stream.write_all(&wire::named(bystander::NAME))?;
            return apps::echo(stream);
        }
        let sends = lock(&script).pop_front().unwrap_or_default();
        stream.write_all(&sends)?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
