//! A real Envoy Gateway without a cluster: it reads the files of `envoy-config/envoy-gateway`,
//! starts a stock Envoy, and configures it.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mesh::envoy::http_get;
use mesh::error::Context;
use mesh::process::Process;
use mesh::{Exposition, Scratch, workspace};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cluster::until;
use crate::error::{Error, Result};
use crate::run::Run;

/// The program.
const PROGRAM: &str = "envoy-gateway";
const FILES: &str = "envoy-config/envoy-gateway";
/// The file of the module in a pod.
const MODULE: &str = "/var/lib/tcp-peer-stats/tcp_peer_stats.wasm";
const CONTROLLER: &str = "gateway.envoyproxy.io/gatewayclass-controller";
/// The listener that the policy names.
const LISTENER: &str = "default/eg/mongodb";
/// The port of the listener.
pub const PORT: u16 = 27017;
/// The cluster of the route.
pub const CLUSTER: &str = "tcproute/default/mongodb/rule/-1";
const LIMIT: Duration = Duration::from_secs(60);

/// A running gateway. Dropping it stops it and its Envoy.
#[derive(Debug)]
pub struct EnvoyGateway {
    _process: Process,
    /// The address of Envoy's admin interface.
    admin: String,
    _scratch: Scratch,
}

impl EnvoyGateway {
    /// Starts it in front of a server, and waits until its Envoy has the listener.
    ///
    /// # Errors
    /// Its program is not built, or it does not start.
    pub fn start(run: &Run, server: SocketAddr) -> Result<Self> {
        let program = run.parts.tools.path(PROGRAM)?;
        let scratch = Scratch::new_in(&run.work, PROGRAM)?;
        let folder = scratch.path();
        write_files(run, folder, server)?;
        let config = folder.join("config");
        let command = || {
            let mut command = Command::new(program);
            command.env("HOME", folder);
            command
        };
        let mut certificates = command();
        certificates
            .args(["certgen", "--local", "--config-home"])
            .arg(&config);
        mesh::process::run(PROGRAM, certificates)?;
        let mut serve = command();
        serve
            .args(["server", "--config-path"])
            .arg(folder.join("envoy-gateway.json"));
        let log = run.logs.join("envoy-gateway.log");
        // It stops its Envoy.
        let mut process = Process::spawn_stopped_by(Signal::TERM, PROGRAM, serve, &log)?;
        let admin = until("the listener of Envoy Gateway", LIMIT, || {
            process.check()?;
            let Some(admin) = admin(&folder.join("run")) else {
                return Ok(None);
            };
            let listeners = http_get(&format!("http://{admin}/listeners")).unwrap_or_default();
            Ok(listeners.contains(LISTENER).then_some(admin))
        })?;
        Ok(Self {
            _process: process,
            admin,
            _scratch: scratch,
        })
    }

    /// The metrics of its Envoy.
    ///
    /// # Errors
    /// Envoy does not answer.
    pub fn metrics(&self) -> Result<Exposition> {
        let text = http_get(&format!("http://{}/stats/prometheus", self.admin))?;
        Ok(Exposition::parse(&text)?)
    }

    /// The listener and its cluster as it configures them, with the file of the module in a pod and
    /// without access logs.
    ///
    /// # Errors
    /// Envoy does not answer, or has no such listener.
    pub fn configured(&self, run: &Run) -> Result<Value> {
        let text = http_get(&format!("http://{}/config_dump", self.admin))?;
        let text = text.replace(&*run.parts.wasm.to_string_lossy(), MODULE);
        let dump: Value = serde_json::from_str(&text)
            .map_err(|error| mesh::Error::malformed("the configuration of Envoy", error))?;
        let find = |list: &str, place: &str, name: &str| {
            let configs = dump.get("configs").and_then(Value::as_array);
            let mut all = configs
                .into_iter()
                .flatten()
                .filter_map(|config| config.get(list)?.as_array())
                .flatten()
                .filter_map(|it| it.pointer(place));
            let found = all.find(|it| it.get("name").is_some_and(|own| own == name));
            found
                .cloned()
                .map(without_logs)
                .ok_or_else(|| Error::object(name, "Envoy Gateway does not configure it"))
        };
        Ok(json!({
            "listener": find("dynamic_listeners", "/active_state/listener", LISTENER)?,
            "cluster": find("dynamic_active_clusters", "/cluster", CLUSTER)?,
        }))
    }
}

