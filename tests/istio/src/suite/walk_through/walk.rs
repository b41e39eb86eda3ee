//! Executes the commands of a page.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh::error::Context;
use mesh::prometheus::Prometheus;
use mesh::{Scratch, process, workspace};

use crate::cluster::until;
use crate::error::{Error, Result};
use crate::kubelet::Pod;
use crate::scraping;
use crate::suite::application::{Application, First};
use crate::suite::bench::Bench;
use crate::suite::clusters::{self, Transport};
use crate::suite::expect;
use crate::suite::measure::expect_unchanged;
use crate::suite::reported::Reported;
use crate::suite::visit::visit;
use crate::workload;

const DEFAULT: &str = "default";
const CONFIG: &str = "envoy-config";
const PLUGIN: &str = "envoy-config/istio/base/telemetry/wasm-plugin.yaml";
/// The registry of the pages.
const REGISTRY: &str = "registry.example.com";
/// The line of the plugin that a reader sets.
const DIGEST: &str = "  # sha256: 0000000000000000000000000000000000000000000000000000000000000000";
const OVERLAY: &str = "envoy-config/istio/overlays/telemetry-instead-of-native/kustomization.yaml";
/// What configures the metrics of Istio's own proxy: stock Envoy refuses its filters.
const NATIVE: &str = "components:\n- ../../components/native-metrics-off\n";
const CLIENT: &str = "ratings-v2";
const SERVER: &str = "mongodb-v1";
const SERVICE: &str = "mongodb";
const CLUSTER: &str = "outbound|27017||mongodb.default.svc.cluster.local";
const PORT: u16 = 27017;
/// The connections after a command that changes the traffic.
const NUMBER: u64 = 10;
const LIMIT: Duration = Duration::from_secs(60);

/// A walk through one page.
pub(super) struct Walk<'a, 'b> {
    bench: &'a mut Bench<'b>,
    /// A copy of the files, which the page tells readers to edit.
    files: PathBuf,
    scratch: Scratch,
    /// The pods by namespace and Deployment.
    pods: BTreeMap<[String; 2], (Pod, Option<Application>)>,
    /// A Prometheus that scrapes them; `None` if it is not installed or not needed yet.
    prometheus: Option<Prometheus>,
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(super) fn start(bench: &'a mut Bench<'b>) -> Result<Self> {
        // The registry.
        bench.telemetry()?;
        let scratch = Scratch::new_in(bench.work(), "walk-through")?;
        let files = scratch.folder("files")?;
        let mut copy = Command::new("cp");
        copy.arg("--recursive")
            .arg(workspace::root().join(CONFIG))
            .arg(&files);
        process::run("cp", copy)?;
        edit(&files.join(OVERLAY), NATIVE, "")?;
        Ok(Self {
            bench,
            files,
            scratch,
            pods: BTreeMap::new(),
            prometheus: None,
        })
    }

    /// Applies MongoDB's files to a namespace.
    pub(super) fn has_mongodb(&self, namespace: &str) -> Result<()> {
        let file = "--filename=envoy-config/bookinfo/mongodb.yaml";
        self.kubectl(&["apply", "--namespace", namespace, file])?;
        Ok(())
    }

    /// Executes a command, with what it has behind `|`.
    pub(super) fn execute(&mut self, command: &str) -> Result<()> {
        let (first, rest) = command
            .split_once(" | ")
            .map_or((command, None), |(first, rest)| (first, Some(rest)));
        expect::holds(
            !first.contains(['\'', '"', '$', '`', '<', '>', ';']),
            || "it needs a shell".to_owned(),
        )?;
        let words: Vec<_> = first.split_whitespace().collect();
        let output = match words.as_slice() {
            ["cargo", "oci", "push", reference] => self.push(reference)?,
            ["cargo", "oci", "inspect", reference] => {
                let reference = self.local(reference)?;
                self.oci(&["inspect", &reference])?
            }
            ["kubectl", "exec", rest @ ..] => self.exec(rest)?,
            ["kubectl", rest @ ..] => {
                if let ["rollout", "status", target, ..] = rest {
                    let deployment = target.strip_prefix("deployment/");
                    self.pod(DEFAULT, deployment.unwrap_or_default())?;
                }
                self.kubectl(rest)?
            }
            _ => {
                return Err(Error::Check(
                    "it is neither executed nor in the list of those that are not".into(),
                ));
            }
        };
        expect::holds(!output.trim().is_empty(), || "no output".to_owned())?;
        if let Some(rest) = rest {
            filter(&output, rest)?;
        }
        self.follow(command)
    }

