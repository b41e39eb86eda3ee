//! Istio's control plane: its objects, istiod in a pod, and what istiod says of its proxies.

mod proxies;

use std::process::Command;
use std::time::Duration;

use mesh::process;
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::until;
use crate::error::{Error, Result};
use crate::kubelet::{Kubelet, Pod, PodSpec};
use crate::{overlay, workload};

pub use self::proxies::Proxies;

/// The namespace of istiod.
pub const NAMESPACE: &str = "istio-system";

/// The settings of `istioctl manifest generate`.
const SETTINGS: [&str; 7] = [
    "profile=minimal",
    "values.pilot.env.PILOT_ENABLE_ALPN_FILTER=false",
    "values.pilot.env.PILOT_ENABLE_GATEWAY_API=false",
    "values.pilot.env.ENABLE_LEADER_ELECTION=false",
    // Stock Envoy has no compressor for Istio's stats.
    "meshConfig.defaultConfig.statsCompression=false",
    // Otherwise istiod and the agents ask the metadata servers of clouds at their start.
    "values.pilot.env.CLOUD_PLATFORM=none",
    "meshConfig.defaultConfig.proxyMetadata.CLOUD_PLATFORM=none",
];

/// The settings with which istiod does not configure the filters that only Istio's own proxy has.
const WITHOUT_NATIVE_FILTERS: [&str; 2] = [
    "values.telemetry.enabled=false",
    "values.pilot.env.PILOT_ENABLE_METADATA_EXCHANGE=false",
];

/// The proxies that istiod configures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Stock Envoy.
    Stock,
    /// Istio's own, which has its exchange filter and its stats filter. Stock Envoy refuses them.
    Native,
}

/// The webhook that validates Istio's objects.
const VALIDATION: &str = "validatingwebhookconfiguration/istio-validator-istio-system";

/// Its name in the cluster.
const HOST: &str = "istiod.istio-system.svc";
/// Its debug interface, in its pod.
const DEBUG: &str = "http://127.0.0.1:8080/debug";

const LIMIT: Duration = Duration::from_secs(60);

/// A running istiod whose webhooks answer.
#[derive(Debug)]
pub struct Istiod {
    pod: Pod,
}

#[derive(Deserialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    client_config: ClientConfig,
    failure_policy: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientConfig {
    ca_bundle: Option<String>,
}

impl Istiod {
    /// Creates Istio's objects, runs the pod of Deployment istiod, and waits until its injector
    /// can be called.
    ///
    /// # Errors
    /// An object is refused, or istiod does not become ready.
    pub fn start(kubelet: &mut Kubelet) -> Result<Self> {
        let kubectl = kubelet.kubectl();
        kubectl.run(&["create", "namespace", NAMESPACE])?;
        let manifests = manifests(kubelet, Proxy::Stock)?;
        apply(kubelet, &manifests)?;
        validate_all(kubelet)?;
        let spec: PodSpec = kubelet.kubectl().until("a pod of Deployment istiod", || {
            let mut pods = kubelet.kubectl().list(NAMESPACE, "pods", "app=istiod")?;
            Ok(pods.pop())
        })?;
        let pod = kubelet.start(spec)?;
        kubelet.name(HOST, pod.address())?;
        kubelet.ready(&pod)?;
        let istiod = Self { pod };
        istiod.wait(kubelet)?;
        Ok(istiod)
    }

    /// Replaces it by an istiod for other proxies. Injected pods stay as they are.
    ///
    /// # Errors
    /// An object is refused, or the new istiod does not become ready.
    pub fn replace(&mut self, kubelet: &mut Kubelet, proxy: Proxy) -> Result<()> {
        let manifests = manifests(kubelet, proxy)?;
        let mut objects: Vec<Value> = serde_saphyr::from_multiple(&manifests)
            .map_err(|error| mesh::Error::malformed("the output of istioctl", error))?;
        // The webhooks have what this istiod and `validate_all` wrote.
        objects.retain(|object| {
            let kind = object.get("kind").and_then(Value::as_str);
            matches!(kind, Some("ConfigMap" | "Deployment"))
        });
        let list = overlay::list(&objects);
        let kubectl = kubelet.kubectl();
        let apply = ["apply", "--server-side", "--force-conflicts", "--filename"];
        kubectl.send(&apply, &list)?;
        let spec = workload::pod(kubectl, NAMESPACE, "istiod")?;
        self.pod.kill()?;
        let force = ["--force", "--grace-period=0", "--namespace", NAMESPACE];
        kubectl.run(&[&["delete", "pod", self.pod.name()], &force[..]].concat())?;
        let pod = kubelet.start(spec)?;
        kubelet.name(HOST, pod.address())?;
        kubelet.ready(&pod)?;
        kubelet.remove(std::mem::replace(&mut self.pod, pod))?;
        self.wait(kubelet)
    }

    /// A page of its debug interface as JSON.
    ///
    /// # Errors
    /// istiod does not answer, or not with JSON.
    pub fn debug(&self, page: &str) -> Result<Value> {
        let text = self.pod.get(&format!("{DEBUG}/{page}"))?;
        Ok(serde_json::from_str(&text)
            .map_err(|error| mesh::Error::malformed(format!("{page} of istiod"), error))?)
    }

