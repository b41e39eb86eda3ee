//! A mesh of many workloads: each has one sidecar for what comes in and for what goes out, as under Istio, and an
//! application that calls others by way of it.

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
pub use self::graph::{Graph, Link};
pub use self::service::{BOOKINFO, Call, Manner, Service, Target};

/// A running topology. Dropping it stops its Envoys.
#[derive(Debug)]
pub struct Topology {
    settle_limit: Duration,
    /// By app.
    sidecars: BTreeMap<&'static str, Sidecar>,
    /// What is outside the mesh, by service name, each with a tap in front.
    outsiders: BTreeMap<&'static str, (Relay, Tap)>,
    edges: Vec<Edge>,
}

#[derive(Debug)]
struct Sidecar {
    service: Service,
    envoy: Envoy,
    /// Between it and its application.
    tap: Tap,
    relay: Relay,
}

/// `/stats/prometheus` of every sidecar, by workload.
pub type Scrape = BTreeMap<String, Exposition>;

impl Topology {
    /// Who calls whom.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// All sidecars.
    pub fn sidecars(&self) -> impl Iterator<Item = &Envoy> {
        self.sidecars.values().map(|sidecar| &sidecar.envoy)
    }

    /// Where the user connects to.
    ///
    /// # Errors
    /// There is no service.
    pub fn entrance(&self) -> Result<SocketAddr> {
        let user = self.edges.iter().find(|edge| edge.source.is_none());
        let user = user.ok_or_else(|| Error::Missing {
            owner: "the mesh",
            part: "for the user".to_owned(),
        })?;
        Ok(user.tap.address())
    }

    /// One request of the user, which goes all the way. Returns the names of everyone who answered, in order.
    ///
    /// # Errors
    /// Someone did not answer.
    pub fn visit(&self, request: &str) -> Result<Vec<String>> {
        let address = self.entrance()?;
        let answer = relay::begin(address, Callee::Answers)
            .and_then(|mut conversation| relay::ask(&mut conversation, request))
            .context(|| format!("no answer to the user's {request:?}"))?;
        let names = answer.split_whitespace().map(|word| word.split(':').next());
        Ok(names.flatten().map(str::to_owned).collect())
    }

    /// Ends the connections that applications keep open.
    pub fn hang_up(&self) {
        for sidecar in self.sidecars.values() {
            sidecar.relay.hang_up();
        }
    }

    /// Forgets what the taps saw: from now on nothing can be compared with it.
    pub fn forget(&self) {
        let own = self.sidecars.values().map(|sidecar| &sidecar.tap);
        let outsiders = self.outsiders.values().map(|(_, tap)| tap);
        let edges = self.edges.iter().map(|edge| &edge.tap);
        own.chain(outsiders).chain(edges).for_each(Tap::forget);
    }

    /// What arrived at a called service's application, by way of all edges; nothing where nobody is.
    #[must_use]
    pub fn arrived(&self, target: Target) -> Option<Tally> {
        let outsider = self.outsiders.get(target.name()).map(|(_, tap)| tap);
        let service = self.sidecars.get(target.name()).map(|sidecar| &sidecar.tap);
        outsider.or(service).map(Tap::tally)
    }

    /// What left the callers' applications for a service, by way of all edges.
    #[must_use]
    pub fn left(&self, target: Target) -> Tally {
        let edges = self.edges.iter().filter(|edge| edge.target == target);
        Tally::merged(edges.map(|edge| edge.tap.tally()))
    }

    /// What everyone reports now.
    ///
    /// # Errors
    /// A sidecar does not answer.
    pub fn scrape(&self) -> Result<Scrape> {
        self.sidecars()
            .map(|envoy| Ok((envoy.name().to_owned(), envoy.metrics()?)))
            .collect()
    }

    /// Waits until every reporter of every edge reports exactly what the caller's application saw, and returns that
    /// scrape. The traffic must have ended or rest.
    ///
    /// # Errors
    /// It never does: the message shows the first edge that differs.
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
    /// What the graph still lacks of it.
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