    /// What the page says of the traffic after a command.
    fn follow(&mut self, command: &str) -> Result<()> {
        let file = command.rsplit('/').next().unwrap_or_default();
        if !command.starts_with("kubectl apply") {
            return Ok(());
        }
        match file {
            "traffic.yaml" => self.traffic("mutual_tls"),
            "destination-rules.yaml" if self.pods.is_empty() => Ok(()),
            "destination-rules.yaml" => self.over(Transport::ByEndpoint, "mutual_tls"),
            "destination-rules-mtls.yaml" => self.over(Transport::Tls, "mutual_tls"),
            "destination-rules-plaintext.yaml" => self.over(Transport::Plaintext, "none"),
            _ => Ok(()),
        }
    }

    /// Waits for a transport, and opens connections over it.
    fn over(&mut self, transport: Transport, security: &str) -> Result<()> {
        let client = self.pod(DEFAULT, CLIENT)?;
        until(&format!("transport {transport:?}"), LIMIT, || {
            let found = clusters::transport(client, CLUSTER)?;
            Ok((found == Some(transport)).then_some(()))
        })?;
        self.traffic(security)
    }

    /// Connections as those of the visitor's requests: both sidecars count them, and the server's
    /// with this security.
    fn traffic(&mut self, security: &str) -> Result<()> {
        let address = workload::cluster_address(self.bench.kubectl(), DEFAULT, SERVICE)?;
        let address = SocketAddr::from((address, PORT));
        self.pod(DEFAULT, SERVER)?;
        let before = [CLIENT, SERVER].map(|name| self.pod(DEFAULT, name)?.metrics());
        let [client, server] = before;
        let (client, server) = (client?, server?);
        let visitor = self.pod(DEFAULT, CLIENT)?;
        let visits = visitor.inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
        expect_unchanged(&visits, std::iter::empty())?;
        until("the connections being counted", LIMIT, || {
            let source = Reported::between(&client, &self.pod(DEFAULT, CLIENT)?.metrics()?);
            let destination = Reported::between(&server, &self.pod(DEFAULT, SERVER)?.metrics()?);
            let counts = (
                source.closed(),
                destination.closed(),
                destination.with_security(security),
            );
            Ok((counts == (NUMBER, NUMBER, NUMBER)).then_some(()))
        })
    }

    /// The query has a result in a Prometheus that scrapes the pods, if there is one here.
    pub(super) fn query(&mut self, query: &str) -> Result<()> {
        if self.prometheus.is_none() {
            let pods: Vec<_> = self.pods.values().map(|(pod, _)| pod).collect();
            let configuration = scraping::configuration(&pods);
            self.prometheus = Some(Prometheus::start_with(&self.scratch, &configuration)?);
        }
        let prometheus = self.prometheus.as_ref();
        until("a result", LIMIT, || {
            let found = prometheus.map(|it| it.query(query)).transpose()?;
            Ok(found.is_some_and(|found| !found.is_empty()).then_some(()))
        })
    }

    /// Kills the pods, whose Deployments the page may have deleted.
    pub(super) fn end(mut self) -> Result<()> {
        self.prometheus = None;
        for ([_, deployment], (pod, application)) in self.pods {
            if let Some(application) = application {
                application.stop(&pod)?;
            }
            self.bench.remove_pod(pod, &deployment)?;
        }
        Ok(())
    }

    /// The pod of a Deployment, with an application if it is a server's. It starts when it is first
    /// needed.
    fn pod(&mut self, namespace: &str, deployment: &str) -> Result<&Pod> {
        let key = [namespace, deployment].map(str::to_owned);
        if !self.pods.contains_key(&key) {
            let pod = self.bench.start_pod(namespace, deployment)?;
            let application = if deployment == SERVER {
                Some(Application::start(&pod, PORT, First::Client)?)
            } else {
                None
            };
            self.pods.insert(key.clone(), (pod, application));
        }
        let found = self.pods.get(&key).map(|(pod, _)| pod);
        found.ok_or_else(|| Error::object(deployment, "it has no pod"))
    }

