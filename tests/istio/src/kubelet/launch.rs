//! Starts and removes pods.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Duration;

use mesh::envoy::http_get;
use mesh::error::Context;
use mesh::process::{self, Process};

use super::container::{CONTAINER, Plan};
use super::environment::{self, Capacity, Environment};
use super::fields::Fields;
use super::image::{self, Image};
use super::pod::{Pod, log};
use super::spec::{Container, PodSpec};
use super::{status, volumes};
use crate::cluster::{API_PORT, GATEWAY, Host, Kubectl, Kubernetes, NODE, Network, until};
use crate::error::Result;
use crate::tools::Tools;

const READY_LIMIT: Duration = Duration::from_secs(120);
const PATH: &str = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The kubelet of the only node. Dropping it stops the control plane.
#[derive(Debug)]
pub struct Kubelet {
    kubernetes: Kubernetes,
    network: Network,
    tools: Tools,
    envoy: PathBuf,
    work: PathBuf,
    logs: PathBuf,
    capacity: Capacity,
    /// The names that containers can resolve.
    names: BTreeMap<String, Ipv4Addr>,
}

impl Kubelet {
    /// Returns a kubelet that runs no pod.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn new(
        kubernetes: Kubernetes,
        network: Network,
        tools: &Tools,
        envoy: &Path,
        [work, logs]: [&Path; 2],
    ) -> Result<Self> {
        let kubelet = Self {
            kubernetes,
            network,
            tools: tools.clone(),
            envoy: envoy.to_owned(),
            work: work.to_owned(),
            logs: logs.to_owned(),
            capacity: capacity()?,
            names: BTreeMap::from([("localhost".to_owned(), Ipv4Addr::LOCALHOST)]),
        };
        kubelet.write_names()?;
        Ok(kubelet)
    }

    /// The client of the API server.
    #[must_use]
    pub fn kubectl(&self) -> &Kubectl {
        self.kubernetes.kubectl()
    }

    /// The API server.
    #[must_use]
    pub fn kubernetes(&self) -> &Kubernetes {
        &self.kubernetes
    }

    /// The programs.
    #[must_use]
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The folder for files of this run.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Makes a name resolvable in all containers, which a DNS server of the cluster would do.
    ///
    /// # Errors
    /// The file of names cannot be written.
    pub fn name(&mut self, name: &str, address: Ipv4Addr) -> Result<()> {
        self.names.insert(name.to_owned(), address);
        self.write_names()
    }

    /// Starts a pod at a new address, and waits until its containers are ready. The API server
    /// learns that only by [`Self::ready`], so that the caller can start an application before.
    ///
    /// # Errors
    /// A container does not start or does not become ready.
    pub fn start(&mut self, spec: PodSpec) -> Result<Pod> {
        let host = self.network.add()?;
        self.start_at(spec, host)
    }

    /// As [`Self::start`], at the address of a pod that was removed.
    ///
    /// # Errors
    /// A container does not start or does not become ready.
    pub fn start_in_place_of(&mut self, removed: &Host, spec: PodSpec) -> Result<Pod> {
        let host = self.network.add_in_place_of(removed)?;
        self.start_at(spec, host)
    }

    /// Reports to the API server that a pod is ready.
    ///
    /// # Errors
    /// The API server does not accept it.
    pub fn ready(&self, pod: &Pod) -> Result<()> {
        status::report(&pod.spec, pod.address(), true, self.kubectl())
    }

    /// Reports to the API server that a pod is not ready, so that clients stop to use it.
    ///
    /// # Errors
    /// The API server does not accept it.
    pub fn not_ready(&self, pod: &Pod) -> Result<()> {
        status::report(&pod.spec, pod.address(), false, self.kubectl())
    }

    /// Runs the containers of a pod again, after [`Pod::kill`].
    ///
    /// # Errors
    /// A container does not start or does not become ready.
    pub fn restart(&self, pod: &mut Pod) -> Result<()> {
        self.run(pod)?;
        self.ready(pod)
    }

    /// Updates the files in the volumes of a pod, as a kubelet does within a minute.
    ///
    /// # Errors
    /// An object is gone, or a file cannot be written.
    pub fn refresh(&self, pod: &Pod) -> Result<()> {
        self.volumes(pod)?;
        Ok(())
    }

    /// Kills all processes of a pod and removes its network. The object is the caller's to delete.
    ///
    /// # Errors
    /// The network cannot be removed.
    pub fn remove(&self, pod: Pod) -> Result<Host> {
        let host = pod.host.clone();
        self.network.remove(&host)?;
        drop(pod);
        Ok(host)
    }

    fn start_at(&mut self, spec: PodSpec, host: Host) -> Result<Pod> {
        status::bind(&spec, NODE, self.kubernetes.kubectl())?;
        let address = host.address();
        status::report(&spec, address, false, self.kubernetes.kubectl())?;
        let mut pod = Pod {
            spec,
            host,
            processes: Vec::new(),
            logs: self.logs.clone(),
        };
        self.run(&mut pod)?;
        Ok(pod)
    }

    /// Runs the containers of a pod and waits until they are ready.
    fn run(&self, pod: &mut Pod) -> Result<()> {
        let fields = fields(pod);
        let folder = self.folder(pod);
        let volumes = self.volumes(pod)?;
        let mut processes = Vec::new();
        for container in &pod.spec.spec.init_containers {
            let Some(command) = self.command(container, &fields, &volumes, &folder)? else {
                continue;
            };
            if container.is_sidecar() {
                processes.push(self.spawn(container, command, pod)?);
            } else {
                let output = pod.inside(|| Ok(process::run(&container.name, command)?))?;
                let log = log(&self.logs, pod.name(), &container.name);
                fs::write(&log, [output.stdout, output.stderr].concat())
                    .context(|| format!("cannot write {}", log.display()))?;
            }
        }
        for container in &pod.spec.spec.containers {
            if let Some(command) = self.command(container, &fields, &volumes, &folder)? {
                processes.push(self.spawn(container, command, pod)?);
            }
        }
        pod.processes = processes;
        self.wait(pod)
    }

    /// The folders of the volumes of a pod, by name.
    fn volumes(&self, pod: &Pod) -> Result<BTreeMap<String, PathBuf>> {
        volumes::create(&fields(pod), self.kubernetes.kubectl(), &self.folder(pod))
    }

    fn folder(&self, pod: &Pod) -> PathBuf {
        self.work.join("pods").join(&pod.spec.metadata.uid)
    }

    /// Waits until the readiness probes of all running containers succeed.
    fn wait(&self, pod: &mut Pod) -> Result<()> {
        let running = pod.processes.iter().map(|(name, _)| name.clone());
        for name in running.collect::<Vec<_>>() {
            let container = pod.spec.container(&name)?;
            let probe = container.readiness_probe.as_ref();
            let Some(get) = probe.and_then(|probe| probe.http_get.clone()) else {
                continue;
            };
            let url = format!("http://{}:{}{}", pod.address(), get.port, get.path);
            let what = format!("{} of {} being ready", name, pod.name());
            until(&what, READY_LIMIT, || {
                pod.check()?;
                Ok(pod.inside(|| Ok(http_get(&url)?)).ok())
            })?;
        }
        Ok(())
    }

    fn spawn(
        &self,
        container: &Container,
        command: Command,
        pod: &Pod,
    ) -> Result<(String, Process)> {
        let log = log(&self.logs, pod.name(), &container.name);
        // Envoy opens its log a second time, as the container's user.
        File::create(&log)
            .and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o666)))
            .context(|| format!("cannot create {}", log.display()))?;
        let name = format!("{} of {}", container.name, pod.name());
        let process = pod.inside(|| Ok(Process::spawn(&name, command, &log)?))?;
        Ok((container.name.clone(), process))
    }

    /// The command that becomes a container; `None` if its image is not one of Istio's.
    fn command(
        &self,
        container: &Container,
        fields: &Fields<'_>,
        volumes: &BTreeMap<String, PathBuf>,
        folder: &Path,
    ) -> Result<Option<Command>> {
        let Some(image) = image::of(container, &self.tools, &self.envoy)? else {
            return Ok(None);
        };
        let plan = self.plan(container, image, fields, volumes, folder)?;
        let file = folder.join(format!("{}.json", container.name));
        let text = serde_json::to_vec(&plan)
            .map_err(|error| mesh::Error::malformed("the plan of a container", error))?;
        fs::write(&file, text).context(|| format!("cannot write {}", file.display()))?;
        let this = std::env::current_exe().context(|| "cannot find this program")?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--"])
            .arg(this)
            .arg(CONTAINER)
            .arg(file);
        Ok(Some(command))
    }

    fn plan(
        &self,
        container: &Container,
        image: Image,
        fields: &Fields<'_>,
        volumes: &BTreeMap<String, PathBuf>,
        folder: &Path,
    ) -> Result<Plan> {
        let base = [
            ("PATH", PATH.to_owned()),
            ("HOME", "/tmp".to_owned()),
            ("HOSTNAME", fields.pod.metadata.name.clone()),
            ("KUBERNETES_SERVICE_HOST", GATEWAY.to_string()),
            ("KUBERNETES_SERVICE_PORT", API_PORT.to_string()),
        ];
        let base = base.map(|(name, value)| (name.to_owned(), value));
        let capacity = &self.capacity;
        let environment =
            environment::environment(container, fields, capacity, Environment::from(base))?;
        let mut mounts = image.files;
        mounts.push((self.names_file(), "/etc/hosts".into()));
        for mount in &container.volume_mounts {
            let volume = volumes.get(&mount.name).ok_or_else(|| {
                let reason = format!(
                    "{} mounts no volume of the pod: {}",
                    container.name, mount.name
                );
                fields.pod.error(reason)
            })?;
            let source = mount
                .sub_path
                .as_ref()
                .map_or_else(|| volume.clone(), |sub| volume.join(sub));
            mounts.push((source, PathBuf::from(&mount.mount_path)));
        }
        let (own, common) = (
            &container.security_context,
            &fields.pod.spec.security_context,
        );
        let expand = |text: &String| environment::expand(text, &environment);
        let mut words = container.command.iter().map(expand);
        let program = words.next().unwrap_or_else(|| image.entrypoint.to_owned());
        let arguments = words.chain(container.args.iter().map(expand)).collect();
        Ok(Plan {
            layer: folder.join("layers").join(&container.name),
            mounts,
            user: own.run_as_user.or(common.run_as_user).unwrap_or(image.user),
            group: own
                .run_as_group
                .or(common.run_as_group)
                .unwrap_or(image.user),
            capabilities: own.capabilities.clone().unwrap_or_default().add,
            may_gain_privileges: own.allow_privilege_escalation.unwrap_or(true),
            program,
            arguments,
            environment,
        })
    }

    fn names_file(&self) -> PathBuf {
        self.work.join("hosts")
    }

    /// Writes the file that is `/etc/hosts` in all containers.
    fn write_names(&self) -> Result<()> {
        let lines = self
            .names
            .iter()
            .map(|(name, address)| format!("{address} {name}\n"));
        let file = self.names_file();
        fs::write(&file, lines.collect::<String>())
            .context(|| format!("cannot write {}", file.display()))?;
        Ok(())
    }
}

fn fields(pod: &Pod) -> Fields<'_> {
    Fields {
        pod: &pod.spec,
        address: pod.address(),
        node: NODE,
    }
}

/// The processors and the memory of this machine.
fn capacity() -> Result<Capacity> {
    let text = fs::read_to_string("/proc/meminfo").context(|| "cannot read /proc/meminfo")?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.split_whitespace().next());
    Ok(Capacity {
        cpu: available_parallelism().map_or(1, NonZero::get).to_string(),
        memory: format!("{}Ki", kibibytes.unwrap_or("0")),
    })
}
