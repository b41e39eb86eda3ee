//! The filter's configuration changes while connections are open and new ones come.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mesh::Counts;
use mesh::EnvoyBinary;
use mesh::apps::{self, App, noise};
use mesh::bootstrap::Bootstrap;
use mesh::envoy::Envoy;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Scratch, variant, wasm};
use serde_json::{Value, json};

use crate::fixture::expect;

pub(crate) const LISTENER: &str = "reloaded";
pub(crate) const EPHEMERAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Envoy's default.
const FLUSH: Duration = Duration::from_secs(5);
/// Longer than the updates take.
const DRAIN: Duration = Duration::from_secs(15);
const WORKERS: u32 = 2;
/// Clients that open one connection after the other, and connections that stay open.
const CLIENTS: u64 = 2;
const HELD: usize = 5;

/// An Envoy that takes its only listener from a file.
pub(crate) struct Reloaded {
    pub(crate) envoy: Envoy,
    pub(crate) module: PathBuf,
    /// The same filter; to Envoy it is another module.
    pub(crate) other_module: PathBuf,
    file: PathBuf,
    app: App,
    _scratch: Scratch,
}

impl Reloaded {
    pub(crate) fn start(name: &str, drain: Duration) -> Result<Self> {
        let scratch = Scratch::new(name)?;
        let dir = scratch.folder("envoy")?;
        let app = App::start(apps::echo)?;
        let file = dir.join("listeners.json");
        let module = wasm::build()?;
        let other_module = dir.join("other.wasm");
        fs::write(&other_module, variant::other(&fs::read(&module)?))?;
        fs::write(
            &file,
            listeners(0, EPHEMERAL, app.address(), Some(&module))?,
        )?;
        let binary = EnvoyBinary::find(None)?.drain_time(drain);
        let bootstrap = bootstrap(&file, app.address(), FLUSH)?;
        let envoy = Envoy::start(&binary, LISTENER, bootstrap.document(), WORKERS, &dir)?;
        Ok(Self {
            envoy,
            module,
            other_module,
            file,
            app,
            _scratch: scratch,
        })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.envoy.listener(LISTENER)?)?)
    }

    /// Replaces the listener, and waits until Envoy has taken the new one: another configuration of
    /// this module, or no filter.
    pub(crate) fn update(&self, generation: u64, module: Option<&Path>) -> Result {
        self.replace(&listeners(
            generation,
            EPHEMERAL,
            self.app.address(),
            module,
        )?)?;
        let updates = format!("listener_manager.listener_in_place_updated: {generation}");
        self.until(&updates, |envoy| {
            envoy.get("/stats?filter=listener_manager")
        })
    }

    /// Replaces the listener by one whose filter refuses its configuration, and waits until Envoy
    /// has refused the update.
    pub(crate) fn refuse(&self) -> Result {
        let listeners = listeners(1, EPHEMERAL, self.app.address(), Some(&self.module))?;
        self.replace(&listeners.replace("max_series", "max_serious"))?;
        self.until("lds.update_rejected: 1", |envoy| {
            envoy.get("/stats?filter=lds.update_rejected")
        })
    }

    /// Moves a file in place, as Envoy wants it.
    fn replace(&self, listeners: &str) -> Result {
        let new = self.file.with_extension("new");
        fs::write(&new, listeners)?;
        Ok(fs::rename(&new, &self.file)?)
    }

    pub(crate) fn report(&self, counts: Counts) -> Result {
        self.until(&format!("{counts:?}"), |envoy| {
            Ok(format!("{:?}", Counts::reported(&envoy.metrics()?, &[])))
        })
    }

    /// Waits until an answer of Envoy has this text in it.
    fn until(&self, text: &str, ask: impl Fn(&Envoy) -> mesh::Result<String>) -> Result {
        poll::until(text, LIMIT, || {
            let answer = ask(&self.envoy)?;
            Ok(match answer.contains(text) {
                true => Look::Found(()),
                false => Look::NotYet(answer),
            })
        })?;
        Ok(())
    }

    /// Waits until the probe's roots of so many generations are deleted: in each worker's VM, and
    /// in the one that Envoy clones them from.
    pub(crate) fn deleted(&self, generations: usize) -> Result {
        let old = generations * (WORKERS as usize + 1);
        poll::until("the old roots being deleted", LIMIT, || {
            let (_, streams) = contexts(&self.envoy).unwrap_or_default();
            let all = self.envoy.log_text()?.matches(" delete()").count();
            let deleted = all.saturating_sub(streams);
            Ok(match deleted >= old {
                true => Look::Found(()),
                false => Look::NotYet(format!("{deleted} of {old}")),
            })
        })?;
        Ok(())
    }

    /// Stream contexts that the probe, which shares the chain with the filter, saw created and
    /// deleted.
    fn contexts(&self) -> Result<(usize, usize)> {
        contexts(&self.envoy)
    }
}

