//! One client sidecar, one sidecar per service, and taps at both ends.

mod builder;
mod counts;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::EnvoyBinary;
use crate::envoy::Envoy;
use crate::error::{Error, Result};
use crate::exposition::{Exposition, Labels};
use crate::labels::Reporter;
use crate::poll::{self, Look};
use crate::situation::Situation;
use crate::tap::Tap;
use crate::workload::Workload;

pub use self::builder::{Builder, Filter};
pub use self::counts::Counts;
pub use self::service::Service;

/// A running mesh. Dropping it stops its Envoys.
#[derive(Debug)]
pub struct Mesh {
    situation: Situation,
    workload: Workload,
    settle_limit: Duration,
    client: Envoy,
    services: BTreeMap<String, Running>,
}

#[derive(Debug)]
struct Running {
    workload: Workload,
    server: Envoy,
    /// The address for clients.
    address: SocketAddr,
    /// The taps of the client application and of the server application.
    taps: Option<(Tap, Tap)>,
}

impl Mesh {
    /// Returns a builder of a mesh with this Envoy and this filter, the client ratings-v2 and no
    /// service.
    #[must_use]
    pub fn builder(binary: &EnvoyBinary, wasm: &Path) -> Builder {
        Builder::new(binary, wasm)
    }

    /// The address at which a client application reaches a service.
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn address(&self, service: &str) -> Result<SocketAddr> {
        Ok(self.running(service)?.address)
    }

    /// The client's sidecar.
    #[must_use]
    pub fn client(&self) -> &Envoy {
        &self.client
    }

    /// A service's sidecar.
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn server(&self, service: &str) -> Result<&Envoy> {
        Ok(&self.running(service)?.server)
    }

    /// All sidecars, the client's first.
    pub fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        let servers = self.services.values().map(|running| &running.server);
        std::iter::once(&self.client).chain(servers)
    }

    /// The names of the services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.keys().map(String::as_str)
    }

    /// The sidecar that reports on a service as `reporter`.
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn sidecar(&self, reporter: Reporter, service: &str) -> Result<&Envoy> {
        match reporter {
            Reporter::Source => Ok(&self.client),
            Reporter::Destination => self.server(service),
        }
    }

    /// The tap at the application's end of the sidecar that reports as `reporter`.
    ///
    /// # Errors
    /// The mesh has no such service, or the mesh has no taps.
    pub fn tap(&self, reporter: Reporter, service: &str) -> Result<&Tap> {
        let taps = self.running(service)?.taps.as_ref();
        let (client, server) = taps.ok_or_else(|| Error::Missing {
            owner: "the mesh",
            part: format!("tap at {service}"),
        })?;
        Ok(match reporter {
            Reporter::Source => client,
            Reporter::Destination => server,
        })
    }

    /// All 23 labels of a series whose connections completed the exchange, if the situation has
    /// one; see [`Situation::labels`].
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn labels(&self, reporter: Reporter, service: &str) -> Result<Labels> {
        self.labels_in(self.situation, reporter, service)
    }

    /// All 23 labels of a series without metadata from the peer.
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn labels_without_exchange(&self, reporter: Reporter, service: &str) -> Result<Labels> {
        self.labels_in(Situation::Telemetry, reporter, service)
    }

    /// Clears the counts of the taps. The filter's metrics can no longer be compared with them.
    pub fn forget(&self) {
        for (client, server) in self
            .services
            .values()
            .filter_map(|running| running.taps.as_ref())
        {
            client.forget();
            server.forget();
        }
    }

    /// Returns the filter's counts of a service, summed over all label sets.
    ///
    /// # Errors
    /// The mesh has no such service, or its Envoy does not answer.
    pub fn reported(&self, reporter: Reporter, service: &str) -> Result<Counts> {
        let metrics = self.sidecar(reporter, service)?.metrics()?;
        Ok(Counts::reported(
            &metrics,
            &Self::selector(reporter, service),
        ))
    }

    /// Returns the counts of the tap at the application's end.
    ///
    /// # Errors
    /// The mesh has no such service.
    pub fn seen(&self, reporter: Reporter, service: &str) -> Result<Counts> {
        Ok(Counts::seen(&self.tap(reporter, service)?.tally()))
    }

    /// Waits until the filter's counts are equal to the tap's, and returns that scrape. No traffic
    /// may be in progress.
    ///
    /// # Errors
    /// The counts are not equal within the limit. The message has both.
    pub fn settled(&self, reporter: Reporter, service: &str) -> Result<Exposition> {
        let what =
            format!("{service}'s metrics of reporter {reporter} being equal to the bytes seen");
        let sidecar = self.sidecar(reporter, service)?;
        let tap = self.tap(reporter, service)?;
        poll::until(&what, self.settle_limit, || {
            let seen = Counts::seen(&tap.tally());
            let metrics = sidecar.metrics()?;
            let reported = Counts::reported(&metrics, &Self::selector(reporter, service));
            Ok(if seen == reported {
                Look::Found(metrics)
            } else {
                Look::NotYet(format!("reported {reported:?}, seen {seen:?}"))
            })
        })
    }

    /// As [`Self::settled`], after the tap has seen the last connection close. Before that, the
    /// counts can be equal although neither side has counted the close.
    ///
    /// # Errors
    /// The counts are not equal within the limit. The message has both.
    pub fn all_closed(&self, reporter: Reporter, service: &str) -> Result<Exposition> {
        let what = format!("every connection of {service} being closed for {reporter}");
        poll::until(&what, self.settle_limit, || {
            let seen = self.seen(reporter, service)?;
            Ok(if seen.opened > 0 && seen.open() == 0 {
                Look::Found(())
            } else {
                Look::NotYet(format!("{seen:?}"))
            })
        })?;
        self.settled(reporter, service)
    }

    /// The labels that every series of a reporter on a service has.
    #[must_use]
    pub fn selector(reporter: Reporter, service: &str) -> [(&'static str, &str); 2] {
        [
            ("reporter", reporter.as_str()),
            ("destination_service_name", service),
        ]
    }

    fn labels_in(&self, situation: Situation, reporter: Reporter, service: &str) -> Result<Labels> {
        let server = &self.running(service)?.workload;
        Ok(situation.labels(reporter, &self.workload, server))
    }

    fn running(&self, service: &str) -> Result<&Running> {
        let missing = || Error::Missing {
            owner: "the mesh",
            part: format!("service {service}"),
        };
        self.services.get(service).ok_or_else(missing)
    }
}
