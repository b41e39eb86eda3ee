//! Connections between any pod and any server.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::application::Application;
use super::measure::{NUMBER, SETTLE_LIMIT, expect_unchanged};
use super::reported::Reported;
use super::visit::{Visits, visit};
use crate::cluster::settle;
use crate::error::Result;
use crate::kubelet::Pod;

/// The time in which a connection that has ended is reported.
const MOMENT: Duration = Duration::from_secs(2);

/// The way of a client's connections.
pub(super) struct Path<'a> {
    /// The client's pod; `None` outside of the mesh.
    pub(super) client: Option<&'a Pod>,
    /// The address that the client connects to.
    pub(super) address: SocketAddr,
    /// The server that accepts them.
    pub(super) application: &'a Application,
    /// The server's pod; `None` outside of the mesh.
    pub(super) server: Option<&'a Pod>,
}

/// What was seen of the connections.
#[derive(Debug)]
pub(super) struct Travelled {
    pub(super) visits: Visits,
    /// What the client's sidecar reports.
    pub(super) source: Reported,
    /// What the server's sidecar reports.
    pub(super) destination: Reported,
}

impl Path<'_> {
    /// Opens connections that must be unchanged, and waits until the client's and the server's
    /// sidecar have reported these numbers of them, and for more.
    pub(super) fn travel(&self, expected: (u64, u64)) -> Result<Travelled> {
        let travelled = self.attempt(NUMBER, expected)?;
        expect_unchanged(&travelled.visits, self.application.seen().iter())?;
        Ok(travelled)
    }

    /// As [`Self::travel`], for connections that may fail; `arrived` of them reach the server.
    pub(super) fn attempt(&self, arrived: u64, expected: (u64, u64)) -> Result<Travelled> {
        // The end of an earlier connection may not be reported yet.
        thread::sleep(MOMENT);
        let before = self.scrape()?;
        drop(self.application.take());
        let (address, first) = (self.address, self.application.first());
        let open = || -> Result<Visits> { Ok(visit(address, first, NUMBER, 1)) };
        let visits = match self.client {
            Some(pod) => pod.inside(open)?,
            None => open()?,
        };
        let reported = || -> Result<_> {
            let after = self.scrape()?;
            let source = Reported::between(&before.0, &after.0);
            Ok((source, Reported::between(&before.1, &after.1)))
        };
        settle("the connections being reported", SETTLE_LIMIT, || {
            let (source, destination) = reported()?;
            let seen = self.application.seen().len() as u64;
            Ok(seen == arrived && (source.closed(), destination.closed()) == expected)
        })?;
        thread::sleep(MOMENT);
        let (source, destination) = reported()?;
        Ok(Travelled {
            visits,
            source,
            destination,
        })
    }

    /// The metrics of the client and of the server.
    fn scrape(&self) -> Result<(Exposition, Exposition)> {
        let of = |pod: Option<&Pod>| pod.map_or_else(|| Ok(Exposition::default()), Pod::metrics);
        Ok((of(self.client)?, of(self.server)?))
    }
}
