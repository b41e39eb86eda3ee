//! What two plugins share: the VM, the root context, and shared data.

use std::fs;
use std::path::Path;

use mesh::Envoy;
use mesh::error::Context as _;
use serde_json::{Value, json};

use crate::envoy::bootstrap::{listener, plugin, tcp_proxy, wasm};
use crate::envoy::{file, logged, on_worker};
use crate::error::Result;

/// What differs between the plugins of a pair.
const DIFFERENCES: [&str; 10] = [
    "nothing",
    "name",
    "root_id",
    "configuration",
    "failure_policy",
    "vm_id",
    "vm_configuration",
    "code",
    "code_of_another_file",
    "environment_variables",
];

const SCRIPT: &str = "configure: get_shared key; set_shared key value 0";

/// The code with an empty custom section, which makes it other code.
const CUSTOM_SECTION: [u8; 4] = [0, 2, 1, b'x'];

/// Two listeners for each difference.
pub(crate) fn listeners(probe: &Path, scratch: &Path) -> Result<Vec<Value>> {
    let code = fs::read(probe).context(|| format!("cannot read {}", probe.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = scratch.join(name);
        let written = fs::write(&path, bytes);
        written.context(|| format!("cannot write {}", path.display()))?;
        Result::<_>::Ok(path)
    };
    let other_code = write("other.wasm", &[code.as_slice(), &CUSTOM_SECTION].concat())?;
    let same_code = write("same.wasm", &code)?;
    let mut listeners = Vec::new();
    for difference in DIFFERENCES {
        let name = format!("same-{difference}");
        let first = plugin(&name, probe, SCRIPT);
        let mut second = first.clone();
        let text = |text: &str| json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text });
        let (path, value) = match difference {
            "name" => ("/name", json!(format!("{name}-other"))),
            "root_id" => ("/root_id", json!(format!("{name}-other"))),
            "configuration" => ("/configuration", text(&format!("{SCRIPT}\n"))),
            "failure_policy" => ("/failure_policy", json!("FAIL_OPEN")),
            "vm_id" => ("/vm_config/vm_id", json!(format!("{name}-other"))),
            "vm_configuration" => ("/vm_config/configuration", text("other")),
            "code" => ("/vm_config/code", file(&other_code)),
            "code_of_another_file" => ("/vm_config/code", file(&same_code)),
            "environment_variables" => (
                "/vm_config/environment_variables",
                json!({ "key_values": { "A": "b" } }),
            ),
            _ => ("/name", json!(name)),
        };
        put(&mut second, path, value);
        for (number, plugin) in [&first, &second].into_iter().enumerate() {
            let filters = [wasm(plugin), tcp_proxy("inbound|80||")];
            listeners.push(listener(&format!("{name}-{number}"), "INBOUND", &filters));
        }
    }
    Ok(listeners)
}

fn put(document: &mut Value, path: &str, value: Value) {
    let (parent, key) = path.rsplit_once('/').unwrap_or_default();
    let parent = document.pointer_mut(parent).and_then(Value::as_object_mut);
    if let Some(parent) = parent {
        parent.insert(key.to_owned(), value);
    }
}

/// A VM that two plugins share has a root context for each; its worker has one root if they share
/// that too. The second plugin finds no key if it does not share the data of the first.
pub(crate) fn read(envoy: &Envoy) -> Result<Vec<(String, String)>> {
    let text = envoy.log_text()?;
    let mut sharing = Vec::new();
    for difference in DIFFERENCES {
        let name = format!("same-{difference}");
        let other = format!("{name}-other");
        let own = |(plugin, _): &(&str, &str)| *plugin == name || *plugin == other;
        let configured = on_worker(envoy, &text).filter(own);
        let roots: Vec<_> = configured
            .filter_map(|(_, line)| Some(line.split_once(" configure(")?.0))
            .collect();
        let shared = match roots.as_slice() {
            ["1"] => "root",
            ["1", "2"] => "vm",
            ["1", "1"] => "none",
            _ => "unknown",
        };
        let answers = text.lines().filter_map(logged).filter(own);
        let absent = answers.filter(|(_, line)| line.ends_with("get_shared key = 1  cas 0"));
        let data = absent.count() == 1;
        sharing.push((
            difference.to_owned(),
            format!("{{ shared: {shared}, shared_data: {data} }}"),
        ));
    }
    Ok(sharing)
}
