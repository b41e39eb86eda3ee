//! The page of `--keep`: the commands to look at the running parts.

use crate::kubelet::Pod;
use crate::run::Run;

/// The commands.
pub(super) fn page(run: &Run, pods: &[&Pod]) -> String {
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
