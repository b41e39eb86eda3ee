//! The survey of a real Envoy.

mod applications;
pub(crate) mod bootstrap;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host_harness::artifact;
use mesh::mesh_ca::MeshCa;
use mesh::poll::{Look, until};
use mesh::{Envoy, EnvoyBinary, Scratch};
use serde_json::{Value, json};

use self::applications::{Client, Server};
use self::bootstrap::{cluster, document, listener, plugin, tcp_proxy, wasm};
use crate::answers::{Callback, callbacks};
use crate::error::Result;
use crate::survey::Survey;
use crate::{ask, emulator, imports, objects, sharing};

/// The identities of the two proxies.
pub(crate) const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/client";
pub(crate) const SERVER: &str = "spiffe://cluster.local/ns/default/sa/server";

const PATIENCE: Duration = Duration::from_secs(30);

/// Asks an Envoy everything.
///
/// # Errors
/// Envoy or the probe does not work, or Envoy knows filter state objects that the probe does not
/// ask for.
pub fn in_envoy(binary: &EnvoyBinary) -> Result<Survey> {
    let probe = artifact::build("probe-filter", "wasm")?;
    let scratch = Scratch::new("profiles")?;
    let release = binary.version.split('/').next().unwrap_or_default();
    let server = Server::start()?;
    let mesh = Mesh::start(binary, &probe, scratch.path(), server.address())?;
    objects::check_all_are_asked(&mesh.inbound)?;
    mesh.talk()?;
    Ok(Survey {
        release: release.to_owned(),
        outbound: mesh.callbacks(&mesh.outbound, "outbound")?,
        inbound: mesh.callbacks(&mesh.inbound, "inbound")?,
        objects: mesh.objects()?,
        contexts: mesh.contexts()?,
        sharing: sharing::read(&mesh.inbound)?,
        imports: imports::in_envoy(binary, scratch.path())?,
    })
}

/// Two sidecars, and the listeners of the other questions in the server's.
struct Mesh {
    outbound: Envoy,
    inbound: Envoy,
}

impl Mesh {
    fn start(
        binary: &EnvoyBinary,
        probe: &Path,
        scratch: &Path,
        server: SocketAddr,
    ) -> Result<Self> {
        let ca = MeshCa::create(scratch)?;
        let to_server = cluster("inbound|80||", server, Value::Null);
        let tcp = |listener_name: &str, script: &str| {
            let filters = [
                wasm(&plugin(listener_name, probe, script)),
                tcp_proxy("inbound|80||"),
            ];
            listener(listener_name, "INBOUND", &filters)
        };
        let mut inbound = tcp("inbound", &ask::script());
        let identity = ca.issue_for_uri("server", SERVER)?;
        bootstrap::require_tls(&mut inbound, &identity);
        let mut listeners = vec![
            inbound,
            tcp("objects", &objects::script()),
            tcp("contexts", emulator::CONTEXTS),
        ];
        listeners.extend(sharing::listeners(probe, scratch)?);
        let inbound = start(
            binary,
            "inbound",
            &document(&listeners, &[to_server]),
            scratch,
        )?;
        let identity = ca.issue_for_uri("client", CLIENT)?;
        let to_inbound = cluster(
            "outbound|80||server",
            inbound.listener("inbound")?,
            bootstrap::tls(&identity),
        );
        let filters = [
            wasm(&plugin("outbound", probe, &ask::script())),
            tcp_proxy("outbound|80||server"),
        ];
        let listeners = [listener("outbound", "OUTBOUND", &filters)];
        let outbound = start(
            binary,
            "outbound",
            &document(&listeners, &[to_inbound]),
            scratch,
        )?;
        Ok(Self { outbound, inbound })
    }

    /// One connection through both sidecars.
    fn talk(&self) -> Result<()> {
        for (envoy, name) in [(&self.outbound, "outbound"), (&self.inbound, "inbound")] {
            wait(envoy, name, "1 tick()")?;
        }
        let mut client = Client::connect(self.outbound.listener("outbound")?)?;
        client.ask(ask_bytes())?;
        client.end()?;
        wait(&self.outbound, "outbound", "2 delete()")?;
        wait(&self.inbound, "inbound", "2 delete()")
    }

    fn callbacks(&self, envoy: &Envoy, plugin: &str) -> Result<Vec<Callback>> {
        let lines = lines(envoy, plugin)?;
        Ok(callbacks(lines.iter().map(String::as_str)))
    }

    fn objects(&self) -> Result<Vec<(&'static str, Vec<&'static str>)>> {
        let _client = Client::connect(self.inbound.listener("objects")?)?;
        wait(&self.inbound, "objects", objects::LAST)?;
        Ok(objects::read(&self.callbacks(&self.inbound, "objects")?))
    }

    /// Two connections, of which the second acts for the first one's context.
    fn contexts(&self) -> Result<Vec<String>> {
        let address = self.inbound.listener("contexts")?;
        let first = Client::connect(address)?;
        wait(&self.inbound, "contexts", "2 new_connection()")?;
        let mut second = Client::connect(address)?;
        second.ask(ask_bytes())?;
        drop(first);
        wait(&self.inbound, "contexts", "2 delete()")?;
        second.ask(ask_bytes())?;
        let callbacks = self.callbacks(&self.inbound, "contexts")?;
        Ok(emulator::describe_contexts(&callbacks))
    }
}

/// The bytes of the client application.
pub(crate) fn ask_bytes() -> &'static [u8] {
    b"hello"
}

/// The bytes with which the server application answers any bytes.
pub(crate) fn answer_bytes() -> &'static [u8] {
    b"worlds"
}

pub(crate) fn start(
    binary: &EnvoyBinary,
    name: &str,
    bootstrap: &Value,
    scratch: &Path,
) -> Result<Envoy> {
    Ok(Envoy::start(binary, name, bootstrap, 1, scratch)?)
}

/// Waits for a line of a plugin.
fn wait(envoy: &Envoy, plugin: &str, line: &str) -> Result<()> {
    let what = format!("{line:?} in the log of {plugin}");
    Ok(until(&what, PATIENCE, || {
        let text = envoy.log_text()?;
        let found =
            on_worker(envoy, &text).any(|(name, text)| name == plugin && text.starts_with(line));
        Ok(match found {
            true => Look::Found(()),
            false => Look::NotYet(String::new()),
        })
    })?)
}

/// The lines that a plugin logged on the worker thread.
pub(crate) fn lines(envoy: &Envoy, plugin: &str) -> Result<Vec<String>> {
    let text = envoy.log_text()?;
    let own = on_worker(envoy, &text).filter(|(name, _)| *name == plugin);
    Ok(own.map(|(_, line)| line.to_owned()).collect())
}

/// Plugin and text of the lines of the worker thread. The VMs of the main thread never see a
/// connection.
pub(crate) fn on_worker<'a>(
    envoy: &Envoy,
    text: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let main = format!("[{}]", envoy.id());
    let text = text.lines().filter(move |line| !line.contains(&main));
    text.filter_map(logged)
}

/// Root id and text of `[…][wasm] [file:line] wasm log <root id> <vm id>: <text>`. Each plugin has
/// its name as root id.
pub(crate) fn logged(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(" wasm log ")?;
    let (names, text) = rest.split_once(": ")?;
    Some((names.split(' ').next()?, text))
}

/// The path of a file of the survey as JSON.
pub(crate) fn file(path: &PathBuf) -> Value {
    json!({ "local": { "filename": path } })
}
