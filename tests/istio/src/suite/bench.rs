//! The pods of the checks: one client, and servers behind one Service.

mod authentication;
mod module;
mod waits;

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::application::{Application, First};
use super::faults::Tally;
use super::telemetry::Telemetry;
use crate::cluster::{Host, Kubectl, Kubernetes};
use crate::error::{Error, Result};
use crate::golden;
use crate::istiod::Proxies;
use crate::kubelet::Pod;
use crate::overlay::{self, Port};
use crate::run::{ControlPlane, Run};
use crate::workload;

pub(super) use self::authentication::Mode;
pub(super) use self::module::SHIPPED;

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
    /// Whether overlays are applied with a native filter in place of this one.
    is_native: Cell<bool>,
    /// What the events of [`Self::faults`] did to connections through this filter.
    pub(super) faults_seen: Option<Tally>,
}

/// A server's pod.
#[derive(Debug)]
pub(super) struct Server {
    /// The label `version` of its pod.
    pub(super) version: String,
    pub(super) pod: Pod,
    pub(super) application: Application,
    /// Whether its pod has the label of the overlay.
    has_label: bool,
    /// Whether its sidecar has the filter, and so reports connections.
    pub(super) reports: Cell<bool>,
    /// Whether the Service no longer has it.
    has_left: Cell<bool>,
}

impl<'a> Bench<'a> {
    /// Starts the control plane, the client and one server.
    pub(super) fn start(run: &'a Run, faults: (u32, u64)) -> Result<Self> {
        let mut control = run.control_plane()?;
        let kubectl = control.kubelet.kubectl();
        workload::namespace(kubectl, NAMESPACE)?;
        workload::modules(kubectl, NAMESPACE, &[&run.parts.wasm])?;
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
            is_native: Cell::new(false),
            faults_seen: None,
        };
        bench.add_server(true, None)?;
        bench.address = workload::cluster_address(bench.kubectl(), NAMESPACE, SERVICE)?;
        run.stages.done("the client and the server are ready");
        Ok(bench)
    }

    /// The parts and folders of this run.
    pub(super) fn run(&self) -> &Run {
        self.run
    }

    /// The client's pod.
    pub(super) fn client(&self) -> &Pod {
        &self.client
    }

    /// The folder for files of this run.
    pub(super) fn work(&self) -> &Path {
        &self.run.work
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

    /// The server that started last.
    pub(super) fn newest(&self) -> Result<&Server> {
        let last = self.servers.last();
        last.ok_or_else(|| Error::object(SERVICE, "it has no pod"))
    }

    /// Brings everything into the state of an installed overlay: one server, with the filter, that
    /// lets clients send first, no PeerAuthentication.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.is_native.set(false);
        self.authenticate(Mode::Permissive)?;
        self.apply("exchange")?;
        let is_right = |server: &Server| {
            server.has_label
                && !server.has_left.get()
                && server.application.first() == First::Client
        };
        if !matches!(self.servers.as_slice(), [one] if is_right(one)) {
            self.add_server(true, None)?;
            while self.servers.len() > 1 {
                self.remove_first()?;
            }
        }
        self.chains_have("auto")?;
        self.modules_are(SHIPPED)?;
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
        self.apply_for(overlay, &[PORT])
    }

    /// Applies an overlay for these ports.
    pub(super) fn apply_for(&self, overlay: &str, ports: &[Port]) -> Result<()> {
        let mut objects = overlay::for_ports(self.kubectl(), overlay, ports)?;
        if self.is_native.get() {
            overlay::set_native(&mut objects)?;
        }
        self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
        Ok(())
    }

    /// Deletes EnvoyFilters by name and waits until the server has no filter.
    pub(super) fn delete_filters(&self, names: &[&str]) -> Result<()> {
        let flags = ["delete", "envoyfilter", "--namespace", NAMESPACE];
        self.kubectl().run(&[&flags[..], names].concat())?;
        self.server_has_no_filter()
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
        let deployment = deployment(&version);
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
            version,
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
        self.server()?;
        let server = self.servers.remove(0);
        server.application.stop(&server.pod)?;
        let deployment = deployment(&server.version);
        self.remove_pod(server.pod, &deployment)
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
        self.leaves(self.server()?)
    }

    /// Takes all servers but the newest from the Service; they continue to run.
    pub(super) fn others_leave(&self) -> Result<()> {
        let others = self.servers.iter().rev().skip(1);
        let mut others = others.filter(|server| !server.has_left.get());
        others.try_for_each(|server| self.leaves(server))
    }

    fn leaves(&self, server: &Server) -> Result<()> {
        server.has_left.set(true);
        self.control.kubelet.not_ready(&server.pod)
    }

    /// What istiod says of its proxies; nothing if it does not answer.
    pub(super) fn proxies(&self) -> Option<Proxies> {
        self.control.istiod.proxies().ok()
    }

    /// The API server.
    pub(super) fn kubernetes(&self) -> &Kubernetes {
        self.control.kubelet.kubernetes()
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

    /// Compares what istiod configures with the files in the repository. Returns their number.
    pub(super) fn golden(&mut self) -> Result<usize> {
        golden::check(self.run, &mut self.control)
    }

    /// Runs the pod of a Deployment.
    pub(super) fn start_pod(&mut self, namespace: &str, deployment: &str) -> Result<Pod> {
        let spec = workload::pod(self.kubectl(), namespace, deployment)?;
        let pod = self.control.kubelet.start(spec)?;
        self.control.kubelet.ready(&pod)?;
        Ok(pod)
    }

    /// Kills a pod and deletes it and its Deployment. Returns its network, which is gone.
    pub(super) fn remove_pod(&self, pod: Pod, deployment: &str) -> Result<Host> {
        let namespace = pod.spec().metadata.namespace.clone();
        let flags = ["--namespace", &namespace, "--ignore-not-found"];
        let delete = ["delete", "deployment", deployment, "--wait=false"];
        self.kubectl().run(&[&delete[..], &flags].concat())?;
        let force = ["--force", "--grace-period=0"];
        let delete = ["delete", "pod", pod.name()];
        self.kubectl()
            .run(&[&delete[..], &force, &flags].concat())?;
        self.control.kubelet.remove(pod)
    }

    /// A second client, without the label of the overlay. It starts when it is first needed.
    pub(super) fn plain_client(&mut self) -> Result<&Pod> {
        if self.plain_client.is_none() {
            let objects = workload::objects("client", "v2", None);
            self.kubectl().apply(NAMESPACE, &overlay::list(&objects))?;
            let pod = self.start_pod(NAMESPACE, "client-v2")?;
            self.plain_client = Some(pod);
        }
        self.started_plain_client()
    }

    /// The second client, after [`Self::plain_client`].
    pub(super) fn started_plain_client(&self) -> Result<&Pod> {
        let pod = self.plain_client.as_ref();
        pod.ok_or_else(|| Error::object("client-v2", "it has no pod"))
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

    /// Kills the containers of the server with the plugin, and starts them again.
    pub(super) fn restart_plugin_server(&mut self) -> Result<()> {
        self.telemetry()?;
        let server = self.telemetry.as_mut().map(|it| &mut it.server);
        let server = server.ok_or_else(|| Error::object("the plugin's pods", "none"))?;
        server.kill()?;
        self.control.kubelet.restart(server)
    }
}

impl Server {
    /// The name of its Deployment.
    pub(super) fn workload(&self) -> String {
        deployment(&self.version)
    }
}

/// The name of a server's Deployment.
fn deployment(version: &str) -> String {
    format!("{SERVICE}-{version}")
}
