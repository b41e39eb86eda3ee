//! The pods of the checks of plugins, and the registry with the image.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::registry::{Access, Registry};
use mesh::{Scratch, process};

use super::application::{Application, First};
use super::other_image;
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
    oci: PathBuf,
    /// The layouts of the image and of one with another module.
    layouts: [PathBuf; 2],
    scratch: Scratch,
}

/// An image that can be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The one that `cargo oci build` made.
    Built,
    /// One with a module that is another one to Envoy.
    Other,
}

impl Telemetry {
    /// Starts the registry, pushes the image, and starts a client and a server without plugin.
    pub(super) fn start(run: &Run, control: &mut ControlPlane, port: Port) -> Result<Self> {
        let image = run.parts.image.as_ref();
        let image = image.ok_or_else(|| Error::object("the image", "it was not built"))?;
        let scratch = Scratch::new_in(&run.work, "registry")?;
        let registry = registry(&scratch)?;
        let repository = format!("{}/tcp-peer-stats", registry.address());
        let digest = push(image, &repository)?;
        let other = other_image::create(&image.layout, &run.work.join("other-image"))?;
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
            oci: image.oci.clone(),
            layouts: [image.layout.clone(), other],
            scratch,
        })
    }

    /// Pushes an image under a tag, which may have another one. Returns its digest.
    pub(super) fn push(&self, content: Content, tag: &str) -> Result<String> {
        let [built, other] = &self.layouts;
        let layout = if content == Content::Built {
            built
        } else {
            other
        };
        push_layout(&self.oci, layout, &format!("{}:{tag}", self.repository))
    }

    /// Stops the registry.
    pub(super) fn stop_registry(&mut self) {
        self.registry = None;
    }

    /// Starts the registry with the images that it had.
    pub(super) fn start_registry(&mut self) -> Result<()> {
        self.registry = Some(registry(&self.scratch)?);
        Ok(())
    }
}

fn registry(scratch: &Scratch) -> Result<Registry> {
    let address = SocketAddr::from((GATEWAY, REGISTRY_PORT));
    Ok(Registry::start_at(scratch, Access::Open, address)?)
}

fn pod(control: &mut ControlPlane, deployment: &str) -> Result<Pod> {
    let kubectl = control.kubelet.kubectl();
    workload::label(kubectl, NAMESPACE, deployment, "telemetry")?;
    let spec = workload::pod(kubectl, NAMESPACE, deployment)?;
    control.kubelet.start(spec)
}

/// Pushes the image to a registry on plain HTTP and returns the digest of its manifest.
pub(super) fn push(image: &Image, repository: &str) -> Result<String> {
    push_layout(&image.oci, &image.layout, &format!("{repository}:{TAG}"))
}

fn push_layout(oci: &Path, layout: &Path, reference: &str) -> Result<String> {
    let mut command = Command::new(oci);
    command
        .args(["push", "--insecure", "--layout"])
        .arg(layout)
        .arg(reference);
    let output = process::run("cargo oci push", command)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tagged = format!("{reference}@sha256:");
    let digest = text.lines().find_map(|line| line.strip_prefix(&tagged));
    let digest = digest.ok_or_else(|| {
        let reason = format!("its output names no digest of {reference}: {text}");
        Error::object("cargo oci push", reason)
    })?;
    Ok(digest.to_owned())
}
