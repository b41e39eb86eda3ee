//! Network namespaces on a bridge.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::error::Context;
use mesh::process;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::Result;
use crate::namespace;

/// The address of the bridge, at which the hosts reach the control plane.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);

const BRIDGE: &str = "br0";
const PREFIX: u8 = 24;
/// The last part of the first host's address.
const FIRST: u8 = 10;
const NAMESPACES: &str = "/run/netns";

/// The network of all hosts.
#[derive(Debug)]
pub struct Network {
    work: PathBuf,
    next: u8,
}

/// A network namespace with an address on the bridge.
#[derive(Clone, Debug)]
pub struct Host {
    number: u8,
    address: Ipv4Addr,
}

impl Network {
    /// Creates the bridge in the network namespace of this process.
    ///
    /// # Errors
    /// The bridge cannot be created.
    pub fn create(work: &Path) -> Result<Self> {
        let network = Self {
            work: work.to_owned(),
            next: FIRST,
        };
        network.ip(&format!(
            "link set lo up\n\
             link add {BRIDGE} type bridge\n\
             addr add {GATEWAY}/{PREFIX} dev {BRIDGE}\n\
             link set {BRIDGE} up\n"
        ))?;
        Ok(network)
    }

    /// Adds a host with an address that no other host had.
    ///
    /// # Errors
    /// The namespace cannot be created.
    pub fn add(&mut self) -> Result<Host> {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.add_numbered(number)
    }

    /// Adds a host with the address of one that was removed.
    ///
    /// # Errors
    /// The namespace cannot be created.
    pub fn add_in_place_of(&self, removed: &Host) -> Result<Host> {
        self.add_numbered(removed.number)
    }

    /// Kills all processes of a host and removes its namespace.
    ///
    /// # Errors
    /// The namespace cannot be removed.
    pub fn remove(&self, host: &Host) -> Result<()> {
        host.kill(Signal::KILL)?;
        let Host { number, .. } = host;
        self.ip(&format!("link del v{number}\nnetns del n{number}\n"))
    }

    fn add_numbered(&self, number: u8) -> Result<Host> {
        let [a, b, c, _] = GATEWAY.octets();
        let address = Ipv4Addr::new(a, b, c, number);
        // The neighbours' caches stay right if the address is used again.
        let link_address = format!("02:00:0a:f4:00:{number:02x}");
        self.ip(&format!(
            "netns add n{number}\n\
             link add v{number} type veth peer name eth0 address {link_address} netns n{number}\n\
             link set v{number} master {BRIDGE}\n\
             link set v{number} up\n"
        ))?;
        let host = Host { number, address };
        host.inside(|| {
            self.ip(&format!(
                "link set lo up\n\
                 addr add {address}/{PREFIX} dev eth0\n\
                 link set eth0 up\n\
                 route add default via {GATEWAY}\n"
            ))
        })?;
        Ok(host)
    }

    /// Runs lines of `ip`.
    fn ip(&self, lines: &str) -> Result<()> {
        let file = self.work.join("ip.batch");
        fs::write(&file, lines).context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new("ip");
        command.arg("-batch").arg(&file);
        process::run("ip", command)?;
        Ok(())
    }
}

impl Host {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The name of the namespace, for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("n{}", self.number)
    }

    /// Runs `work` in the network namespace, with the threads and processes that it starts.
    ///
    /// # Errors
    /// The namespace cannot be entered, or `work` failed.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        namespace::inside(&self.path(), work)
    }

    /// Sends a signal to all processes of the namespace.
    ///
    /// # Errors
    /// The processes cannot be listed.
    pub fn kill(&self, signal: Signal) -> Result<()> {
        for pid in self.processes()? {
            // It may have ended.
            let _gone = kill_process(pid, signal);
        }
        Ok(())
    }

    fn processes(&self) -> Result<Vec<Pid>> {
        let entries = fs::read_dir("/proc").context(|| "cannot read /proc")?;
        let own = inode(&self.path());
        let pids = entries.flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let namespace = inode(&entry.path().join("ns/net"));
            (namespace.is_some() && namespace == own).then(|| Pid::from_raw(pid))?
        });
        Ok(pids.collect())
    }

    fn path(&self) -> PathBuf {
        Path::new(NAMESPACES).join(self.name())
    }
}

/// The inode of a namespace's file, which identifies the namespace. `None` for a process that
/// ended.
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}