    fn kubectl(&self, words: &[&str]) -> Result<String> {
        self.bench.kubectl().run_in(&self.files, words)
    }

    /// Runs the command of `kubectl exec deployment/NAME … -- COMMAND` in the network of the pod.
    fn exec(&mut self, words: &[&str]) -> Result<String> {
        let (target, command) = words
            .iter()
            .position(|word| *word == "--")
            .and_then(|at| Some((words.get(..at)?, words.get(at + 1..)?)))
            .ok_or_else(|| Error::Check("kubectl exec without --".into()))?;
        let deployment = target.first().and_then(|it| it.strip_prefix("deployment/"));
        let mut flags = target.windows(2).filter_map(|pair| match pair {
            ["--namespace", name] => Some(*name),
            _ => None,
        });
        let namespace = flags.next().unwrap_or(DEFAULT);
        let ["pilot-agent", arguments @ ..] = command else {
            return Err(Error::Check(format!(
                "no such program in the container: {command:?}"
            )));
        };
        let mut agent = Command::new(self.bench.run().parts.tools.path("pilot-agent")?);
        agent.args(arguments);
        let pod = self.pod(namespace, deployment.unwrap_or_default())?;
        let output = pod.inside(|| Ok(process::run("pilot-agent", agent)?))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The reference in the registry that is here.
    fn local(&mut self, reference: &str) -> Result<String> {
        let repository = self.bench.telemetry()?.0.repository.clone();
        let registry = repository.split('/').next().unwrap_or_default();
        Ok(reference.replace(REGISTRY, registry))
    }

    fn oci(&self, arguments: &[&str]) -> Result<String> {
        let image = self.bench.run().parts.image.as_ref();
        let image = image.ok_or_else(|| Error::object("the image", "it was not built"))?;
        let mut command = Command::new(&image.oci);
        command.args(arguments).arg("--insecure");
        if arguments.first() == Some(&"push") {
            command.arg("--layout").arg(&image.layout);
        }
        let output = process::run("cargo oci", command)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Pushes the image, and sets its name and digest in the plugin as the page says.
    fn push(&mut self, reference: &str) -> Result<String> {
        let reference = self.local(reference)?;
        let output = self.oci(&["push", &reference])?;
        let tagged = format!("{reference}@sha256:");
        let digest = output.lines().find_map(|line| line.strip_prefix(&tagged));
        let digest = digest.ok_or_else(|| Error::object("cargo oci push", output.clone()))?;
        let path = self.files.join(PLUGIN);
        let text = fs::read_to_string(&path).context(|| format!("cannot read {PLUGIN}"))?;
        let url = text.lines().find(|line| line.starts_with("  url: "));
        let url = url.ok_or_else(|| Error::object(PLUGIN, "it has no url"))?;
        edit(&path, url, &format!("  url: oci://{reference}"))?;
        edit(&path, DIGEST, &format!("  sha256: {digest}"))?;
        Ok(output)
    }
}

/// Replaces a text of a file, which has it.
fn edit(path: &Path, old: &str, new: &str) -> Result<()> {
    let what = || format!("cannot edit {}", path.display());
    let text = fs::read_to_string(path).context(what)?;
    expect::holds(text.contains(old), || {
        format!("{} has no {old:?}", path.display())
    })?;
    fs::write(path, text.replace(old, new)).context(what)?;
    Ok(())
}

/// What follows `|` succeeds with this input.
fn filter(input: &str, command: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = shell.spawn().context(|| "cannot start sh")?;
    if let Some(mut stdin) = child.stdin.take() {
        // A filter may end before it has read everything.
        let _closed = stdin.write_all(input.as_bytes());
    }
    let status = child.wait().context(|| "cannot wait for sh")?;
    expect::holds(status.success(), || format!("`{command}` finds nothing"))
}
