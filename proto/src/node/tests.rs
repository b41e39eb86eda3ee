#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::{Kind, METADATA_KEY};

const DEPLOYMENT: &str = "kubernetes://apis/apps/v1/namespaces/ns/deployments/w";

/// The metadata that a modern node sends.
fn sent(node: &Node<'_>, additional_labels: &[&str]) -> Struct {
    let additional_labels: Vec<_> = additional_labels.iter().map(ToString::to_string).collect();
    let frame = node.frame(Style::Modern, &additional_labels);
    frame.fields.child(METADATA_KEY).unwrap().clone()
}

fn sent_owner(owner: &str) -> String {
    let metadata = Struct::from_iter([
        ("NAMESPACE", "ns"),
        ("WORKLOAD_NAME", "w"),
        ("OWNER", owner),
    ]);
    let node = Node {
        id: "",
        metadata: &metadata,
        locality: Locality::default(),
    };
    sent(&node, &[]).string("OWNER").to_owned()
}

#[test]
fn exchange_keys_select_the_style_of_istio_1_7() {
    let listed = Struct::from_iter([("EXCHANGE_KEYS", "NAME")]);
    assert_eq!(Style::of(&listed), Style::Istio17);
    assert_eq!(Style::of(&Struct::default()), Style::Modern);
}

#[test]
fn known_owners_are_rebuilt() {
    assert_eq!(sent_owner(DEPLOYMENT), DEPLOYMENT);
    for (kind, group) in [("pod", "v1"), ("job", "batch/v1"), ("cronjob", "batch/v1")] {
        let owner = |group| format!("kubernetes://apis/{group}/namespaces/ns/{kind}s/w");
        assert_eq!(sent_owner(&owner(group)), owner("apps/v1"));
    }
}

#[test]
fn the_end_of_an_owner_is_not_checked() {
    assert_eq!(sent_owner("x/deployment???"), DEPLOYMENT);
}

#[test]
fn unknown_owners_are_not_sent() {
    for owner in [
        "",
        "s/w",
        "/s/w",
        "deployments/w",
        "/replicasets/w",
        "/deploymenté/w",
    ] {
        assert_eq!(sent_owner(owner), "", "{owner}");
    }
}

#[test]
fn locality_replaces_missing_metadata() {
    let metadata = Struct::from_iter([("REGION", "r1"), ("AVAILABILITY_ZONE", "")]);
    let locality = Locality {
        region: "r2",
        zone: "z2",
    };
    let sent = sent(
        &Node {
            id: "",
            metadata: &metadata,
            locality,
        },
        &[],
    );
    assert_eq!(sent.string("REGION"), "r1");
    assert_eq!(sent.string("AVAILABILITY_ZONE"), "z2");
}

#[test]
fn additional_labels_are_sent_if_present_and_not_standard() {
    let labels = Struct::from_iter([
        ("app", Value::from("plain")),
        ("app.kubernetes.io/name", Value::from("qualified")),
        ("role", Value::from("client")),
        ("empty", Value::from("")),
        ("number", Value::from(Kind::NumberValue(5.0))),
    ]);
    let metadata = Struct::from_iter([("LABELS", labels)]);
    let node = Node {
        id: "",
        metadata: &metadata,
        locality: Locality::default(),
    };

    let names = [
        "app",
        "app.kubernetes.io/name",
        "role",
        "empty",
        "number",
        "missing",
    ];
    let sent = sent(&node, &names);
    let expected = Struct::from_iter([
        ("app", "qualified"),
        ("role", "client"),
        ("empty", ""),
        ("number", ""),
    ]);
    assert_eq!(sent.child("LABELS"), Some(&expected));
}
