//! The services of a topology, as data.

use crate::workload::Workload;

/// A service of the mesh: one workload with one sidecar, and its calls.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The app, which is the name of the service.
    pub app: &'static str,
    /// The workload's version.
    pub version: &'static str,
    /// The service's port.
    pub port: u16,
    /// The behaviour towards clients.
    pub manner: Manner,
    /// The calls for every request, in this order. Their targets must be started before.
    pub calls: &'static [Call],
}

/// The behaviour of a service towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// The service waits for a request. Its sidecar requires mTLS.
    Answers,
    /// The service sends first. Its sidecar requires mTLS.
    Greets,
    /// The service waits for a request. Its sidecar accepts plaintext, from clients outside the
    /// mesh.
    Public,
}

/// A call of one service to another.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The called target.
    pub to: Target,
    /// Whether one connection serves all requests and stays open, instead of one connection per
    /// request.
    pub kept: bool,
}

/// The target of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The service of the mesh with this app.
    Mesh(&'static str),
    /// A host outside the mesh with a ServiceEntry.
    ServiceEntry(&'static str),
    /// A host outside the mesh without a ServiceEntry; the mesh allows the traffic.
    Passthrough,
    /// A host outside the mesh without a ServiceEntry; the mesh blocks the traffic.
    BlackHole,
}

/// Istio's Bookinfo with both of its databases, and every kind of traffic that leaves a mesh:
///
/// ```text
/// user → productpage → details → mysqldb, books.example.com
///                    → reviews → ratings → mongodb, mysqldb
///                              → (black hole)
///                    → (passed through)
/// ```
pub const BOOKINFO: [Service; 6] = [
    Service {
        app: "mongodb",
        version: "v1",
        port: 27017,
        manner: Manner::Answers,
        calls: &[],
    },
    Service {
        app: "mysqldb",
        version: "v1",
        port: 3306,
        manner: Manner::Greets,
        calls: &[],
    },
    Service {
        app: "ratings",
        version: "v2",
        port: 9080,
        manner: Manner::Answers,
        calls: &[
            Call {
                to: Target::Mesh("mongodb"),
                kept: true,
            },
            once(Target::Mesh("mysqldb")),
        ],
    },
    Service {
        app: "details",
        version: "v1",
        port: 9080,
        manner: Manner::Answers,
        calls: &[
            once(Target::Mesh("mysqldb")),
            once(Target::ServiceEntry("books.example.com")),
        ],
    },
    Service {
        app: "reviews",
        version: "v3",
        port: 9080,
        manner: Manner::Answers,
        calls: &[once(Target::Mesh("ratings")), once(Target::BlackHole)],
    },
    Service {
        app: "productpage",
        version: "v1",
        port: 9080,
        manner: Manner::Public,
        calls: &[
            once(Target::Mesh("details")),
            once(Target::Mesh("reviews")),
            once(Target::Passthrough),
        ],
    },
];

const fn once(to: Target) -> Call {
    Call { to, kept: false }
}

impl Service {
    /// Its workload.
    #[must_use]
    pub fn workload(&self) -> Workload {
        Workload::bookinfo(self.app, self.version)
    }
}

impl Target {
    /// The value of the label `destination_service_name`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh(name) | Self::ServiceEntry(name) => name,
            Self::Passthrough => "PassthroughCluster",
            Self::BlackHole => "BlackHoleCluster",
        }
    }
}
