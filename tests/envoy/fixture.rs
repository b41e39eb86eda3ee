//! A mesh with one service, and the three comparisons of the tests.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

use mesh::EnvoyBinary;
use mesh::apps::App;
use mesh::bootstrap::{Bootstrap, Inbound};
use mesh::exposition::{Exposition, Labels};
use mesh::labels::{CLOSED, OPENED, RECEIVED, Reporter, SENT};
use mesh::mesh_ca::MeshCa;
use mesh::poll::{self, Look};
use mesh::situation::Situation;
use mesh::testing::{LIMIT, Result};
use mesh::{Builder, Counts, Hop, Mesh, Service};
use mesh::{Envoy, Scratch, Workload, wasm};
use serde_json::Value;

/// The name of the service in every test that has only one.
pub(crate) const SERVICE: &str = "app";

/// The filter's counter of exchanges by result.
pub(crate) const EXCHANGES: &str = "istio_tcp_peer_exchange_total";

/// A mesh with one service and the application behind it.
pub(crate) struct Fixture {
    pub(crate) mesh: Mesh,
    _app: Option<App>,
    _scratch: Scratch,
}

impl Fixture {
    /// ratings-v2 and the service, exchange on both sides.
    pub(crate) fn start(name: &str, app: App) -> Result<Self> {
        Self::with(name, app, |mesh, service| mesh.service(service))
    }

    /// The same with this configuration of both filters.
    pub(crate) fn configured(name: &str, app: App, configuration: Value) -> Result<Self> {
        Self::with(name, app, |mesh, service| {
            mesh.configuration(configuration).service(service)
        })
    }

    /// A mesh that `shape` changes.
    pub(crate) fn with(
        name: &str,
        app: App,
        shape: impl FnOnce(Builder, Service) -> Builder,
    ) -> Result<Self> {
        let scratch = Scratch::new(name)?;
        let builder = builder()?;
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
        let mesh = shape(builder, service).start(&scratch)?;
        Ok(Self {
            mesh,
            _app: Some(app),
            _scratch: scratch,
        })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.mesh.address(SERVICE)?)?)
    }

    /// The labels of connections that were open long enough for all labels.
    pub(crate) fn labels(&self, reporter: Reporter) -> Result<Labels> {
        Ok(self.mesh.labels(reporter, SERVICE)?)
    }

    /// Both reporters, with the labels that belong to the situation; see [`check`].
    pub(crate) fn check_both(&self, counts: Counts) -> Result {
        for reporter in Reporter::BOTH {
            check(
                &self.mesh,
                SERVICE,
                reporter,
                counts,
                &self.labels(reporter)?,
            )?;
        }
        same_bytes(&self.mesh, SERVICE)
    }
}

/// The service's sidecar alone, in front of this application.
pub(crate) fn server(
    scratch: &Scratch,
    hop: Hop,
    application: SocketAddr,
    configuration: &Value,
    edit: impl FnOnce(&mut Value),
) -> Result<Envoy> {
    let ca = MeshCa::create(&scratch.folder("ca")?)?;
    let workload = Workload::bookinfo(SERVICE, "v1");
    let mut bootstrap = Bootstrap::server_sidecar()?;
    bootstrap.run_as(&workload, &workload.certificate(&ca)?)?;
    bootstrap.serve(&Inbound {
        workload: &workload,
        port: 7000,
        application,
        hop,
    })?;
    bootstrap.filter(&wasm::build()?, Some(configuration));
    edit(bootstrap.document_mut());
    let binary = EnvoyBinary::find(None)?;
    Ok(Envoy::start_shared(
        &binary,
        "server",
        bootstrap.document(),
        1,
        scratch.path(),
    )?)
}

/// An address without a listener.
pub(crate) fn nobody() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A mesh of the Envoy and in the situation that the environment names.
pub(crate) fn builder() -> Result<Builder> {
    let builder = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?);
    Ok(builder.in_shared_envoys().situation(Situation::from_env()?))
}

/// Waits until the tap and the reporter have these counts, then expects them in
/// exactly one series a metric, with exactly these labels.
pub(crate) fn check(
    mesh: &Mesh,
    service: &str,
    reporter: Reporter,
    counts: Counts,
    labels: &Labels,
) -> Result<Exposition> {
    let what = format!("{counts:?} of {reporter}");
    poll::until(&what, LIMIT, || {
        let (seen, reported) = (
            mesh.seen(reporter, service)?,
            mesh.reported(reporter, service)?,
        );
        Ok(if seen == counts && reported == counts {
            Look::Found(())
        } else {
            Look::NotYet(format!("seen {seen:?}, reported {reported:?}"))
        })
    })?;
    let metrics = mesh.sidecar(reporter, service)?.metrics()?;
    for (metric, value) in [
        (OPENED, counts.opened),
        (CLOSED, counts.closed),
        (RECEIVED, counts.received),
        (SENT, counts.sent),
    ] {
        let series = metrics.one(metric, &[("reporter", reporter.as_str())])?;
        assert_eq!(&series.labels, labels, "{metric} of {reporter}");
        assert_eq!(series.value, value as f64, "{metric} of {reporter}");
        assert_eq!(labels.len(), 23, "{labels:?}");
        assert!(labels.values().all(|value| !value.is_empty()), "{labels:?}");
    }
    assert!(
        metrics.duplicates().is_empty(),
        "{:?}",
        metrics.duplicates()
    );
    Ok(metrics)
}

/// Every connection carried the same bytes at both ends, in both directions.
pub(crate) fn same_bytes(mesh: &Mesh, service: &str) -> Result {
    let near = mesh.tap(Reporter::Source, service)?.tally();
    let far = mesh.tap(Reporter::Destination, service)?.tally();
    assert!(near.same_bytes(&far), "near {near:?}\nfar {far:?}");
    Ok(())
}

/// Waits until this many exchanges have this result; the filter reports at its next tick.
pub(crate) fn check_outcomes(mesh: &Mesh, reporter: Reporter, result: &str, count: u64) -> Result {
    let labels = [("reporter", reporter.as_str()), ("result", result)];
    let what = format!("{count} exchanges of {reporter} to end as {result}");
    poll::until(&what, LIMIT, || {
        let seen = mesh
            .sidecar(reporter, SERVICE)?
            .metrics()?
            .sum(EXCHANGES, &labels);
        Ok(if seen == count as f64 {
            Look::Found(())
        } else {
            Look::NotYet(seen.to_string())
        })
    })?;
    Ok(())
}

/// Sends `request`, ends the direction, and returns everything that comes back.
pub(crate) fn round_trip(mut stream: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut reader = stream.try_clone()?;
    std::thread::scope(|scope| {
        let answer = scope.spawn(move || {
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).map(|_| answer)
        });
        stream.write_all(request)?;
        stream.shutdown(Shutdown::Write)?;
        answer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the reader panicked")))
    })
}

/// Reads exactly `expected`.
pub(crate) fn expect(stream: &mut TcpStream, expected: &[u8]) -> Result {
    let mut seen = vec![0; expected.len()];
    stream.read_exact(&mut seen)?;
    assert_eq!(seen, expected);
    Ok(())
}
