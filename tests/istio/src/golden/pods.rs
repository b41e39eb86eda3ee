//! The pods of Bookinfo, once with each label, and what istiod configures for them.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::normal::{self, Names};
use super::states::{Installed, Label, State};
use crate::cluster::{Kubectl, until};
use crate::error::{Error, Result};
use crate::istiod::{Istiod, Proxy};
use crate::kubelet::Pod;
use crate::overlay::{self, Port};
use crate::run::ControlPlane;
use crate::workload;

/// The file of the component traffic-extension.
const EXTENSION: &str =
    "--filename=envoy-config/istio/components/traffic-extension/traffic-extension.yaml";
const SERVICE: &str = "mongodb";
const PORT: Port = Port {
    service: 27017,
    target: 27017,
};
/// The kinds of all objects of a state.
const KINDS: &str =
    "envoyfilter,wasmplugin,trafficextension,telemetry,peerauthentication,serviceentry";
const LIMIT: Duration = Duration::from_secs(60);
/// istiod collects events for 100 ms before it looks at them.
const PAUSE: Duration = Duration::from_millis(700);

/// All pods.
pub(super) struct Pods([Pair; 2]);

/// The client and the server with one label, in a namespace of their own.
struct Pair {
    label: Label,
    client: Pod,
    server: Pod,
    names: Names,
}

impl Label {
    const ALL: [Self; 2] = [Self::Exchange, Self::Telemetry];

    fn file(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Telemetry => "telemetry",
        }
    }

    fn namespace(self) -> String {
        format!("bookinfo-{}", self.file())
    }
}

impl Pods {
    /// Applies Bookinfo's files in two namespaces and starts the pods.
    pub(super) fn start(control: &mut ControlPlane) -> Result<Self> {
        let [exchange, telemetry] = Label::ALL;
        Ok(Self([
            Pair::start(exchange, control)?,
            Pair::start(telemetry, control)?,
        ]))
    }

    /// Installs a state for all pods, and returns what istiod configures for those with each label.
    pub(super) fn in_state(
        &self,
        state: &State,
        control: &ControlPlane,
    ) -> Result<Vec<(Label, Value)>> {
        for pair in &self.0 {
            pair.install(state, control.kubelet.kubectl())?;
        }
        let pairs = self.0.iter();
        pairs
            .map(|pair| Ok((pair.label, pair.configured(state, &control.istiod)?)))
            .collect()
    }

    /// Deletes the pods and their namespaces.
    pub(super) fn remove(self, control: &ControlPlane) -> Result<()> {
        let kubectl = control.kubelet.kubectl();
        for pair in self.0 {
            let namespace = pair.label.namespace();
            delete_objects(&namespace, kubectl)?;
            kubectl.run(&["delete", "deployment", "--all", "--namespace", &namespace])?;
            let force = [
                "--all",
                "--force",
                "--grace-period=0",
                "--namespace",
                &namespace,
            ];
            kubectl.run(&[&["delete", "pod"], &force[..]].concat())?;
            for pod in [pair.client, pair.server] {
                control.kubelet.remove(pod)?;
            }
        }
        Ok(())
    }
}

impl Pair {
    fn start(label: Label, control: &mut ControlPlane) -> Result<Self> {
        let kubelet = &mut control.kubelet;
        let namespace = label.namespace();
        let kubectl = kubelet.kubectl();
        workload::namespace(kubectl, &namespace)?;
        let wasm = kubelet.work().join("no.wasm");
        std::fs::write(&wasm, b"")
            .map_err(|source| Error::object("no.wasm", source.to_string()))?;
        workload::modules(kubectl, &namespace, &[&wasm])?;
        for file in ["mongodb", "ratings-v2"] {
            let file = format!("--filename=envoy-config/bookinfo/{file}.yaml");
            kubectl.run(&["apply", "--namespace", &namespace, &file])?;
        }
        let mut pods = Vec::new();
        for deployment in ["ratings-v2", "mongodb-v1"] {
            workload::label(kubelet.kubectl(), &namespace, deployment, label.file())?;
            let spec = workload::pod(kubelet.kubectl(), &namespace, deployment)?;
            let pod = kubelet.start(spec)?;
            kubelet.ready(&pod)?;
            pods.push(pod);
        }
        let names = Names {
            service: workload::cluster_address(kubelet.kubectl(), &namespace, SERVICE)?,
            server: pods.last().map(Pod::address),
            namespace,
        };
        match <[Pod; 2]>::try_from(pods) {
            Ok([client, server]) => Ok(Self {
                label,
                client,
                server,
                names,
            }),
            Err(_) => Err(Error::object(SERVICE, "it has no pods")),
        }
    }

