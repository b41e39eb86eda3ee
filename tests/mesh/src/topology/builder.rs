//! Builds and starts a topology.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use super::edge::Edge;
use super::relay::{Callee, Line, Relay};
use super::service::{Manner, Service, Target};
use super::{Sidecar, Topology};
use crate::bootstrap::{Hop, Inbound, Outside, Upstream};
use crate::envoy::Envoy;
use crate::error::{Error, Result};
use crate::mesh_ca::MeshCa;
use crate::sidecar::{self, INBOUND, Outbound};
use crate::tap::Tap;
use crate::{Builder, Scratch};

impl Builder {
    /// Starts one sidecar for inbound and outbound traffic for each of `services`, instead of a
    /// [`Mesh`](crate::Mesh). The user connects to the last service. `watch` is called with every
    /// sidecar that has started.
    ///
    /// # Errors
    /// An Envoy does not start, a service calls one that is not before it in `services`, or `watch`
    /// fails.
    pub fn start_topology(
        self,
        services: &[Service],
        scratch: &Scratch,
        mut watch: impl FnMut(&Envoy) -> Result<()>,
    ) -> Result<Topology> {
        let dir = scratch.folder("topology")?;
        let ca = MeshCa::create(&dir.join("ca"))?;
        let mut topology = Topology {
            settle_limit: self.settle_limit,
            sidecars: BTreeMap::new(),
            outsiders: BTreeMap::new(),
            edges: Vec::new(),
        };
        for (seed, service) in (1..).zip(services) {
            self.add(&mut topology, *service, seed, &ca, &dir)?;
            watch(&topology.sidecar(service.app)?.envoy)?;
        }
        if let Some(entrance) = services.last() {
            let address = topology.sidecar(entrance.app)?.envoy.listener(INBOUND)?;
            topology.edges.push(Edge {
                source: None,
                target: Target::Mesh(entrance.app),
                service: Some(*entrance),
                tap: Tap::start(address)?,
            });
        }
        Ok(topology)
    }

    fn add(
        &self,
        topology: &mut Topology,
        service: Service,
        seed: u64,
        ca: &MeshCa,
        dir: &Path,
    ) -> Result<()> {
        let relay = Relay::start(service.app, service.manner, seed)?;
        let tap = Tap::start(relay.address())?;
        for call in service.calls {
            topology.add_outsider(call.to)?;
        }
        let envoy = self.start_sidecar(topology, service, tap.address(), ca, dir)?;

        let mut lines = Vec::new();
        for call in service.calls {
            let tap = Tap::start(envoy.listener(call.to.name())?)?;
            let called = topology.called(call.to)?;
            lines.push(Line {
                callee: match (call.to, called) {
                    (Target::BlackHole, _) => Callee::Nobody,
                    (_, Some(service)) if service.manner == Manner::Greets => Callee::Greets,
                    _ => Callee::Answers,
                },
                address: tap.address(),
                kept: call.kept.then(Mutex::default),
            });
            topology.edges.push(Edge {
                source: Some(service),
                target: call.to,
                service: called,
                tap,
            });
        }
        relay.connect(lines);
        let sidecar = Sidecar {
            service,
            envoy,
            tap,
            relay,
        };
        topology.sidecars.insert(service.app, sidecar);
        Ok(())
    }

    /// Starts a sidecar with one inbound listener and one outbound listener per called service.
    fn start_sidecar(
        &self,
        topology: &Topology,
        service: Service,
        application: SocketAddr,
        ca: &MeshCa,
        dir: &Path,
    ) -> Result<Envoy> {
        let workload = service.workload();
        let mut upstreams = Vec::new();
        let mut outside = Vec::new();
        for call in service.calls {
            match call.to {
                Target::Mesh(app) => upstreams.push(topology.sidecar(app)?.upstream()?),
                Target::ServiceEntry(host) => outside.push(Outside::ServiceEntry {
                    host: host.to_owned(),
                    port: 80,
                    address: topology.outsider(call.to)?,
                }),
                Target::Passthrough => outside.push(Outside::Passthrough {
                    address: topology.outsider(call.to)?,
                }),
                Target::BlackHole => outside.push(Outside::BlackHole),
            }
        }
        sidecar::Sidecar {
            workload: &workload,
            identity: &workload.certificate(ca)?,
            inbound: Some(Inbound {
                workload: &workload,
                port: service.port,
                application,
                hop: match service.manner {
                    Manner::Public => Hop::Plaintext,
                    Manner::Answers | Manner::Greets => Hop::Mesh,
                },
            }),
            outbound: Some(Outbound {
                upstreams: &upstreams,
                outside: &outside,
                foreign_ca: ca,
            }),
            configuration: Some(&self.configuration),
            edit: None,
        }
        .start(&self.common, dir)
    }
}

impl Sidecar {
    fn upstream(&self) -> Result<Upstream> {
        Ok(Upstream {
            workload: self.service.workload(),
            port: self.service.port,
            address: self.envoy.listener(INBOUND)?,
            hop: Hop::Mesh,
        })
    }
}

impl Topology {
    /// Starts the application of a target outside the mesh, unless it runs already.
    fn add_outsider(&mut self, target: Target) -> Result<()> {
        let is_there = self.outsiders.contains_key(target.name());
        if is_there || matches!(target, Target::Mesh(_) | Target::BlackHole) {
            return Ok(());
        }
        let seed = 20 + self.outsiders.len() as u64;
        let relay = Relay::start(target.name(), Manner::Answers, seed)?;
        let tap = Tap::start(relay.address())?;
        self.outsiders.insert(target.name(), (relay, tap));
        Ok(())
    }

    fn outsider(&self, target: Target) -> Result<SocketAddr> {
        let (_, tap) = self
            .outsiders
            .get(target.name())
            .ok_or_else(|| Error::Missing {
                owner: "the mesh",
                part: target.name().to_owned(),
            })?;
        Ok(tap.address())
    }

    fn called(&self, target: Target) -> Result<Option<Service>> {
        match target {
            Target::Mesh(app) => Ok(Some(self.sidecar(app)?.service)),
            _ => Ok(None),
        }
    }
}
