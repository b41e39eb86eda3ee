//! The pods of the checks: one client, and servers behind one Service.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::json;

use super::application::{Application, First};
use super::listeners::{self, Chain};
use super::telemetry::Telemetry;
use crate::cluster::{Host, Kubectl, until};
use crate::error::{Error, Result};
use crate::istiod::Proxies;
use crate::kubelet::Pod;
use crate::overlay::{self, Port};
use crate::run::{ControlPlane, Run};
use crate::workload;

/// The namespace of all workloads.
pub(super) const NAMESPACE: &str = "shop";
/// The Service.
pub(super) const SERVICE: &str = "mysql";
const CLUSTER: &str = "outbound|3306||mysql.shop.svc.cluster.local";
/// The port of the Service and that of its pods: two different ones, which Istio's kinds name.
pub(super) const PORT: Port = Port {
    service: 3306,
    target: 13306,
};
const AUTHENTICATION: &str = "mode";
/// The time that istiod and a proxy may take to put a change into force.
const LIMIT: Duration = Duration::from_secs(60);

/// The control plane and the pods.
pub(super) struct Bench<'a> {
    run: &'a Run,
    control: ControlPlane,
    client: Pod,
    pub(super) servers: Vec<Server>,
    address: Ipv4Addr,
    versions: u32,
    telemetry: Option<Telemetry>,
    plain_client: Option<Pod>,
    faults: (u32, u64),
}

/// A server's pod.
#[derive(Debug)]
pub(super) struct Server {
    deployment: String,
    pub(super) pod: Pod,
    pub(super) application: Application,
    /// Whether its pod has the label of the overlay.
    has_label: bool,
    /// Whether its sidecar has the filter, and so reports connections.
    pub(super) reports: Cell<bool>,
    /// Whether the Service no longer has it.
    has_left: Cell<bool>,
}

/// The mode of a PeerAuthentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Permissive,
    Strict,
    Disable,
}

impl<'a> Bench<'a> {
    /// Starts the control plane, the client and one server.
    pub(super) fn start(run: &'a Run, faults: (u32, u64)) -> Result<Self> {
        let mut control = run.control_plane()?;
        let kubectl = control.kubelet.kubectl();
        workload::namespace(kubectl, NAMESPACE)?;
        workload::module(kubectl, NAMESPACE, &run.parts.wasm)?;
        let objects = overlay::for_ports(kubectl, "exchange", &[PORT])?;
        kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
        kubectl.apply(
            NAMESPACE,
            &overlay::list(&workload::objects("client", "v1", None)),
        )?;
        workload::label(kubectl, NAMESPACE, "client-v1", "exchange")?;
        let spec = workload::pod(kubectl, NAMESPACE, "client-v1")?;
        let client = control.kubelet.start(spec)?;
        control.kubelet.ready(&client)?;
        let mut bench = Self {
            run,
            control,
            client,
            servers: Vec::new(),
            address: Ipv4Addr::UNSPECIFIED,
            versions: 0,
            telemetry: None,
            plain_client: None,
            faults,
        };
        bench.add_server(true, None)?;
        bench.address = workload::cluster_address(bench.kubectl(), NAMESPACE, SERVICE)?;
        run.stages.done("the client and the server are ready");
        Ok(bench)
    }

    /// The client's pod.
    pub(super) fn client(&self) -> &Pod {
        &self.client
    }

    /// The number and the seed of random faults.
    pub(super) fn faults(&self) -> (u32, u64) {
        self.faults
    }

    /// The address of the Service.
    pub(super) fn service(&self) -> SocketAddr {
        SocketAddr::from((self.address, PORT.service))
    }

    /// The address of the first server's pod.
    pub(super) fn pod_address(&self) -> Result<SocketAddr> {
        let address = IpAddr::from(self.server()?.pod.address());
        Ok(SocketAddr::new(address, PORT.target))
    }

    /// The first server.
    pub(super) fn server(&self) -> Result<&Server> {
        let first = self.servers.first();
        first.ok_or_else(|| Error::object(SERVICE, "it has no pod"))
    }