pub(crate) fn contexts(envoy: &Envoy) -> Result<(usize, usize)> {
    let log = envoy.log_text()?;
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    Ok((count(" new_connection()"), count(" log()")))
}

/// An Envoy that takes its listeners from a file, and flushes its stats that often.
pub(crate) fn bootstrap(listeners: &Path, app: SocketAddr, flush: Duration) -> Result<Bootstrap> {
    let server = Bootstrap::server_sidecar()?;
    Ok(Bootstrap::from(json!({
        "node": server.document()["node"],
        "admin": { "address": address(EPHEMERAL) },
        "stats_config": server.document()["stats_config"],
        "stats_flush_interval": format!("{}s", flush.as_secs()),
        "dynamic_resources": { "lds_config": { "path_config_source": { "path": listeners } } },
        "static_resources": { "clusters": [{
            "name": "app",
            "type": "STATIC",
            "load_assignment": { "cluster_name": "app", "endpoints": [{ "lb_endpoints": [{
                "endpoint": { "address": address(app) },
            }] }] },
        }] },
    })))
}

fn address(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip(), "port_value": address.port() } })
}

/// The listener, with a configuration that differs from generation to generation.
pub(crate) fn listeners(
    generation: u64,
    at: SocketAddr,
    app: SocketAddr,
    module: Option<&Path>,
) -> Result<String> {
    assert_ne!(app.port(), 0);
    let probe = host_harness::artifact::build("probe-filter", "wasm")?;
    let configuration = json!({
        "tcp_reporting_duration": "300ms",
        "limits": { "max_series": 1000 + generation },
    });
    let ours = module.map(|module| plugin("tcp_peer_stats", module, &configuration.to_string()));
    let others = [
        plugin("probe", &probe, &format!("nothing: {generation}")),
        json!({
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "app",
                "cluster": "app",
            },
        }),
    ];
    let document = json!({ "resources": [{
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": LISTENER,
        "traffic_direction": "INBOUND",
        "address": address(at),
        "filter_chains": [{ "filters": ours.into_iter().chain(others).collect::<Vec<_>>() }],
    }] });
    Ok(document.to_string())
}

fn plugin(name: &str, wasm: &Path, configuration: &str) -> Value {
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": {
                "name": name,
                "vm_config": {
                    "vm_id": name,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": wasm } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": configuration,
                },
            },
        },
    })
}

/// Echoes on one connection after the other until `stop` is set. Returns the numbers of connections
/// and of bytes.
pub(crate) fn load(
    address: SocketAddr,
    seed: u64,
    stop: &AtomicBool,
) -> std::io::Result<(u64, u64)> {
    let (mut connections, mut bytes) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let size = usize::try_from((connections * 7919 + seed) % 20_000 + 1).unwrap_or(1);
        let mut stream = TcpStream::connect(address)?;
        let sent = noise(connections, size);
        stream.write_all(&sent)?;
        let mut echoed = vec![0; size];
        stream.read_exact(&mut echoed)?;
        assert!(sent == echoed, "connection {connections}");
        connections += 1;
        bytes += size as u64;
    }
    Ok((connections, bytes))
}

