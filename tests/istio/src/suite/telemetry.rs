//! The pods of the checks of plugins, and the registry with the image.

use std::net::SocketAddr;
use std::process::Command;

use mesh::registry::{Access, Registry};
use mesh::{Scratch, process};

use super::application::{Application, First};
use crate::cluster::GATEWAY;
use crate::error::{Error, Result};
use crate::kubelet::Pod;
use crate::overlay::{self, Port};
use crate::parts::Image;
use crate::run::{ControlPlane, Run};
use crate::workload;

/// The namespace of these workloads.
pub(super) const NAMESPACE: &str = "telemetry";
const SERVICE: &str = "mysql";
/// The port of the registry.
const REGISTRY_PORT: u16 = 5000;
const TAG: &str = "0.1.0";

/// The pods and the registry. Dropping it stops them.
#[derive(Debug)]
pub(super) struct Telemetry {
    pub(super) client: Pod,
    pub(super) server: Pod,
    pub(super) application: Application,
    /// The address of the Service.
    pub(super) service: SocketAddr,
    /// The repository with the image, without a tag.
    pub(super) repository: String,
    /// The tag of the image.
    pub(super) tag: &'static str,
    /// The digest of its manifest, in hexadecimal.
    pub(super) digest: String,
    registry: Option<Registry>,
    _scratch: Scratch,
}

impl Telemetry {
    /// Starts the registry, pushes the image, and starts a client and a server without plugin.
    pub(super) fn start(run: &Run, control: &mut ControlPlane, port: Port) -> Result<Self> {
        let image = run.parts.image.as_ref();
        let image = image.ok_or_else(|| Error::object("the image", "it was not built"))?;
        let scratch = Scratch::new_in(&run.work, "registry")?;
        let address = SocketAddr::from((GATEWAY, REGISTRY_PORT));
        let registry = Registry::start_at(&scratch, Access::Open, address)?;
        let repository = format!("{address}/tcp-peer-stats");
        let digest = push(image, &repository)?;
        run.stages.done("the image is pushed");
        let kubectl = control.kubelet.kubectl();
        workload::namespace(kubectl, NAMESPACE)?;
        let mut objects = workload::objects(SERVICE, "v1", Some(port));
        objects.extend(workload::objects("client", "v1", None));
        kubectl.apply(NAMESPACE, &overlay::list(&objects))?;
        let client = pod(control, "client-v1")?;
        control.kubelet.ready(&client)?;
        let server = pod(control, "mysql-v1")?;
        let application = Application::start(&server, port.target, First::Client)?;
        control.kubelet.ready(&server)?;
        let kubectl = control.kubelet.kubectl();
        let service = workload::cluster_address(kubectl, NAMESPACE, SERVICE)?;
        run.stages.done("the pods for plugins are ready");
        Ok(Self {
            client,
            server,
            application,
            service: SocketAddr::from((service, port.service)),
            repository,
            tag: TAG,
            digest,
            registry: Some(registry),
            _scratch: scratch,
        })
    }

    /// Stops the registry, for good.
    pub(super) fn stop_registry(&mut self) {
        self.registry = None;
    }
}

fn pod(control: &mut ControlPlane, deployment: &str) -> Result<Pod> {
    let kubectl = control.kubelet.kubectl();
    workload::label(kubectl, NAMESPACE, deployment, "telemetry")?;
    let spec = workload::pod(kubectl, NAMESPACE, deployment)?;
    control.kubelet.start(spec)
}

/// Pushes the image to a registry on plain HTTP and returns the digest of its manifest.
pub(super) fn push(image: &Image, repository: &str) -> Result<String> {
    let mut command = Command::new(&image.oci);
    command
        .args(["push", "--insecure", "--layout"])
        .arg(&image.layout)
        .arg(format!("{repository}:{TAG}"));
    let output = process::run("cargo oci push", command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tagged = format!("{repository}:{TAG}@sha256:");
    let digest = text.lines().find_map(|line| line.strip_prefix(&tagged));
    let digest = digest.ok_or_else(|| {
        let reason = format!("its output names no digest of {repository}:{TAG}: {text}");
        Error::object("cargo oci push", reason)
    })?;
    Ok(digest.to_owned())
}
