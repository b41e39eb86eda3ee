//! The manifests of each overlay.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use manifests::{Manifest, kustomize};
use mesh::{Scratch, available, tools, workspace};
use serde_json::Value;

use crate::crds::definitions;

const OVERLAYS: [&str; 5] = [
    "telemetry-only",
    "telemetry-instead-of-native",
    "exchange",
    "exchange-instead-of-native",
    "uninstall",
];
/// Components, each with an overlay that it can extend.
const COMPONENTS: [(&str, &str); 2] = [
    ("traffic-extension", "telemetry-only"),
    ("pod-monitor", "telemetry-only"),
];

fn folder(path: &str) -> PathBuf {
    workspace::root().join("envoy-config/istio").join(path)
}

fn overlay(name: &str) -> Vec<Manifest> {
    kustomize::build(&folder(&format!("overlays/{name}"))).unwrap()
}

fn with(component: &str, name: &str) -> Vec<Manifest> {
    let component = folder(&format!("components/{component}"));
    kustomize::build_with(&folder(&format!("overlays/{name}")), &[&component]).unwrap()
}

fn kinds(manifests: &[Manifest]) -> BTreeSet<String> {
    let names = manifests
        .iter()
        .map(|each| format!("{} {}", each.kind(), each.name()));
    names.collect()
}

fn sorted(manifests: &[Manifest]) -> Vec<String> {
    let mut texts: Vec<_> = manifests
        .iter()
        .map(|each| each.document.to_string())
        .collect();
    texts.sort();
    texts
}

/// The configurations of the filter in the manifests of an overlay.
fn plugin_configs(manifests: &[Manifest]) -> Vec<Value> {
    let places = [
        "/spec/pluginConfig",
        "/spec/wasm/pluginConfig",
        "/spec/configPatches/0/patch/value/typed_config/config/configuration/value",
    ];
    let found = |manifest: &Manifest| {
        let config = places
            .iter()
            .find_map(|place| manifest.document.pointer(place))?;
        Some(match config {
            Value::String(json) => serde_json::from_str(json).unwrap(),
            config => config.clone(),
        })
    };
    manifests.iter().filter_map(found).collect()
}

#[test]
fn kustomize_builds_the_same_manifests() {
    let Some(program) = available(tools::kustomize()).unwrap() else {
        return;
    };
    let scratch = Scratch::new("kustomize").unwrap();
    for name in OVERLAYS {
        let theirs =
            kustomize::by_kustomize(&program, &folder(&format!("overlays/{name}"))).unwrap();
        assert_eq!(sorted(&theirs), sorted(&overlay(name)), "{name}");
    }
    for (component, name) in COMPONENTS {
        // kustomize takes no absolute paths.
        let up = "../".repeat(
            scratch
                .path()
                .strip_prefix(workspace::root())
                .unwrap()
                .iter()
                .count(),
        );
        let yaml = format!(
            "resources: [{up}envoy-config/istio/overlays/{name}]\n\
             components: [{up}envoy-config/istio/components/{component}]\n"
        );
        fs::write(scratch.path().join("kustomization.yaml"), yaml).unwrap();
        let theirs = kustomize::by_kustomize(&program, scratch.path()).unwrap();
        assert_eq!(
            sorted(&theirs),
            sorted(&with(component, name)),
            "{component}"
        );
    }
}

#[test]
fn the_default_is_one_plugin_without_exchange_and_with_its_own_metric_names() {
    let manifests = overlay("telemetry-only");
    assert_eq!(
        kinds(&manifests),
        ["WasmPlugin tcp-peer-stats".to_owned()].into()
    );
    assert_eq!(manifests[0].text("/spec/failStrategy"), "FAIL_OPEN");
    let config = &plugin_configs(&manifests)[0];
    assert_eq!(config.pointer("/peer_exchange/mode").unwrap(), "off");
    assert_eq!(config["stat_prefix"], "peer_stats");
}

