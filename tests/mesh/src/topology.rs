//! A mesh of many workloads. Each has one sidecar for inbound and outbound traffic, as in Istio,
//! and an application that calls others through it.

mod builder;
mod edge;
mod graph;
mod relay;
mod service;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use self::relay::{Callee, Relay};
use crate::envoy::Envoy;
use crate::error::{Context, Error, Result};
use crate::exposition::{Exposition, Series};
use crate::poll::{self, Look};
use crate::tap::{Tally, Tap};

pub use self::edge::Edge;
pub use self::graph::{Graph, Link, ends};
pub use self::service::{BOOKINFO, Call, Manner, Service, Target};

/// A running topology. Dropping it stops its Envoys.
#[derive(Debug)]
pub struct Topology {
    settle_limit: Duration,
    /// By app.
    sidecars: BTreeMap<&'static str, Sidecar>,
    /// The applications outside the mesh, by service name, each with its tap.
    outsiders: BTreeMap<&'static str, (Relay, Tap)>,
    edges: Vec<Edge>,
}

#[derive(Debug)]
struct Sidecar {
    service: Service,
    envoy: Envoy,
    /// Between the sidecar and its application.
    tap: Tap,
    relay: Relay,
}

/// `/stats/prometheus` of every sidecar, by workload.
pub type Scrape = BTreeMap<String, Exposition>;

impl Topology {
    /// The edges of the topology.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// All sidecars.
    pub fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        self.sidecars.values().map(|sidecar| &sidecar.envoy)
    }

    /// The address for the user.
    ///
    /// # Errors
    /// The topology has no service.
    pub fn entrance(&self) -> Result<SocketAddr> {
        let user = self.edges.iter().find(|edge| edge.source.is_none());
        let user = user.ok_or_else(|| Error::Missing {
            owner: "the mesh",
            part: "for the user".to_owned(),
        })?;
        Ok(user.tap.address())
    }

    /// Sends one request of the user, which reaches every service. Returns the names of the
    /// applications that answered, in order.
    ///
    /// # Errors
    /// An application did not answer.
    pub fn visit(&self, request: &str) -> Result<Vec<String>> {
        let address = self.entrance()?;
        let answer = relay::begin(address, Callee::Answers)
            .and_then(|mut conversation| relay::ask(&mut conversation, request))
            .context(|| format!("no answer to the user's {request:?}"))?;
        let names = answer.split_whitespace().map(|word| word.split(':').next());
        Ok(names.flatten().map(str::to_owned).collect())
    }

    /// Closes the connections that applications keep open.
    pub fn hang_up(&self) {
        for sidecar in self.sidecars.values() {
            sidecar.relay.hang_up();
        }
    }

    /// Clears the counts of the taps. The filters' metrics can no longer be compared with them.
    pub fn forget(&self) {
        let own = self.sidecars.values().map(|sidecar| &sidecar.tap);
        let outsiders = self.outsiders.values().map(|(_, tap)| tap);
        let edges = self.edges.iter().map(|edge| &edge.tap);
        own.chain(outsiders).chain(edges).for_each(Tap::forget);
    }

    /// The connections that arrived at a called service's application over all edges. `None`
    /// without an application.
    #[must_use]
    pub fn arrived(&self, target: Target) -> Option<Tally> {
        let outsider = self.outsiders.get(target.name()).map(|(_, tap)| tap);
        let service = self.sidecars.get(target.name()).map(|sidecar| &sidecar.tap);
        outsider.or(service).map(Tap::tally)
    }

    /// The connections of the callers' applications to a service over all edges.
    #[must_use]
    pub fn left(&self, target: Target) -> Tally {
        let edges = self.edges.iter().filter(|edge| edge.target == target);
        Tally::merged(edges.map(|edge| edge.tap.tally()))
    }

    /// Scrapes all sidecars.
    ///
    /// # Errors
    /// A sidecar does not answer.
    pub fn scrape(&self) -> Result<Scrape> {
        self.sidecars()
            .map(|envoy| Ok((envoy.name().to_owned(), envoy.metrics()?)))
            .collect()
    }

    /// Waits until the counts of every reporter of every edge are equal to those of the caller's
    /// tap, and returns that scrape. No traffic may be in progress.
    ///
    /// # Errors
    /// The counts are not equal within the limit. The message has the first edge that differs.
    pub fn settled(&self) -> Result<Scrape> {
        let what = "the metrics of every edge being equal to the bytes seen";
        poll::until(what, self.settle_limit, || {
            let scrape = self.scrape()?;
            let graph = Graph::read(all(&scrape));
            let behind = self.edges.iter().find_map(|edge| edge.behind(&graph));
            Ok(behind.map_or_else(|| Look::Found(scrape), Look::NotYet))
        })
    }

    fn sidecar(&self, app: &str) -> Result<&Sidecar> {
        self.sidecars.get(app).ok_or_else(|| Error::Missing {
            owner: "the mesh",
            part: app.to_owned(),
        })
    }
}

/// The series of all sidecars.
pub fn all(scrape: &Scrape) -> impl Iterator<Item = &Series> {
    scrape.values().flat_map(Exposition::iter)
}

impl Edge {
    /// The first reporter whose counts differ from the tap's, as text.
    fn behind(&self, graph: &Graph) -> Option<String> {
        let ends = self.ends();
        let seen = self.seen();
        let link = graph.link(&ends);
        self.reporters().find_map(|(reporter, _)| {
            let reported = link.and_then(|link| link.reporters.get(&reporter));
            let reported = reported.copied().unwrap_or_default();
            (reported != seen)
                .then(|| format!("{ends:?}, {reporter}: reported {reported:?}, seen {seen:?}"))
        })
    }
}
