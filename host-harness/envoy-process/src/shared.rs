//! Envoys that run one configuration after the other.
//!
//! The start of an Envoy with a Wasm filter takes a second of CPU time: V8 compiles the whole module.
//! An Envoy of the pool starts once, with a VM that keeps the compiled module. It gets the listeners
//! and clusters of each user through files, as an Envoy in a mesh gets them from its control plane.
//!
//! Users do not see each other: an Envoy has one user at a time, and the next one gets it when no
//! listener of the last one is draining and no metric of its VMs is left. VMs and their shared data
//! have other ids for each user.

mod resources;
mod vms;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fs, process, thread};

use serde_json::{Value, json};

use self::resources::{Kind, write};
use self::vms::{keep_module, rename_vms};
use crate::binary::EnvoyBinary;
use crate::error::{Context, Error, Result};
use crate::exposition::Exposition;
use crate::folder::data;
use crate::poll::{self, Look};
use crate::server::Server;

/// The time limit of an update, for a busy machine.
const UPDATE_LIMIT: Duration = Duration::from_secs(30);
/// The drain time of listeners that a user leaves behind.
const DRAIN: Duration = Duration::ZERO;
/// The wait for an Envoy whose listeners drain, before another one is started.
const WORTH_WAITING: Duration = Duration::from_secs(3);
/// The prefix of the metrics of Envoy itself in `/stats/prometheus`.
const OF_ENVOY: &str = "envoy_";

/// The size of the pool. For each Envoy more, one without a user is stopped: an Envoy has inotify
/// instances, of which Linux gives a user 128.
const SIZE: usize = 32;

/// The pool, the last used Envoy last.
static POOL: Mutex<Vec<Arc<Member>>> = Mutex::new(Vec::new());

/// An Envoy of the pool.
#[derive(Debug)]
struct Member {
    key: Key,
    server: Arc<Server>,
    folder: PathBuf,
    is_used: AtomicBool,
    version: AtomicU32,
}

/// What an Envoy cannot change while it runs.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    program: PathBuf,
    concurrency: u32,
    bootstrap: Value,
}

/// The use of an Envoy of the pool. Dropping it gives the Envoy back, without listeners and clusters.
#[derive(Debug)]
pub(crate) struct Lease {
    member: Arc<Member>,
    log_start: usize,
}

/// An Envoy of the pool with the static listeners and clusters of this bootstrap. `None` if the
/// bootstrap has sources of its own for them, or the binary has a special role.
pub(crate) fn lease(
    binary: &EnvoyBinary,
    bootstrap: &Value,
    concurrency: u32,
) -> Result<Option<(Lease, Arc<Server>)>> {
    if !binary.is_plain() || bootstrap.get("dynamic_resources").is_some() {
        return Ok(None);
    }
    let mut rest = bootstrap.clone();
    let mut take = |pointer: &str| match rest.pointer_mut(pointer).map(Value::take) {
        Some(Value::Array(resources)) => resources,
        _ => Vec::new(),
    };
    let clusters = take("/static_resources/clusters");
    let listeners = take("/static_resources/listeners");
    keep_module(&mut rest, &listeners);
    let key = Key {
        program: binary.path.clone(),
        concurrency,
        bootstrap: rest,
    };
    let member = match Member::unused(&key) {
        Some(member) => member,
        None => Member::start(binary, key)?,
    };
    let mut lease = Lease {
        log_start: 0,
        member: Arc::clone(&member),
    };
    lease.log_start = member.server.read_log()?.len();
    member.apply(Kind::Clusters, clusters)?;
    member.apply(Kind::Listeners, listeners)?;
    Ok(Some((lease, Arc::clone(&member.server))))
}

impl Member {
    /// An unused Envoy that has nothing of its last user. Waits for one that still has.
    fn unused(key: &Key) -> Option<Arc<Self>> {
        let found = poll::until("an unused Envoy", WORTH_WAITING, || {
            let mut members = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            let mut are_draining = false;
            let found = members.iter().position(|member| {
                let is_free = member.key == *key && member.is_free();
                are_draining |= is_free;
                is_free && member.is_clean().unwrap_or(false)
            });
            let Some(at) = found else {
                return Ok(match are_draining {
                    true => Look::NotYet("all are draining".into()),
                    false => Look::Found(None),
                });
            };
            let member = members.remove(at);
            member.is_used.store(true, Ordering::Release);
            members.push(Arc::clone(&member));
            Ok(Look::Found(Some(member)))
        });
        found.ok().flatten()
    }