#[test]
fn overlays_with_istios_metric_names_disable_istios_metrics_for_the_same_pods() {
    for (name, label) in [
        ("telemetry-instead-of-native", "telemetry"),
        ("exchange-instead-of-native", "exchange"),
    ] {
        let manifests = overlay(name);
        let telemetry = manifests
            .iter()
            .find(|each| each.kind() == "Telemetry")
            .unwrap();
        assert_eq!(
            telemetry.text("/spec/selector/matchLabels/tcp-peer-stats"),
            label
        );
        let overrides = telemetry
            .document
            .pointer("/spec/metrics/0/overrides")
            .unwrap();
        let off = overrides.as_array().unwrap().iter().map(|each| {
            assert_eq!(each["disabled"], true);
            assert_eq!(each["match"]["mode"], "CLIENT_AND_SERVER");
            each["match"]["metric"].as_str().unwrap()
        });
        let all = [
            "TCP_CLOSED_CONNECTIONS",
            "TCP_OPENED_CONNECTIONS",
            "TCP_RECEIVED_BYTES",
            "TCP_SENT_BYTES",
        ];
        assert_eq!(off.collect::<BTreeSet<_>>(), all.into());
        for config in plugin_configs(&manifests) {
            assert_eq!(config.get("stat_prefix"), None, "{name}");
        }
    }
}

#[test]
fn the_exchange_mode_of_each_overlay_is_as_documented() {
    for (name, mode, filters) in [
        ("exchange", "auto", ["server", "client"].as_slice()),
        ("exchange-instead-of-native", "on", &["server", "client"]),
        ("exchange-instead-of-native", "off", &["other-chains"]),
        ("uninstall", "receive", &["server", "client"]),
    ] {
        let manifests: Vec<_> = overlay(name)
            .into_iter()
            .filter(|manifest| {
                let component = manifest.text("/metadata/labels/app.kubernetes.io~1component");
                filters.contains(&component)
            })
            .collect();
        let configs = plugin_configs(&manifests);
        assert_eq!(configs.len(), filters.len(), "{name}");
        for config in configs {
            assert_eq!(
                config.pointer("/peer_exchange/mode").unwrap(),
                mode,
                "{name}"
            );
        }
        assert!(
            kinds(&overlay(name)).is_superset(&kinds(&overlay("exchange"))),
            "{name}"
        );
    }
}

#[test]
fn configurations_with_the_exchange_do_not_fail_open() {
    for name in OVERLAYS {
        for manifest in overlay(name) {
            let text = manifest.document.to_string();
            let open = text.contains("FAIL_OPEN");
            let configs = plugin_configs(std::slice::from_ref(&manifest));
            let exchanges = configs
                .iter()
                .any(|config| config["peer_exchange"]["mode"] != "off");
            assert!(!(open && exchanges), "{manifest}");
        }
    }
}

#[test]
fn a_traffic_extension_has_the_spec_of_the_plugin() {
    let (plugin, extension) = (
        overlay("telemetry-only"),
        with("traffic-extension", "telemetry-only"),
    );
    assert_eq!(
        kinds(&extension),
        ["TrafficExtension tcp-peer-stats".to_owned()].into()
    );
    let mut spec = extension[0].document["spec"].clone();
    let Value::Object(wasm) = spec.as_object_mut().unwrap().remove("wasm").unwrap() else {
        panic!("{spec}")
    };
    spec.as_object_mut().unwrap().extend(wasm);
    assert_eq!(spec, plugin[0].document["spec"]);
}

#[test]
fn the_manifests_of_every_overlay_are_valid() {
    let Some(definitions) = definitions() else {
        return;
    };
    let combined = COMPONENTS
        .iter()
        .map(|(component, name)| with(component, name));
    for manifest in OVERLAYS
        .iter()
        .map(|name| overlay(name))
        .chain(combined)
        .flatten()
    {
        if definitions.has_group_of(&manifest) {
            definitions
                .check(&manifest)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn invalid_kustomizations_are_rejected() {
    let scratch = Scratch::new("kustomize-refused").unwrap();
    let patch = |target: &str, path: &str| {
        format!(
            "resources: [a.yaml]\npatches:\n- target: {target}\n  patch: '[{{ op: replace, path: {path}, value: 1 }}]'\n"
        )
    };
    fs::write(
        scratch.path().join("a.yaml"),
        "kind: A\nmetadata: { name: a }\nspec: { b: 0 }\n",
    )
    .unwrap();
    let build = |yaml: String| {
        fs::write(scratch.path().join("kustomization.yaml"), yaml).unwrap();
        kustomize::build(scratch.path())
    };
    let built = build(patch("{ kind: A }", "/spec/b")).unwrap();
    assert_eq!(built[0].document["spec"]["b"], 1);
    for (yaml, expected) in [
        (
            patch("{ kind: A }", "/spec/c"),
            "there is no /spec/c to replace",
        ),
        (patch("{ kind: B }", "/spec/b"), "nothing is the target"),
        (
            "resources: [a.yaml]\nnamePrefix: b\n".into(),
            "`namePrefix` is not supported",
        ),
        ("resources: [b.yaml]\n".into(), "cannot read"),
    ] {
        let message = build(yaml).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
