//! etcd, the API server and the controllers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mesh::error::Context;
use mesh::process::Process;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::kubectl::{Kubectl, until};
use super::network::GATEWAY;
use super::pki::Pki;
use crate::error::Result;
use crate::tools::Tools;

const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEER: &str = "http://127.0.0.1:2380";
/// The port of the API server.
pub(crate) const API_PORT: u16 = 6443;
const START_LIMIT: Duration = Duration::from_secs(120);

/// The controllers without which Deployments, Services and service accounts have no effect.
const CONTROLLERS: [&str; 8] = [
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
];

/// A running API server. Dropping it stops all its processes.
#[derive(Debug)]
pub struct Kubernetes {
    kubectl: Kubectl,
    api: Process,
    _others: [Process; 2],
}

impl Kubernetes {
    /// Starts etcd, the API server and the controllers, and waits until they answer.
    ///
    /// # Errors
    /// A program does not start.
    pub fn start(tools: &Tools, work: &Path, logs: &Path) -> Result<Self> {
        let pki = Pki::create(&work.join("pki"))?;
        let configuration = write_configuration(&pki, work)?;
        let kubectl = Kubectl::new(tools.path("kubectl")?, &configuration, work);
        let start = |name: &'static str, arguments: Vec<String>| -> Result<Process> {
            let mut command = Command::new(tools.path(name)?);
            command.args(arguments).current_dir(work);
            let log = logs.join(format!("{name}.log"));
            Ok(Process::spawn(name, command, &log)?)
        };
        let etcd = start("etcd", etcd(work))?;
        let mut api = start("kube-apiserver", api_server(&pki, work))?;
        until("the API server being ready", START_LIMIT, || {
            api.check()?;
            Ok(kubectl.run(&["get", "--raw", "/readyz"]).ok())
        })?;
        let controllers = start("kube-controller-manager", controllers(&pki, &configuration))?;
        // The controller of EndpointSlices ignores pods without a node.
        let node = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": NODE } });
        kubectl.send(&["create", "--filename"], &node.to_string())?;
        Ok(Self {
            kubectl,
            api,
            _others: [etcd, controllers],
        })
    }

    /// Stops the API server without an end of its connections, as a broken network does.
    ///
    /// # Errors
    /// The process is gone.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Continues the API server, and waits until it answers.
    ///
    /// # Errors
    /// The process is gone or does not answer.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)?;
        until("the API server being ready", START_LIMIT, || {
            Ok(self.kubectl.run(&["get", "--raw", "/readyz"]).ok())
        })?;
        Ok(())
    }

    /// Whether the API server answers within a second.
    #[must_use]
    pub fn answers(&self) -> bool {
        let limit = "--request-timeout=1s";
        self.kubectl
            .run(&["get", "--raw", "/readyz", limit])
            .is_ok()
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = Pid::from_raw(self.api.id().cast_signed());
        let sent = id
            .ok_or(Errno::SRCH)
            .and_then(|id| kill_process(id, signal));
        sent.map_err(io::Error::from)
            .context(|| "cannot signal the API server")?;
        Ok(())
    }

    /// Its client.
    #[must_use]
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }
}

/// The name of the only node, to which the kubelet binds all pods.
pub(crate) const NODE: &str = "node-1";

fn etcd(work: &Path) -> Vec<String> {
    let flags = [
        ("--data-dir", work.join("etcd").display().to_string()),
        ("--listen-client-urls", ETCD.into()),
        ("--advertise-client-urls", ETCD.into()),
        ("--listen-peer-urls", ETCD_PEER.into()),
    ];
    let flags = flags.map(|(name, value)| format!("{name}={value}"));
    // The data need not outlive the process.
    let fast = "--unsafe-no-fsync".to_owned();
    flags.into_iter().chain([fast]).collect()
}

fn api_server(pki: &Pki, work: &Path) -> Vec<String> {
    let file = |name: &str| pki.file(name).display().to_string();
    let flags = [
        ("--etcd-servers", ETCD.to_owned()),
        ("--bind-address", GATEWAY.to_string()),
        ("--secure-port", API_PORT.to_string()),
        ("--cert-dir", work.join("api").display().to_string()),
        ("--tls-cert-file", file("apiserver.crt")),
        ("--tls-private-key-file", file("apiserver.key")),
        ("--client-ca-file", file("ca.crt")),
        ("--requestheader-client-ca-file", file("ca.crt")),
        ("--requestheader-allowed-names", "front-proxy".into()),
        ("--service-cluster-ip-range", "10.96.0.0/16".into()),
        (
            "--service-account-issuer",
            "https://kubernetes.default.svc".into(),
        ),
        ("--service-account-key-file", file("accounts.pub")),
        ("--service-account-signing-key-file", file("accounts.key")),
        ("--authorization-mode", "RBAC".into()),
        ("--allow-privileged", "true".into()),
        // Calls webhooks at the addresses of their pods: there is no kube-proxy.
        ("--enable-aggregator-routing", "true".into()),
    ];
    flags.map(|(name, value)| format!("{name}={value}")).into()
}

fn controllers(pki: &Pki, configuration: &Path) -> Vec<String> {
    let file = |name: &str| pki.file(name).display().to_string();
    let configuration = configuration.display().to_string();
    let flags = [
        ("--kubeconfig", configuration.clone()),
        ("--authentication-kubeconfig", configuration.clone()),
        ("--authorization-kubeconfig", configuration),
        ("--controllers", CONTROLLERS.join(",")),
        ("--leader-elect", "false".into()),
        ("--bind-address", "127.0.0.1".into()),
        ("--root-ca-file", file("ca.crt")),
        ("--service-account-private-key-file", file("accounts.key")),
    ];
    flags.map(|(name, value)| format!("{name}={value}")).into()
}

/// Writes the administrator's configuration of clients.
fn write_configuration(pki: &Pki, work: &Path) -> Result<PathBuf> {
    let document = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "mesh",
        "contexts": [{ "name": "mesh", "context": { "cluster": "mesh", "user": "admin" } }],
        "clusters": [{ "name": "mesh", "cluster": {
            "server": format!("https://{GATEWAY}:{API_PORT}"),
            "certificate-authority": pki.file("ca.crt"),
        } }],
        "users": [{ "name": "admin", "user": {
            "client-certificate": pki.file("admin.crt"),
            "client-key": pki.file("admin.key"),
        } }],
    });
    let path = work.join("kubeconfig");
    fs::write(&path, document.to_string())
        .context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
