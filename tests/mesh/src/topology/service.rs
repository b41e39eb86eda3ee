//! What a topology is made of, as data.

use crate::workload::Workload;

/// A service of the mesh: one workload with one sidecar, and whom it calls.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The app, which names the service.
    pub app: &'static str,
    /// The workload's version.
    pub version: &'static str,
    /// The service's port.
    pub port: u16,
    /// How it treats who connects.
    pub manner: Manner,
    /// Whom it calls for every request, in this order. They must have been started before.
    pub calls: &'static [Call],
}

/// How a service treats who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It waits for a request. Its sidecar wants mTLS.
    Answers,
    /// It speaks first. Its sidecar wants mTLS.
    Greets,
    /// It waits for a request. Its sidecar takes plaintext, from clients outside the mesh.
    Public,
}

/// One service calling another.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Whom.
    pub to: Target,
    /// Whether one connection serves all requests and stays open, instead of one connection per request.
    pub kept: bool,
}

/// Whom a service calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The service of the mesh with this app.
    Mesh(&'static str),
    /// A host outside that the control plane knows.
    ServiceEntry(&'static str),
    /// A host outside that it does not know, let out.
    Passthrough,
    /// A host outside that it does not know, not let out.
    BlackHole,
}

/// Istio's Bookinfo with both of its databases, and everything that a mesh can do with traffic that leaves it:
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
    /// The service's name, as labels tell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh(name) | Self::ServiceEntry(name) => name,
            Self::Passthrough => "PassthroughCluster",
            Self::BlackHole => "BlackHoleCluster",
        }
    }
}
