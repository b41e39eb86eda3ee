//! The functions that a module can import, by ABI version.

use std::fs;
use std::path::Path;

use host_harness::{Module, Profile, Sidecar};
use mesh::error::Context as _;
use mesh::{EnvoyBinary, Error as Testbed};
use serde_json::{Value, json};

use crate::envoy::bootstrap::{document, listener, plugin, tcp_proxy, wasm};
use crate::envoy::start;
use crate::error::Result;

/// Functions of `env` and their parameters: `i` has 32 bits, `l` 64. The result is `i32`, unless
/// the name is in [`WITHOUT_RESULT`].
const ENV: &[(&str, &str)] = &[
    ("proxy_log", "iii"),
    ("proxy_get_log_level", "i"),
    ("proxy_get_current_time_nanoseconds", "i"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_set_effective_context", "i"),
    ("proxy_done", ""),
    ("proxy_get_status", "iii"),
    ("proxy_get_configuration", "ii"),
    ("proxy_get_property", "iiii"),
    ("proxy_set_property", "iiii"),
    ("proxy_get_buffer_bytes", "iiiii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_continue_request", ""),
    ("proxy_continue_response", ""),
    ("proxy_clear_route_cache", ""),
    ("proxy_define_metric", "iiii"),
    ("proxy_increment_metric", "il"),
    ("proxy_record_metric", "il"),
    ("proxy_get_metric", "ii"),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_dequeue_shared_queue", "iii"),
    ("proxy_call_foreign_function", "iiiiii"),
    ("proxy_get_header_map_pairs", "iii"),
    ("proxy_set_header_map_pairs", "iii"),
    ("proxy_get_header_map_value", "iiiii"),
    ("proxy_replace_header_map_value", "iiiii"),
    ("proxy_add_header_map_value", "iiiii"),
    ("proxy_remove_header_map_value", "iii"),
    ("proxy_get_header_map_size", "ii"),
    ("proxy_send_local_response", "iiiiiiii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_grpc_call", "iiiiiiiiiiii"),
    ("proxy_grpc_stream", "iiiiiiiii"),
    ("proxy_grpc_send", "iiii"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
    ("emscripten_notify_memory_growth", "i"),
    ("pthread_equal", "ii"),
    // Of other hosts and of drafts of the ABI.
    ("proxy_get_map", "iiii"),
    ("proxy_set_metric", "il"),
    ("proxy_delete_metric", "i"),
    ("proxy_dispatch_http_call", "iiiiiiiiii"),
    ("proxy_resume_stream", "i"),
    ("proxy_reset_stream", "i"),
    ("proxy_get_plugin_configuration", "ii"),
];

/// Functions of WASI preview 1.
const WASI: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
    // Does not exist.
    ("no_such_function", "i"),
];

const WITHOUT_RESULT: [&str; 2] = ["emscripten_notify_memory_growth", "proc_exit"];

const VERSIONS: [&str; 3] = ["0.1.0", "0.2.0", "0.2.1"];

/// The functions, each with the ABI versions and WASI modules in which it can be imported.
pub(crate) type Imports = Vec<(&'static str, Vec<&'static str>)>;

/// A module with one import.
struct Importer {
    /// The ABI version or the WASI module.
    section: &'static str,
    function: &'static str,
    module: String,
}

fn importers() -> Vec<Importer> {
    let mut importers = Vec::new();
    for version in VERSIONS {
        for (function, parameters) in ENV {
            let module = module("env", function, parameters, version);
            importers.push(Importer {
                section: version,
                function,
                module,
            });
        }
    }
    for space in ["wasi_snapshot_preview1", "wasi_unstable"] {
        for (function, parameters) in WASI {
            let module = module(space, function, parameters, "0.2.1");
            importers.push(Importer {
                section: space,
                function,
                module,
            });
        }
    }
    importers
}

/// A module in text form.
fn module(space: &str, function: &str, parameters: &str, version: &str) -> String {
    let types = parameters.chars().map(|letter| match letter {
        'l' => "i64 ",
        _ => "i32 ",
    });
    let types: String = types.collect();
    let version = version.replace('.', "_");
    let result = match WITHOUT_RESULT.contains(&function) {
        true => "",
        false => "(result i32)",
    };
    format!(
        "(module
            (import \"{space}\" \"{function}\" (func (param {types}) {result}))
            (memory (export \"memory\") 1)
            (func (export \"malloc\") (param i32) (result i32) i32.const 1024)
            (func (export \"proxy_abi_version_{version}\")))"
    )
}

/// The importable functions in an Envoy: a listener per module, of which Envoy rejects some.
pub(crate) fn in_envoy(binary: &EnvoyBinary, scratch: &Path) -> Result<Imports> {
    let importers = importers();
    let mut listeners = Vec::new();
    for (number, importer) in importers.iter().enumerate() {
        let name = name(number);
        let code = scratch.join(format!("{name}.wasm"));
        let bytes = wat::parse_str(&importer.module)
            .map_err(|error| Testbed::malformed(importer.function, error))?;
        fs::write(&code, bytes).context(|| format!("cannot write {}", code.display()))?;
        let filters = [wasm(&plugin(&name, &code, "")), tcp_proxy("none")];
        let mut listener = listener(&name, "INBOUND", &filters);
        if let Some(listener) = listener.as_object_mut() {
            listener.insert(
                "@type".into(),
                json!("type.googleapis.com/envoy.config.listener.v3.Listener"),
            );
        }
        listeners.push(listener);
    }
    let resources = scratch.join("listeners.json");
    let update = json!({ "version_info": "1", "resources": listeners }).to_string();
    fs::write(&resources, update).context(|| format!("cannot write {}", resources.display()))?;
    let mut bootstrap = document(&[], &[]);
    if let Some(bootstrap) = bootstrap.as_object_mut() {
        let source = json!({ "lds_config": { "path_config_source": { "path": resources } } });
        bootstrap.insert("dynamic_resources".into(), source);
    }
    let envoy = start(binary, "imports", &bootstrap, scratch)?;
    let text = envoy.get("/listeners?format=json")?;
    let accepted: Value = serde_json::from_str(&text)
        .map_err(|error| Testbed::malformed("Envoy's list of listeners", error))?;
    let accepted = accepted.get("listener_statuses").and_then(Value::as_array);
    let accepted = accepted.map(Vec::as_slice).unwrap_or_default();
    Ok(collect(&importers, |number| {
        let name = name(number);
        accepted
            .iter()
            .any(|listener| listener.get("name") == Some(&json!(name)))
    }))
}

/// The importable functions in the emulator: it starts a sidecar per module, and rejects some.
pub(crate) fn in_emulator(profile: Profile) -> Result<Imports> {
    let importers = importers();
    let mut accepted = Vec::new();
    for importer in &importers {
        let module = Module::from_bytes(importer.module.as_bytes())?;
        let sidecar = Sidecar::inbound(&module).profile(profile).start();
        accepted.push(sidecar.is_ok());
    }
    Ok(collect(&importers, |number| {
        accepted.get(number) == Some(&true)
    }))
}

fn name(number: usize) -> String {
    format!("import-{number}")
}

/// The sections of each function that is accepted in one.
fn collect(importers: &[Importer], is_accepted: impl Fn(usize) -> bool) -> Imports {
    let mut functions: Vec<(&str, Vec<&str>)> = Vec::new();
    for (number, importer) in importers.iter().enumerate() {
        if !is_accepted(number) {
            continue;
        }
        let known = functions
            .iter_mut()
            .find(|(name, _)| *name == importer.function);
        match known {
            Some((_, sections)) => sections.push(importer.section),
            None => functions.push((importer.function, vec![importer.section])),
        }
    }
    functions
}