    fn start(binary: &EnvoyBinary, key: Key) -> Result<Arc<Self>> {
        let folder = folder()?;
        let mut bootstrap = key.bootstrap.clone();
        let source = |kind: Kind| {
            json!({
                "path_config_source": { "path": folder.join(kind.file()) },
                "resource_api_version": "V3",
            })
        };
        if let Some(bootstrap) = bootstrap.as_object_mut() {
            let sources = json!({
                "cds_config": source(Kind::Clusters),
                "lds_config": source(Kind::Listeners),
            });
            bootstrap.insert("dynamic_resources".into(), sources);
        }
        write(&folder, Kind::Clusters, Vec::new(), 0)?;
        write(&folder, Kind::Listeners, Vec::new(), 0)?;
        let binary = binary.clone().drain_time(DRAIN);
        let member = Arc::new(Self {
            server: Arc::new(Server::start(
                Duration::MAX,
                &binary,
                "shared",
                &bootstrap,
                key.concurrency,
                &folder,
            )?),
            key,
            folder,
            is_used: AtomicBool::new(true),
            version: AtomicU32::new(0),
        });
        let mut members = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        members.push(Arc::clone(&member));
        let mut surplus = members.len().saturating_sub(SIZE);
        members.retain(|member| {
            let is_stopped = surplus > 0 && member.is_free();
            surplus -= usize::from(is_stopped);
            !is_stopped
        });
        Ok(member)
    }

    /// Replaces all resources of a kind and waits until Envoy has accepted them.
    fn apply(&self, kind: Kind, mut resources: Vec<Value>) -> Result<()> {
        let stat = |name: &str| format!("{}.{name}", kind.stats());
        let (version, rejected) = (stat("version_text"), stat("update_(rejected|failure)"));
        let before = self.stats(&rejected)?;
        let next = self.next_version();
        for resource in &mut resources {
            rename_vms(resource, next);
        }
        write(&self.folder, kind, resources, next)?;
        poll::until("Envoy accepting its resources", UPDATE_LIMIT, || {
            self.server.check()?;
            if self.stats(&rejected)? != before {
                return Err(Error::malformed(kind.file(), self.server.end_of_log()));
            }
            let accepted = self.stats(&version)?;
            Ok(match accepted.values().any(|text| *text == quoted(next)) {
                true => Look::Found(()),
                false => Look::NotYet(format!("{accepted:?}")),
            })
        })
    }

    /// Removes what a user has configured, and does not wait for the end of the drain time.
    fn clear(&self) -> Result<()> {
        write(
            &self.folder,
            Kind::Listeners,
            Vec::new(),
            self.next_version(),
        )?;
        write(
            &self.folder,
            Kind::Clusters,
            Vec::new(),
            self.next_version(),
        )
    }

    /// Whether it has no user and is running.
    fn is_free(&self) -> bool {
        !self.is_used.load(Ordering::Acquire) && self.server.check().is_ok()
    }

    /// Whether nothing is left of the last user.
    fn is_clean(&self) -> Result<bool> {
        const LISTENERS: &str =
            "listener_manager.total_(listeners|filter_chains)_(active|draining|warming)";
        let left = self.stats(LISTENERS)?;
        let metrics = Exposition::parse(&self.server.get("/stats/prometheus")?)?;
        let mut of_vms = metrics
            .iter()
            .filter(|series| !series.name.starts_with(OF_ENVOY));
        Ok(left.values().all(|count| count == "0") && of_vms.next().is_none())
    }

    /// The stats whose whole name matches, with their values as text.
    fn stats(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let text = self.server.get(&format!("/stats?filter=^{name}$"))?;
        let stats = text.lines().filter_map(|line| line.split_once(": "));
        Ok(stats
            .map(|(name, value)| (name.into(), value.into()))
            .collect())
    }

    fn next_version(&self) -> u32 {
        self.version.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl Lease {
    /// The length of the log at the beginning of the use.
    pub(crate) fn log_start(&self) -> usize {
        self.log_start
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // No test gets the Envoy of one that failed.
        if thread::panicking() || self.member.clear().is_err() {
            let mut members = POOL.lock().unwrap_or_else(PoisonError::into_inner);
            members.retain(|member| !Arc::ptr_eq(member, &self.member));
        }
        self.member.is_used.store(false, Ordering::Release);
    }
}

/// A version as `/stats` prints it.
fn quoted(version: u32) -> String {
    format!("\"{version}\"")
}

/// A new folder for an Envoy of the pool, which lives as long as this process. Removes those of
/// processes that have ended.
fn folder() -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let parent = data().join("runs/shared");
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_string_lossy();
            let owner = owner.split('-').next().unwrap_or_default();
            if !Path::new("/proc").join(owner).exists() {
                // Another process may remove it at the same time.
                let _removed = fs::remove_dir_all(entry.path());
            }
        }
    }
    let folder = parent.join(format!("{}-{number}", process::id()));
    fs::create_dir_all(&folder).context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}
