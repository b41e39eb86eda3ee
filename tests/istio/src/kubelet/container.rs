//! The process that becomes a container: it prepares the mounts and runs the program.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::error::Context;
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive};
use rustix::process::chroot;
use serde::{Deserialize, Serialize};

use super::environment::Environment;
use crate::error::Result;

/// The hidden sub-command of the process.
pub const CONTAINER: &str = "container";

/// What is the machine's in every container.
const SHARED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A container.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// An empty folder, for the container's layer of the file system.
    pub(super) layer: PathBuf,
    /// Files and folders of this machine, and their paths in the container.
    pub(super) mounts: Vec<(PathBuf, PathBuf)>,
    pub(super) user: u32,
    pub(super) group: u32,
    /// The capabilities that it may have, such as `NET_ADMIN`.
    pub(super) capabilities: Vec<String>,
    pub(super) may_gain_privileges: bool,
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Environment,
}

/// Becomes the container of the plan in a file. This process needs a mount namespace of its own.
///
/// # Errors
/// The plan cannot be read, a mount fails, or the program cannot be run.
pub fn run(plan: &Path) -> Result<()> {
    let text = fs::read(plan).context(|| format!("cannot read {}", plan.display()))?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|error| mesh::Error::malformed("the plan of a container", error))?;
    let root = file_system(&plan)?;
    chroot(&root)
        .map_err(io::Error::from)
        .context(|| format!("cannot change the root to {}", root.display()))?;
    let error = command(&plan).exec();
    let failed: io::Result<()> = Err(error);
    failed.context(|| format!("cannot run {}", plan.program))?;
    Ok(())
}

/// Mounts the container's file system and returns its root.
fn file_system(plan: &Plan) -> Result<PathBuf> {
    let [upper, scratch, root] = ["upper", "scratch", "root"].map(|name| plan.layer.join(name));
    for folder in [&upper, &scratch, &root] {
        fs::create_dir_all(folder).context(|| format!("cannot create {}", folder.display()))?;
    }
    let options = format!(
        "lowerdir=/,upperdir={},workdir={}",
        upper.display(),
        scratch.display()
    );
    mount(
        "overlay",
        &root,
        "overlay",
        MountFlags::empty(),
        Some(c_string(&options)?.as_c_str()),
    )
    .map_err(io::Error::from)
    .context(|| format!("cannot mount an overlay of / at {}", root.display()))?;
    for shared in SHARED {
        let target = inside(&root, Path::new(shared));
        mount_bind_recursive(shared, &target)
            .map_err(io::Error::from)
            .context(|| format!("cannot mount {shared}"))?;
    }
    let run = inside(&root, Path::new("/run"));
    mount("tmpfs", &run, "tmpfs", MountFlags::empty(), c"mode=755")
        .map_err(io::Error::from)
        .context(|| "cannot mount the container's /run")?;
    for (source, path) in &plan.mounts {
        let target = resolve(&root, path);
        create(source, &target)
            .context(|| format!("cannot create the mount point {}", path.display()))?;
        mount_bind(source, &target)
            .map_err(io::Error::from)
            .context(|| format!("cannot mount {} at {}", source.display(), path.display()))?;
    }
    Ok(root)
}

/// The command of the container, with its user and capabilities.
fn command(plan: &Plan) -> Command {
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", plan.user))
        .arg(format!("--regid={}", plan.group))
        .arg("--clear-groups")
        .arg(format!(
            "--bounding-set={}",
            bounding_set(&plan.capabilities)
        ));
    if !plan.may_gain_privileges {
        command.arg("--no-new-privs");
    }
    command
        .arg("--")
        .arg(&plan.program)
        .args(&plan.arguments)
        .env_clear()
        .envs(&plan.environment)
        .current_dir("/");
    command
}

/// The argument of `setpriv` for exactly these capabilities.
fn bounding_set(capabilities: &[String]) -> String {
    let added = capabilities
        .iter()
        .map(|name| format!(",+{}", name.to_lowercase()));
    ["-all".to_owned()].into_iter().chain(added).collect()
}

/// The path in `root` of an absolute path.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The path in `root` of an absolute path whose folders may be links, as `/var/run` is.
fn resolve(root: &Path, path: &Path) -> PathBuf {
    let parents = path.ancestors();
    for parent in parents {
        if let Ok(real) = fs::canonicalize(parent) {
            let rest = path.strip_prefix(parent).unwrap_or_else(|_| Path::new(""));
            let real = inside(root, &real);
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
    }
    inside(root, path)
}

/// Creates the file or folder over which `source` is mounted.
fn create(source: &Path, target: &Path) -> io::Result<()> {
    if source.is_dir() {
        return fs::create_dir_all(target);
    }
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    if target.exists() {
        return Ok(());
    }
    File::create(target).map(drop)
}

fn c_string(text: &str) -> Result<std::ffi::CString> {
    Ok(std::ffi::CString::new(text)
        .map_err(io::Error::from)
        .context(|| format!("{text:?} cannot be a mount option"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_capabilities_of_the_container_are_kept() {
        let capabilities = ["NET_ADMIN", "NET_RAW"].map(str::to_owned);
        assert_eq!(bounding_set(&capabilities), "-all,+net_admin,+net_raw");
        assert_eq!(bounding_set(&[]), "-all");
    }

    #[test]
    fn mount_points_are_created_below_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::write(&source, "x").unwrap();
        let target = inside(folder.path(), Path::new("/etc/istio/file"));
        assert_eq!(target, folder.path().join("etc/istio/file"));
        create(&source, &target).unwrap();
        assert!(target.is_file());
        create(folder.path(), &inside(folder.path(), Path::new("/a/b"))).unwrap();
        assert!(folder.path().join("a/b").is_dir());
        // The machine has no such folder, and its nearest parent is no link.
        let absent = Path::new("/no-such-folder/x");
        assert_eq!(
            resolve(folder.path(), absent),
            folder.path().join("no-such-folder/x")
        );
    }
}
