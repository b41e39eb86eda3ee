//! Keys that refer to something that the scenario does not have.

use super::probe;
use host_harness::StartError;
use host_harness::scenario::{Scenario, ScenarioError};

/// A scenario whose every reference exists.
const GOOD: &str = "
name: references
outbound:
  cluster: { name: main }
  clusters: [{ name: other }]
  chains:
    - cluster: other
      filters: [wasm: {}, sni_cluster: {}]
    - server_names: [a.test]
      cluster: main
      filters: [wasm: {}]
steps:
  - connect: { connection: a }
  - client: { connection: a, write: x }
  - server: { connection: a, write: x }
  - at_once: [client: { connection: a, write: x }, server: { connection: a, write: z }]
  - update: { side: outbound, filter: 1, configuration: new }
  - drain: outbound
  - expect: { connection: a, client: { bytes: 2 }, outbound: { log: [x] }, one_of: [{ connection: a, server: { bytes: 1 } }] }
  - connect: { connection: b }
";

// Shows: host-harness/src/manual.md, "A key that refers to something that the scenario does not have is an error"
#[test]
fn each_key_that_refers_to_nothing_is_an_error_with_its_place_and_the_choice() {
    Scenario::parse(GOOD).unwrap();
    let connection = ("connection", vec!["a"]);
    let sidecar = ("sidecar", vec!["outbound"]);
    let filter = ("wasm filter", vec!["0", "1"]);
    let cases = [
        (
            "cluster: other",
            "cluster: another",
            "outbound.chains[0].cluster",
            "another",
            ("cluster", vec!["other", "main"]),
        ),
        (
            "cluster: main",
            "cluster: Main",
            "outbound.chains[1].cluster",
            "Main",
            ("cluster", vec!["other", "main"]),
        ),
        (
            "client: { connection: a, write: x }\n  - server",
            "client: { write: x }\n  - server",
            "steps[1].client.connection",
            "",
            connection.clone(),
        ),
        (
            "server: { connection: a, write: x }",
            "server: { connection: b, write: x }",
            "steps[2].server.connection",
            "b",
            connection.clone(),
        ),
        (
            "server: { connection: a, write: z }",
            "server: { connection: b, write: z }",
            "steps[3].at_once: server.connection",
            "b",
            connection.clone(),
        ),
        (
            "side: outbound",
            "side: inbound",
            "steps[4].update.side",
            "inbound",
            sidecar.clone(),
        ),
        (
            "filter: 1",
            "filter: 2",
            "steps[4].update.filter",
            "2",
            filter,
        ),
        (
            "drain: outbound",
            "drain: inbound",
            "steps[5].drain",
            "inbound",
            sidecar.clone(),
        ),
        (
            "expect: { connection: a",
            "expect: { connection: b",
            "steps[6].expect.connection",
            "b",
            connection.clone(),
        ),
        (
            "outbound: { log",
            "inbound: { log",
            "steps[6].expect.inbound",
            "inbound",
            sidecar,
        ),
        (
            "one_of: [{ connection: a",
            "one_of: [{ connection: c",
            "steps[6].expect.one_of[0].connection",
            "c",
            connection,
        ),
    ];
    for (good, bad, key, name, (kind, known)) in cases {
        assert!(GOOD.contains(good), "{good}");
        let error = Scenario::parse(&GOOD.replacen(good, bad, 1)).unwrap_err();
        let ScenarioError::UnknownName { scenario, unknown } = &error else {
            panic!("{bad}: {error}");
        };
        assert_eq!(scenario, "references");
        assert_eq!((unknown.key.as_str(), unknown.name.as_str()), (key, name));
        assert_eq!(
            (unknown.kind, &unknown.known),
            (kind, &known.iter().map(|name| (*name).to_owned()).collect())
        );
        let text = error.to_string();
        assert!(
            text.contains(&format!("`{key}`: there is no {kind} {name:?}")),
            "{text}"
        );
        assert!(
            known.iter().all(|name| text.contains(&format!("{name:?}"))),
            "{text}"
        );
    }
}

// Shows: host-harness/src/manual.md, "so is a key that has no effect where it is"
#[test]
fn each_key_without_effect_is_an_error_with_its_place_and_the_remedy() {
    let filters = "  filters: [wasm: {}]\n";
    for (added, key, remedy) in [
        (filters, "outbound.filters", "move the filters into a chain"),
        (
            "  host: { name: web }\n",
            "outbound.host.name",
            "name the `cluster`",
        ),
        (
            "  host: { max_connections: 1 }\n",
            "outbound.host.max_connections",
            "move it into `cluster`",
        ),
        (
            "  clusters: [{ name: other }, { metadata: {} }]\n",
            "outbound.clusters[1]",
            "add `name`",
        ),
        (
            "  clusters: [{ name: \"\" }, { name: other }]\n",
            "outbound.clusters[0]",
            "add `name`",
        ),
    ] {
        let clusters = "  clusters: [{ name: other }]\n";
        let bad = match added.starts_with("  clusters") {
            true => GOOD.replacen(clusters, added, 1),
            false => GOOD.replacen(clusters, &format!("{clusters}{added}"), 1),
        };
        let error = Scenario::parse(&bad).unwrap_err();
        let ScenarioError::UnusedKey { scenario, unused } = &error else {
            panic!("{added}: {error}");
        };
        assert_eq!(scenario, "references");
        assert_eq!(unused.key, key);
        let text = error.to_string();
        assert!(text.contains(&format!("`{key}` has no effect: ")), "{text}");
        assert!(text.ends_with(remedy), "{text}");
    }
    let alone = GOOD.replacen(
        "  cluster: { name: main }\n",
        "  cluster: { name: main }\n  host: { metadata: { a: {} } }\n",
        1,
    );
    Scenario::parse(&alone).unwrap();
}

#[test]
fn a_listener_refuses_a_cluster_and_a_filter_that_it_does_not_have() {
    let started = probe("")
        .filter_chain_name("tcp")
        .chain_cluster("none")
        .start();
    let Err(error) = started else {
        panic!("it started");
    };
    let StartError::NoCluster {
        chain,
        cluster,
        known,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((chain.as_str(), cluster.as_str()), ("tcp", "none"));
    assert_eq!(known, ["outbound|8080||server.default.svc.cluster.local"]);

    let sidecar = probe("").start().unwrap();
    sidecar.update_plugin(0, "").unwrap();
    let error = sidecar.update_plugin(1, "").unwrap_err();
    assert!(
        matches!(
            error,
            StartError::NoFilter {
                position: 1,
                count: 1
            }
        ),
        "{error}"
    );
}

#[test]
fn a_limit_of_connections_applies_to_a_cluster_without_a_name() {
    super::listener::play(
        "
name: an unnamed cluster with a limit
outbound: { cluster: { max_connections: 1 } }
steps:
  - connect: { connection: a }
  - connect: { connection: b }
  - expect: { connection: a, client: { ended: false } }
  - expect: { connection: b, client: { ended: true } }
",
    );
}