// Shows: filter/docs/failures.md, "all generations every connection and every byte is counted once"
// Shows: filter/docs/failures.md, "VMs count into the same series; under load no connection fails"
// Shows: filter/docs/operations.md, "connections keep the old filter until Envoy's drain time ends"
#[test]
fn an_update_under_load_loses_and_doubles_nothing() -> Result {
    let reloaded = Reloaded::start("reload", DRAIN)?;
    let address = reloaded.envoy.listener(LISTENER)?;
    let mut held = Vec::new();
    for _ in 0..HELD {
        held.push(reloaded.connect()?);
    }
    let stop = AtomicBool::new(false);
    let loads = thread::scope(|scope| -> Result<Vec<_>> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|seed| {
                scope.spawn({
                    let stop = &stop;
                    move || load(address, seed, stop)
                })
            })
            .collect();
        let updated = (1..=3).try_for_each(|generation| {
            // The second one brings another module too.
            let module = [&reloaded.module, &reloaded.other_module];
            let module = module.get(usize::from(generation == 2)).copied();
            reloaded.update(generation, module.map(PathBuf::as_path))?;
            // Those of the first generation live on.
            held.iter_mut().try_for_each(|stream| {
                stream.write_all(b"held")?;
                expect(stream, b"held")
            })
        });
        stop.store(true, Ordering::Relaxed);
        let loads = clients.into_iter().map(|client| client.join());
        let loads: std::result::Result<Vec<_>, _> = loads.collect();
        updated?;
        let loads = loads.map_err(|_| "a client panicked")?;
        Ok(loads.into_iter().collect::<std::io::Result<_>>()?)
    })?;
    let connections = loads
        .iter()
        .map(|(connections, _)| connections)
        .sum::<u64>();
    let bytes = loads.iter().map(|(_, bytes)| bytes).sum::<u64>() + 3 * 4 * HELD as u64;
    let opened = connections + HELD as u64;
    reloaded.report(Counts {
        opened,
        closed: connections,
        received: bytes,
        sent: bytes,
    })?;
    // The drain time ends what the first generation still serves.
    for stream in &mut held {
        stream.set_read_timeout(Some(DRAIN + LIMIT))?;
        assert_eq!(stream.read(&mut [0])?, 0);
    }
    reloaded.report(Counts {
        opened,
        closed: opened,
        received: bytes,
        sent: bytes,
    })?;
    let all = usize::try_from(opened)?;
    assert_eq!(reloaded.contexts()?, (all, all));
    reloaded.deleted(3)?;
    Ok(())
}

// Shows: filter/docs/failures.md, "accepts connections for the drain time and does not close open"
#[test]
fn a_drain_loses_and_doubles_nothing() -> Result {
    let drain = Duration::from_secs(2);
    let reloaded = Reloaded::start("drain", drain)?;
    let mut held = reloaded.connect()?;
    held.write_all(b"before")?;
    expect(&mut held, b"before")?;
    let address = reloaded.envoy.listener(LISTENER)?;
    ureq::post(reloaded.envoy.url("/drain_listeners?graceful")).send_empty()?;
    let mut late = TcpStream::connect(address)?;
    late.write_all(b"late")?;
    expect(&mut late, b"late")?;
    poll::until("a listener that is closed", LIMIT, || {
        Ok(match TcpStream::connect(address) {
            Err(_refused) => Look::Found(()),
            Ok(stream) => {
                drop(stream);
                Look::NotYet("it accepts".to_owned())
            }
        })
    })?;
    // What was open lives on, and is counted to its end.
    for stream in [&mut held, &mut late] {
        stream.write_all(b"after")?;
        expect(stream, b"after")?;
    }
    drop((held, late));
    let all = u64::try_from(reloaded.contexts()?.0)?;
    reloaded.report(Counts {
        opened: all,
        closed: all,
        received: 20,
        sent: 20,
    })?;
    assert_eq!(reloaded.contexts()?.1 as u64, all);
    Ok(())
}
