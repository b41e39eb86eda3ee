//! The survey of the emulator.

use std::time::Duration;

use host_harness::{
    Cluster, Module, Node, Profile, Rig, Sidecar, SidecarBuilder, UpstreamHost, artifact,
};
use serde_json::json;

use crate::answers::{Callback, callbacks, status};
use crate::envoy::{CLIENT, SERVER, answer_bytes, ask_bytes};
use crate::error::{Error, Result};
use crate::survey::Survey;
use crate::{RELEASES, ask, imports, objects, profile_of};

/// The probe's script for the effective context. The stream contexts are 2 and 3; only the second
/// connection has bytes.
pub(crate) const CONTEXTS: &str = "
new_connection: property connection_id
downstream_data#1: property connection_id; effective 2; property connection_id; set_property mark x
downstream_data#1: effective 1; property connection_id; property plugin_name
downstream_data#1: effective 99; property connection_id; effective 0; property connection_id; effective 2
upstream_data#1: property connection_id; property mark
downstream_data#2: effective 2; property connection_id
";

/// Asks the emulator everything, as the release of this profile.
///
/// # Errors
/// The probe does not work.
pub fn in_emulator(profile: Profile) -> Result<Survey> {
    let release = RELEASES
        .into_iter()
        .find(|release| profile_of(release).ok() == Some(profile));
    let release = release.ok_or_else(|| Error::NoProfile(profile.to_string()))?;
    let module = Module::from_file_cached(artifact::build("probe-filter", "wasm")?)?;
    let host = Asked { module, profile };
    let (outbound, inbound) = host.talk()?;
    Ok(Survey {
        release: release.to_owned(),
        outbound,
        inbound,
        objects: host.objects()?,
        contexts: host.contexts()?,
        sharing: Vec::new(),
        imports: imports::in_emulator(profile)?,
    })
}

struct Asked {
    module: Module,
    profile: Profile,
}

impl Asked {
    fn sidecar(&self, builder: SidecarBuilder, name: &str, script: &str) -> SidecarBuilder {
        let metadata = json!({ "space": { "key": "value" } });
        let node = Node::new("probe")
            .cluster("probes")
            .metadata(json!({ "key": "value" }))
            .locality("region", "zone");
        let cluster = match name {
            "outbound" => "outbound|80||server",
            _ => "inbound|80||",
        };
        builder
            .profile(self.profile)
            .plugin(name, name, name)
            .plugin_config(script)
            .vm_config("vm")
            .node(node)
            .filter_chain_name("chain")
            .cluster(Cluster::new(cluster).metadata(metadata.clone()))
            .upstream_host(UpstreamHost::new("127.0.0.1:80").metadata(metadata))
    }

    fn talk(&self) -> Result<(Vec<Callback>, Vec<Callback>)> {
        let script = ask::script();
        let outbound = self.sidecar(Sidecar::outbound(&self.module), "outbound", &script);
        let inbound = self.sidecar(Sidecar::inbound(&self.module), "inbound", &script);
        let rig = Rig::builder(outbound, inbound)
            .mtls(CLIENT, SERVER)
            .start()?;
        rig.advance(Duration::from_secs(1));
        let connection = rig.connect();
        connection.client.write(ask_bytes());
        connection.server.write(answer_bytes());
        connection.client.end();
        connection.server.close();
        Ok((logged(&rig.outbound), logged(&rig.inbound)))
    }

    fn objects(&self) -> Result<Vec<(&'static str, Vec<&'static str>)>> {
        let script = objects::script();
        let sidecar = self.sidecar(Sidecar::inbound(&self.module), "objects", &script);
        let sidecar = sidecar.start()?;
        sidecar.connect();
        Ok(objects::read(&logged(&sidecar)))
    }

    fn contexts(&self) -> Result<Vec<String>> {
        let sidecar = self.sidecar(Sidecar::inbound(&self.module), "contexts", CONTEXTS);
        let sidecar = sidecar.start()?;
        let first = sidecar.connect();
        let second = sidecar.connect();
        second.client.write(ask_bytes());
        second.server.write(answer_bytes());
        first.client.close();
        first.server.close();
        second.client.write(ask_bytes());
        Ok(describe_contexts(&logged(&sidecar)))
    }
}

fn logged(sidecar: &Sidecar) -> Vec<Callback> {
    let logs = sidecar.logs();
    let lines = logs.iter().filter(|line| line.context != 0);
    callbacks(lines.map(|line| line.message.as_str()))
}

/// The answers to [`CONTEXTS`] in the second connection, with names for the two connections' ids.
pub(crate) fn describe_contexts(callbacks: &[Callback]) -> Vec<String> {
    let id_of = |context: u32| {
        let own = callbacks
            .iter()
            .find(|callback| callback.context == context && callback.name == "new_connection");
        Some(own?.answers.first()?.1.clone())
    };
    let (first, second) = (id_of(2), id_of(3));
    let mut answers = Vec::new();
    let of_second = callbacks
        .iter()
        .filter(|callback| callback.context == 3 && callback.name != "new_connection");
    for callback in of_second {
        for (action, answer) in &callback.answers {
            let answer = match action.as_str() {
                "property connection_id" if Some(answer) == first.as_ref() => "first".to_owned(),
                "property connection_id" if Some(answer) == second.as_ref() => "second".to_owned(),
                _ => status(answer),
            };
            answers.push(format!("{}, {action}: {answer}", callback.name));
        }
    }
    answers
}