    /// Brings everything into the state of an installed overlay: one server, with the filter, that
    /// lets clients send first, no PeerAuthentication.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.authenticate(Mode::Permissive)?;
        self.apply("exchange")?;
        let is_right =
            |server: &Server| server.has_label && server.application.first() == First::Client;
        if !matches!(self.servers.as_slice(), [one] if is_right(one)) {
            self.add_server(true, None)?;
            while self.servers.len() > 1 {
                self.remove_first()?;
            }
        }
        self.chains_have("auto")?;
        for server in &self.servers {
            server.reports.set(true);
        }
        self.endpoints_are_the_servers()?;
        self.settled()?;
        Ok(())
    }

    /// Waits until all proxies have acknowledged what istiod sent.
    pub(super) fn settled(&self) -> Result<Proxies> {
        let others = usize::from(self.plain_client.is_some());
        let plugins = if self.telemetry.is_some() { 2 } else { 0 };
        let number = 1 + self.servers.len() + others + plugins;
        self.control.istiod.settled(number)
    }

    /// Applies an overlay for the Service's port.
    pub(super) fn apply(&self, overlay: &str) -> Result<()> {
        let objects = overlay::for_ports(self.kubectl(), overlay, &[PORT])?;
        self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
        Ok(())
    }

    /// Deletes EnvoyFilters by name and waits until the server has no filter.
    pub(super) fn delete_filters(&self, names: &[&str]) -> Result<()> {
        let flags = ["delete", "envoyfilter", "--namespace", NAMESPACE];
        self.kubectl().run(&[&flags[..], names].concat())?;
        self.server_has_no_filter()
    }

    /// Waits until the filter of the first server and of the client has this mode in every chain.
    pub(super) fn chains_have(&self, mode: &str) -> Result<()> {
        self.inbound_chains(&format!("mode {mode}"), |chain| chain.has_mode(mode))?;
        until(&format!("mode {mode} at the client"), LIMIT, || {
            let chains = listeners::outbound(&self.client, PORT.service)?;
            let all = chains.iter().all(|chain| chain.has_mode(mode));
            Ok((!chains.is_empty() && all).then_some(()))
        })
    }

    /// Waits until the server, which has the label, has no filter.
    pub(super) fn server_has_no_filter(&self) -> Result<()> {
        self.inbound_chains("no filter", |chain| chain.filter.is_none())?;
        for server in &self.servers {
            server.reports.set(false);
        }
        Ok(())
    }

    /// Waits until the client's listener has no filter.
    pub(super) fn client_has_no_filter(&self) -> Result<()> {
        until("no filter at the client", LIMIT, || {
            let chains = listeners::outbound(&self.client, PORT.service)?;
            let none = chains.iter().all(|chain| chain.filter.is_none());
            Ok((!chains.is_empty() && none).then_some(()))
        })
    }

    /// Sets the PeerAuthentication of the namespace, and waits until the first server has it.
    pub(super) fn authenticate(&self, mode: Mode) -> Result<()> {
        let kubectl = self.kubectl();
        if mode == Mode::Permissive {
            let object = ["peerauthentication", AUTHENTICATION, "--ignore-not-found"];
            kubectl.run(&[&["delete", "--namespace", NAMESPACE], &object[..]].concat())?;
        } else {
            let object = json!({
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": { "name": AUTHENTICATION },
                "spec": { "mtls": { "mode": mode.name() } },
            });
            kubectl.apply(NAMESPACE, &object.to_string())?;
        }
        let Some(server) = self.servers.first() else {
            return Ok(());
        };
        until(&format!("the chains of {}", mode.name()), LIMIT, || {
            let chains = listeners::inbound(&server.pod, PORT.target)?;
            let tls = chains
                .iter()
                .filter(|chain| chain.transport.as_deref() == Some("tls"));
            let tls = tls.count();
            let is_in_force = match mode {
                Mode::Permissive => tls > 0 && tls < chains.len(),
                Mode::Strict => tls > 0 && tls == chains.len(),
                Mode::Disable => tls == 0 && !chains.is_empty(),
            };
            Ok(is_in_force.then_some(()))
        })
    }

    /// Replaces the application of the first server by one with another side that sends first.
    pub(super) fn sends_first(&mut self, first: First) -> Result<()> {
        let Some(server) = self.servers.first_mut() else {
            return Ok(());
        };
        let other = |port| Application::start(&server.pod, port, first);
        // The port is free only after the stop.
        let placeholder = other(0)?;
        std::mem::replace(&mut server.application, placeholder).stop(&server.pod)?;
        server.application = other(PORT.target)?;
        Ok(())
    }

    /// Adds a server, at the address of a removed one if it is given.
    pub(super) fn add_server(&mut self, has_filter: bool, at: Option<&Host>) -> Result<()> {
        self.versions += 1;
        let version = format!("v{}", self.versions);
        let deployment = format!("{SERVICE}-{version}");
        let objects = workload::objects(SERVICE, &version, Some(PORT));
        self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
        if has_filter {
            workload::label(self.kubectl(), NAMESPACE, &deployment, "exchange")?;
        }
        let spec = workload::pod(self.kubectl(), NAMESPACE, &deployment)?;
        let kubelet = &mut self.control.kubelet;
        let pod = match at {
            Some(host) => kubelet.start_in_place_of(host, spec)?,
            None => kubelet.start(spec)?,
        };
        let application = Application::start(&pod, PORT.target, First::Client)?;
        self.control.kubelet.ready(&pod)?;
        self.servers.push(Server {
            deployment,
            pod,
            application,
            has_label: has_filter,
            reports: Cell::new(has_filter),
            has_left: Cell::new(false),
        });
        Ok(())
    }

    /// Kills the first server and deletes its objects. Returns its network, which is gone.
    pub(super) fn remove_first(&mut self) -> Result<Host> {
        let server = self.server()?;
        let flags = ["--namespace", NAMESPACE, "--ignore-not-found"];
        let delete = ["delete", "deployment", &server.deployment, "--wait=false"];
        self.kubectl().run(&[&delete[..], &flags].concat())?;
        let delete = [
            "delete",
            "pod",
            server.pod.name(),
            "--force",
            "--grace-period=0",
        ];
        self.kubectl().run(&[&delete[..], &flags].concat())?;
        let server = self.servers.remove(0);
        server.application.stop(&server.pod)?;
        self.control.kubelet.remove(server.pod)
    }

    /// Waits until the client uses exactly the servers that have not left the Service.
    pub(super) fn endpoints_are_the_servers(&self) -> Result<()> {
        let used = self.servers.iter().filter(|server| !server.has_left.get());
        let mut wanted: Vec<_> = used.map(|server| server.pod.address()).collect();
        wanted.sort_unstable();
        until("the endpoints of the Service", LIMIT, || {
            let known = listeners::endpoints(&self.client, CLUSTER)?;
            Ok((known == wanted).then_some(()))
        })
    }

    /// Applies an object.
    pub(super) fn apply_text(&self, object: &str) -> Result<()> {
        self.kubectl().apply(NAMESPACE, object)?;
        Ok(())
    }

    /// Deletes an object.
    pub(super) fn delete(&self, kind: &str, name: &str) -> Result<()> {
        self.kubectl()
            .run(&["delete", kind, name, "--namespace", NAMESPACE])?;
        Ok(())
    }

    /// Takes the first server from the Service; it continues to run.
    pub(super) fn first_leaves(&self) -> Result<()> {
        let server = self.server()?;
        server.has_left.set(true);
        self.control.kubelet.not_ready(&server.pod)
    }

    /// Kills istiod.
    pub(super) fn kill_istiod(&mut self) -> Result<()> {
        self.control.istiod.kill()
    }

    /// Starts istiod again.
    pub(super) fn restart_istiod(&mut self) -> Result<()> {
        let ControlPlane { kubelet, istiod } = &mut self.control;
        istiod.restart(kubelet)
    }

    /// A second client, without the label of the overlay. It starts when it is first needed.
    pub(super) fn plain_client(&mut self) -> Result<&Pod> {
        if self.plain_client.is_none() {
            let objects = workload::objects("client", "v2", None);
            self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
            let spec = workload::pod(self.kubectl(), NAMESPACE, "client-v2")?;
            let pod = self.control.kubelet.start(spec)?;
            self.control.kubelet.ready(&pod)?;
            self.plain_client = Some(pod);
        }
        let pod = self.plain_client.as_ref();
        pod.ok_or_else(|| Error::object("client-v2", "it has no pod"))
    }

    fn inbound_chains(&self, what: &str, is_right: impl Fn(&Chain) -> bool) -> Result<()> {
        let server = self.server()?;
        until(&format!("{what} at the server"), LIMIT, || {
            let chains = listeners::inbound(&server.pod, PORT.target)?;
            Ok((!chains.is_empty() && chains.iter().all(&is_right)).then_some(()))
        })
    }

    /// kubectl.
    pub(super) fn kubectl(&self) -> &Kubectl {
        self.control.kubelet.kubectl()
    }

    /// The pods of the checks of plugins, which start when they are first needed, and kubectl.
    pub(super) fn telemetry(&mut self) -> Result<(&mut Telemetry, &Kubectl)> {
        if self.telemetry.is_none() {
            self.telemetry = Some(Telemetry::start(self.run, &mut self.control, PORT)?);
        }
        let telemetry = self.telemetry.as_mut();
        let telemetry = telemetry.ok_or_else(|| Error::object("the plugin's pods", "none"))?;
        Ok((telemetry, self.control.kubelet.kubectl()))
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Permissive => "PERMISSIVE",
            Self::Strict => "STRICT",
            Self::Disable => "DISABLE",
        }
    }
}