    /// Deletes what is installed, and installs this.
    fn install(&self, state: &State, kubectl: &Kubectl) -> Result<()> {
        let namespace = self.label.namespace();
        delete_objects(&namespace, kubectl)?;
        let mut objects = match state.installed {
            Installed::Nothing => Vec::new(),
            Installed::Overlay(overlay) => overlay::for_ports(kubectl, overlay, &[PORT])?,
            Installed::TrafficExtension => {
                kubectl.run(&["apply", "--namespace", &namespace, EXTENSION])?;
                Vec::new()
            }
        };
        objects.extend(state.mode.map(|mode| {
            json!({
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": { "name": "mode" },
                "spec": { "mtls": { "mode": mode } },
            })
        }));
        objects.push(json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": { "name": "marker" },
            "spec": {
                "hosts": [host(state)],
                "ports": [{ "number": 1, "name": "tcp", "protocol": "TCP" }],
                "resolution": "NONE",
                "exportTo": ["."],
            },
        }));
        kubectl.apply(&namespace, &overlay::list(&objects))?;
        Ok(())
    }

    /// What istiod configures, when it has seen the marker and two looks agree.
    fn configured(&self, state: &State, istiod: &Istiod) -> Result<Value> {
        let cluster = format!("outbound|1||{}", host(state));
        let mut last = None;
        until(&state.file(), LIMIT, || {
            thread::sleep(PAUSE);
            let both = [&self.client, &self.server].map(|pod| self.dump(pod, istiod));
            let [Ok(client), Ok(server)] = both else {
                // The agents connect again to an istiod that replaced another one.
                return Ok(None);
            };
            let is_seen = |dump: &Value| normal::has_cluster(dump, &cluster);
            if !is_seen(&client) || !is_seen(&server) {
                return Ok(None);
            }
            let mut sides = [
                normal::client(&client, &self.names),
                normal::server(&server, &self.names),
            ];
            for side in &mut sides {
                match state.proxy {
                    // It asks for its plugins after it has accepted a listener with them.
                    Proxy::Stock if !normal::has_all_plugins(side) => return Ok(None),
                    Proxy::Stock => {}
                    // It accepts none.
                    Proxy::Native => normal::remove_plugins(side),
                }
            }
            let [client, server] = sides;
            let document = json!({ "client": client, "server": server });
            let is_stable = last.as_ref() == Some(&document);
            last = Some(document);
            Ok(is_stable.then_some(()))
        })?;
        Ok(last.unwrap_or_default())
    }

    /// All resources that istiod would send to a proxy now.
    fn dump(&self, pod: &Pod, istiod: &Istiod) -> Result<Value> {
        let proxy = format!("{}.{}", pod.name(), self.label.namespace());
        let mut dump = istiod.debug(&format!("config_dump?proxyID={proxy}"))?;
        let endpoints = istiod.debug(&format!("edsz?proxyID={proxy}"))?;
        if let (Some(own), Value::Object(all)) = (endpoints.get("configs"), &mut dump) {
            all.insert("endpoints".into(), own.clone());
        }
        Ok(dump)
    }
}

/// A host whose cluster shows that istiod has seen a state.
fn host(state: &State) -> String {
    state.file().replace(".json", ".example")
}

fn delete_objects(namespace: &str, kubectl: &Kubectl) -> Result<()> {
    kubectl.run(&[
        "delete",
        KINDS,
        "--all",
        "--wait=false",
        "--namespace",
        namespace,
    ])?;
    Ok(())
}
