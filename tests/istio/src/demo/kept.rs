//! The page of `--keep`: the commands to look at the running parts.

use std::net::{Ipv4Addr, SocketAddr};

use mesh::Scratch;
use mesh::prometheus::Prometheus;

use crate::error::Result;
use crate::kubelet::Pod;
use crate::run::Run;
use crate::scraping::{self, PORT};

/// A Prometheus that scrapes the pods, if it is installed.
pub(super) fn prometheus(scratch: &Scratch, pods: &[&Pod]) -> Result<Option<Prometheus>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    match Prometheus::start_at(scratch, &scraping::configuration(pods), address) {
        Err(error) if error.is_not_installed() => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// The command for the live page, with the port that leads to Prometheus. The filter reports every
/// 15 s, so rates need a minute.
pub(super) fn live(port: Option<u16>) -> String {
    match port {
        Some(port) => {
            format!(
                "cargo live --prometheus http://127.0.0.1:{port} --window 60  # who talks to whom, in a browser"
            )
        }
        None => "(the live page needs Prometheus. Debian: `apt install prometheus`)".to_owned(),
    }
}

/// The commands.
pub(super) fn page(run: &Run, pods: &[&Pod], live: &str) -> String {
    let enter = format!("nsenter --target {} --mount --net --pid", run.outer_id);
    let kubectl = run
        .parts
        .tools
        .path("kubectl")
        .map(|path| path.display().to_string());
    let kubectl = kubectl.unwrap_or_else(|_| "kubectl".to_owned());
    let configuration = run.work.join("kubeconfig");
    let mut lines = vec![
        "\nStill running, until Ctrl-C\n".to_owned(),
        format!("  {live}"),
        format!(
            "  {enter} env KUBECONFIG={} {kubectl} get pods --all-namespaces",
            configuration.display()
        ),
        format!("  {enter} ls {}", run.logs.display()),
    ];
    for pod in pods {
        let name = pod.host().name();
        lines.push(format!(
            "  {enter} ip netns exec {name} curl --silent 127.0.0.1:15000/stats/prometheus  # {}",
            pod.name()
        ));
    }
    lines.join("\n")
}
