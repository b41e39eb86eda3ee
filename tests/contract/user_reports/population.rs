//! Connections of many kinds.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::envoy::Envoy;
use mesh::exposition::Exposition;
use mesh::labels::{CLOSED, OPENED, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Mesh, Service};
use mesh::{Scratch, Workload, wasm};
use serde_json::json;
use socket2::SockRef;

use crate::pair::{at, greet};

/// Answers each line, or executes the command in it.
const LINES: &str = "lines";
/// Sends first, then echoes.
const GREETER: &str = "greeter";
/// Has a sidecar whose application is down.
const DOWN: &str = "down";
/// Has no host.
const BLACKHOLE: &str = "blackhole";

/// One client and four services.
pub(super) struct Population {
    mesh: Mesh,
    _apps: [App; 2],
    _scratch: Scratch,
}

impl Population {
    pub(super) fn start(name: &str, workers: u32) -> Result<Self> {
        let scratch = Scratch::new(name)?;
        let apps = [
            App::start(execute)?,
            App::start(apps::greeting(b"greeting"))?,
        ];
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
            .in_shared_envoys()
            .concurrency(workers)
            .service(service(LINES, apps[0].address()))
            .service(service(GREETER, apps[1].address()))
            .service(service(DOWN, nobody))
            .service(service(BLACKHOLE, nobody))
            .edit_client(|bootstrap| {
                let last = at(bootstrap, "/static_resources/clusters/3/load_assignment");
                last["endpoints"] = json!([]);
            })
            .start(&scratch)?;
        Ok(Self {
            mesh,
            _apps: apps,
            _scratch: scratch,
        })
    }

    pub(super) fn connect(&self, service: &str) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.mesh.address(service)?)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    }

    /// A connection to `lines` on which this line was sent.
    pub(super) fn send(&self, line: &[u8]) -> Result<TcpStream> {
        let mut stream = self.connect(LINES)?;
        stream.write_all(line)?;
        Ok(stream)
    }

    /// Plays every kind of connection. Returns those that stay open.
    pub(super) fn play(&self) -> Result<Vec<TcpStream>> {
        let mut open = Vec::new();
        // Exchanged and open, exchanged and closed.
        open.push(greet(self.connect(LINES)?)?);
        drop(greet(self.connect(LINES)?)?);
        self.nowhere_negative()?;
        // Without bytes: one forever, one until its labels are frozen without an exchange.
        open.push(self.connect(LINES)?);
        let late = self.connect(LINES)?;
        self.settle()?;
        open.push(greet(late)?);
        drop(self.connect(LINES)?);
        self.nowhere_negative()?;
        // Server first, in one case with an answer.
        for answer in [b"".as_slice(), b"answer"] {
            let mut stream = self.connect(GREETER)?;
            stream.read_exact(&mut [0; 8])?;
            stream.write_all(answer)?;
            open.push(stream);
        }
        // Reset by either end, left by the server, half closed.
        let stream = greet(self.connect(LINES)?)?;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        drop(stream);
        for line in [b"reset\n".as_slice(), b"leave\n"] {
            ended(self.send(line)?);
        }
        let stream = self.send(b"world\n")?;
        stream.shutdown(Shutdown::Write)?;
        ended(stream);
        self.nowhere_negative()?;
        // Failed at the server's sidecar, and at the client's.
        ended(self.connect(DOWN)?);
        ended(self.connect(BLACKHOLE)?);
        Ok(open)
    }

    /// Closes what is open and waits until the applications see it.
    pub(super) fn end(&self, open: Vec<TcpStream>) -> Result {
        drop(open);
        poll::until("all connections being closed", LIMIT, || {
            let mut open = 0;
            for service in self.mesh.services() {
                for reporter in Reporter::BOTH {
                    open += self.mesh.seen(reporter, service)?.open();
                }
            }
            Ok(match open {
                0 => Look::Found(()),
                _ => Look::NotYet(format!("{open} are open")),
            })
        })?;
        Ok(())
    }

    /// Waits until the sidecars count the connections that the applications see. Returns every
    /// sidecar's exposition and the number of its open connections.
    pub(super) fn settle(&self) -> Result<Vec<(Exposition, u64)>> {
        let seen = |reporter, service: &str| self.mesh.seen(reporter, service);
        let sidecars = [LINES, GREETER, DOWN].map(|service| {
            let envoy = self.mesh.server(service)?;
            settled(envoy, || {
                let mut counts = seen(Reporter::Destination, service)?;
                if service == DOWN {
                    // A connection that fails behind the sidecar is seen in front of it only.
                    counts = seen(Reporter::Source, service)?;
                }
                Ok(counts)
            })
        });
        let client = settled(self.mesh.client(), || {
            let mut sum = Counts::default();
            for service in self.mesh.services() {
                let counts = seen(Reporter::Source, service)?;
                sum.opened += counts.opened;
                sum.closed += counts.closed;
            }
            Ok(sum)
        });
        std::iter::once(client).chain(sidecars).collect()
    }

    /// Waits until a service's counts are these.
    pub(super) fn reports(&self, reporter: Reporter, service: &str, counts: Counts) -> Result {
        poll::until(
            &format!("{counts:?} of {service}, {reporter}"),
            LIMIT,
            || {
                let reported = self.mesh.reported(reporter, service)?;
                Ok(if reported == counts {
                    Look::Found(())
                } else {
                    Look::NotYet(format!("{reported:?}"))
                })
            },
        )?;
        Ok(())
    }

    /// In no series are more connections closed than opened.
    fn nowhere_negative(&self) -> Result {
        for envoy in self.mesh.sidecars() {
            let metrics = envoy.metrics()?;
            for closed in metrics.named(CLOSED) {
                let mut opened = metrics.named(OPENED);
                let opened = opened
                    .find(|series| series.labels == closed.labels)
                    .unwrap();
                assert!(closed.value <= opened.value, "{closed}\n{opened}");
            }
        }
        Ok(())
    }
}

fn service(app: &str, address: SocketAddr) -> Service {
    Service::new(Workload::bookinfo(app, "v1"), 7000, address)
}

/// Waits until an Envoy has opened and closed as many connections as `seen`.
fn settled(envoy: &Envoy, seen: impl Fn() -> mesh::Result<Counts>) -> Result<(Exposition, u64)> {
    let what = format!("the connections of {}", envoy.name());
    let settled = poll::until(&what, LIMIT, || {
        let seen = seen()?;
        let metrics = envoy.metrics()?;
        let reported = Counts::reported(&metrics, &[]);
        Ok(
            if (seen.opened, seen.closed) == (reported.opened, reported.closed) {
                Look::Found((metrics, seen.open()))
            } else {
                Look::NotYet(format!("seen {seen:?}, reported {reported:?}"))
            },
        )
    })?;
    Ok(settled)
}

/// Reads until the end or a reset.
fn ended(mut stream: TcpStream) {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// The application behind `lines`.
fn execute(mut stream: &TcpStream) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        match line?.as_str() {
            "hush" => {}
            "leave" => return Ok(()),
            "reset" => return SockRef::from(stream).set_linger(Some(Duration::ZERO)),
            line => stream.write_all(format!("hello {line}\n").as_bytes())?,
        }
    }
    Ok(())
}