    /// What istiod says of its proxies.
    ///
    /// # Errors
    /// istiod does not answer.
    pub fn proxies(&self) -> Result<Proxies> {
        let sync = self.pod.get(&format!("{DEBUG}/syncz"))?;
        let metrics = self.pod.get("http://127.0.0.1:15014/metrics")?;
        Proxies::parse(&sync, &metrics)
    }

    /// Waits until at least `number` proxies are connected, all have acknowledged everything that
    /// istiod sent, and none has refused anything since istiod's start.
    ///
    /// # Errors
    /// A proxy refused a resource, does not acknowledge one, or is not connected.
    pub fn settled(&self, number: usize) -> Result<Proxies> {
        let mut last = String::new();
        let settled = until("all proxies acknowledging all resources", LIMIT, || {
            let proxies = self.proxies()?;
            proxies.check_rejects()?;
            let pending = proxies.pending();
            let connected = proxies.number();
            last = format!(
                "{connected} of {number} proxies connected, {}",
                pending.join(", ")
            );
            Ok((pending.is_empty() && connected >= number).then_some(proxies))
        });
        settled.map_err(|error| match error {
            Error::Testbed(timeout) if timeout.is_timeout() => {
                Error::Check(format!("not acknowledged: {last}"))
            }
            other => other,
        })
    }

    /// Kills it.
    ///
    /// # Errors
    /// Its processes cannot be listed.
    pub fn kill(&mut self) -> Result<()> {
        self.pod.kill()
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn restart(&mut self, kubelet: &Kubelet) -> Result<()> {
        kubelet.restart(&mut self.pod)?;
        self.wait(kubelet)
    }

    /// Waits until the API server can call the injector and the validation.
    fn wait(&self, kubelet: &Kubelet) -> Result<()> {
        let kubectl = kubelet.kubectl();
        kubectl.until("the injector's authority being known", || {
            let object = "mutatingwebhookconfiguration/istio-sidecar-injector";
            let found: Webhooks = kubectl.get(NAMESPACE, object)?;
            let is_known = |webhook: &Webhook| {
                let bundle = webhook.client_config.ca_bundle.as_deref();
                bundle.is_some_and(|bundle| !bundle.is_empty())
            };
            Ok(found.webhooks.iter().all(is_known).then_some(()))
        })?;
        // istiod sets it when its validation answers.
        kubectl.until("the validation being required", || {
            let found: Webhooks = kubectl.get(NAMESPACE, VALIDATION)?;
            let is_required = |webhook: &Webhook| webhook.failure_policy == "Fail";
            Ok(found.webhooks.iter().all(is_required).then_some(()))
        })?;
        kubectl.until("the endpoint of Service istiod", || {
            let selector = "kubernetes.io/service-name=istiod";
            let slices: Vec<Value> = kubectl.list(NAMESPACE, "endpointslices", selector)?;
            let mut endpoints = slices
                .iter()
                .filter_map(|slice| slice.get("endpoints")?.get(0));
            let ready = endpoints
                .any(|endpoint| endpoint.pointer("/conditions/ready") == Some(&Value::Bool(true)));
            Ok(ready.then_some(()))
        })
    }
}

/// Makes istiod's validation see all objects. `istioctl install` adds a second configuration for
/// objects without the label of a revision; `istioctl manifest generate` has the first one only.
fn validate_all(kubelet: &Kubelet) -> Result<()> {
    let patch = r#"[{ "op": "remove", "path": "/webhooks/0/objectSelector" }]"#;
    let flags = ["--type=json", "--patch", patch];
    kubelet
        .kubectl()
        .run(&[&["patch", VALIDATION], &flags[..]].concat())?;
    Ok(())
}

/// Renders Istio's objects.
fn manifests(kubelet: &Kubelet, proxy: Proxy) -> Result<String> {
    let off = WITHOUT_NATIVE_FILTERS
        .iter()
        .filter(|_| proxy == Proxy::Stock);
    let settings = SETTINGS.iter().chain(off);
    let mut command = Command::new(kubelet.tools().path("istioctl")?);
    command
        .args(["manifest", "generate"])
        .args(settings.flat_map(|setting| ["--set", setting]))
        .env("HOME", kubelet.work());
    let output = process::run("istioctl", command)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Applies Istio's objects. The first attempt can fail, because the API server needs a moment to
/// know the kinds that it creates.
fn apply(kubelet: &Kubelet, manifests: &str) -> Result<()> {
    let arguments = ["apply", "--server-side", "--filename"];
    let mut last = None;
    let applied = until("Istio's objects being applied", LIMIT, || {
        match kubelet.kubectl().send(&arguments, manifests) {
            Ok(_) => Ok(Some(())),
            Err(error) => {
                last = Some(error);
                Ok(None)
            }
        }
    });
    applied.map_err(|timeout| last.unwrap_or(timeout))
}
