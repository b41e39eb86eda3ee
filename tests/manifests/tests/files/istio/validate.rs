//! Real Envoy loads the configuration of every overlay.

use manifests::pair::Pod;
use manifests::pilot::{Mtls, Sidecar};
use mesh::EnvoyBinary;
use mesh::mesh_ca::MeshCa;
use mesh::{Envoy, Scratch, Workload, wasm};

use super::support::Install;

#[test]
fn envoy_loads_every_installation_on_both_sides() {
    let scratch = Scratch::new("manifests-validate").unwrap();
    let binary = EnvoyBinary::find(None).unwrap();
    let wasm = wasm::build().unwrap();
    let ca = MeshCa::create(&scratch.folder("ca").unwrap()).unwrap();
    for install in Install::ALL.into_iter().chain(Install::OTHER_MODES) {
        let tags = install.workload().tags();
        let (client, server, _) = install.sidecars();
        for (workload, sidecar) in [
            (Workload::ratings_v2(), client),
            (Workload::bookinfo("mongodb", "v1"), server),
        ] {
            let pod = Pod::new(&ca, workload.clone(), &tags);
            let bootstrap = pod.bootstrap(&sidecar, &wasm).unwrap();
            Envoy::validate(
                &binary,
                &workload.name,
                bootstrap.document(),
                scratch.path(),
            )
            .unwrap_or_else(|error| panic!("{install:?}: {error}"));
        }
    }
}

/// A fault, the change of a manifest's text that causes it, and the text that Envoy's error must
/// contain.
const WRONG: [(&str, &str, &str, &str); 3] = [
    (
        "an unknown field of Envoy",
        "failure_policy",
        "failurePolicie",
        "failurePolicie",
    ),
    (
        "an invalid value",
        "FAIL_RELOAD",
        "FAIL_SOFTLY",
        "FAIL_SOFTLY",
    ),
    (
        "an unknown field of the filter",
        "peer_exchange",
        "peer_exchanges",
        "peer_exchanges",
    ),
];

#[test]
fn envoy_rejects_an_invalid_configuration_with_a_reason() {
    let scratch = Scratch::new("manifests-broken").unwrap();
    let binary = EnvoyBinary::find(None).unwrap();
    let wasm = wasm::build().unwrap();
    let ca = MeshCa::create(&scratch.folder("ca").unwrap()).unwrap();
    for (what, from, to, expected) in WRONG {
        let mut manifests = Install::EXCHANGE.manifests();
        for manifest in &mut manifests {
            let text = manifest.document.to_string().replace(from, to);
            manifest.document = serde_json::from_str(&text).unwrap();
        }
        let mut server = Sidecar::server("exchange", Mtls::Permissive)
            .unwrap()
            .without_natives();
        server.apply(&manifests).unwrap();
        let pod = Pod::new(&ca, Workload::bookinfo("mongodb", "v1"), &[]);
        let bootstrap = pod.bootstrap(&server, &wasm).unwrap();
        let refusal = Envoy::validate(&binary, "broken", bootstrap.document(), scratch.path());
        let refusal = refusal.expect_err(what).to_string();
        assert!(refusal.contains(expected), "{what}: {refusal}");
    }
}