/// The address of the admin interface, in a file in a folder of this run of Envoy.
fn admin(run: &Path) -> Option<String> {
    let entries = fs::read_dir(run).ok()?.flatten();
    let mut files = entries.map(|entry| entry.path().join("admin-address.txt"));
    files.find_map(|file| fs::read_to_string(file).ok())
}

fn without_logs(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| name != "access_log");
            Value::Object(
                kept.map(|(name, member)| (name, without_logs(member)))
                    .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(without_logs).collect(),
        other => other,
    }
}

/// Writes the settings and the objects, and puts Envoy where the gateway looks before it asks the
/// internet.
fn write_files(run: &Run, folder: &Path, server: SocketAddr) -> Result<()> {
    let version = run
        .parts
        .envoy_version
        .split('/')
        .next()
        .unwrap_or_default();
    let home = |name: &str| folder.join(name);
    let programs = home("data").join(format!("envoy-versions/{version}/bin"));
    for path in [&programs, &home("objects")] {
        fs::create_dir_all(path).context(|| format!("cannot create {}", path.display()))?;
    }
    let envoy = programs.join("envoy");
    symlink(&run.parts.envoy, &envoy).context(|| format!("cannot link {}", envoy.display()))?;
    let settings = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": { "controllerName": CONTROLLER },
        "provider": {
            "type": "Custom",
            "custom": {
                "resource": { "type": "File", "file": { "paths": [home("objects")] } },
                "infrastructure": {
                    "type": "Host",
                    "host": {
                        "configHome": home("config"),
                        "dataHome": home("data"),
                        "stateHome": home("state"),
                        "runtimeDir": home("run"),
                    },
                },
            },
        },
        "extensionApis": { "enableBackend": true, "enableEnvoyPatchPolicy": true },
    });
    write(&home("envoy-gateway.json"), &settings.to_string())?;
    let mut proxy = read("envoy-proxy.yaml")?;
    if let Some(provider) = proxy.pointer_mut("/spec/provider") {
        // Outside of a cluster there is no Deployment with the volume of the module.
        *provider = json!({ "type": "Host", "host": { "envoyVersion": version } });
    }
    let policy = read("envoy-patch-policy.yaml")?.to_string();
    let policy = policy.replace(MODULE, &run.parts.wasm.to_string_lossy());
    // The gateway reads documents, not a List.
    let mut text = format!("{proxy}\n---\n{policy}\n");
    for object in objects(server) {
        text.push_str(&format!("---\n{object}\n"));
    }
    write(&home("objects").join("objects.yaml"), &text)
}

/// The objects around the files: a Gateway with one TCP listener, and a route to the server.
fn objects(server: SocketAddr) -> [Value; 4] {
    let api = "gateway.networking.k8s.io/v1";
    let named = |name: &str| json!({ "name": name, "namespace": "default" });
    [
        json!({
            "apiVersion": api,
            "kind": "GatewayClass",
            "metadata": { "name": "eg" },
            "spec": {
                "controllerName": CONTROLLER,
                "parametersRef": {
                    "group": "gateway.envoyproxy.io",
                    "kind": "EnvoyProxy",
                    "name": "tcp-peer-stats",
                    "namespace": "envoy-gateway-system",
                },
            },
        }),
        json!({
            "apiVersion": api,
            "kind": "Gateway",
            "metadata": named("eg"),
            "spec": {
                "gatewayClassName": "eg",
                "listeners": [{ "name": "mongodb", "protocol": "TCP", "port": PORT }],
            },
        }),
        json!({
            "apiVersion": api,
            "kind": "TCPRoute",
            "metadata": named("mongodb"),
            "spec": {
                "parentRefs": [{ "name": "eg", "sectionName": "mongodb" }],
                "rules": [{ "backendRefs": [
                    { "group": "gateway.envoyproxy.io", "kind": "Backend", "name": "mongodb" },
                ] }],
            },
        }),
        json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "Backend",
            "metadata": named("mongodb"),
            "spec": { "endpoints": [
                { "ip": { "address": server.ip(), "port": server.port() } },
            ] },
        }),
    ]
}

fn read(name: &str) -> Result<Value> {
    let path: PathBuf = workspace::root().join(FILES).join(name);
    let text = fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_saphyr::from_str(&text).map_err(|error| mesh::Error::malformed(name, error))?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text).context(|| format!("cannot write {}", path.display()))?)
}
