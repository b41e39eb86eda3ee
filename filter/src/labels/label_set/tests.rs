use super::super::standard::RESPONSE_FLAGS;
use super::*;

fn workload(name: &str) -> Workload {
    Workload {
        workload: name.to_owned(),
        canonical_service: format!("{name}-service"),
        canonical_revision: "v2".to_owned(),
        namespace: "default".to_owned(),
        principal: format!("spiffe://cluster.local/ns/default/sa/{name}"),
        app: format!("{name}-app"),
        version: "v1".to_owned(),
        cluster: "Kubernetes".to_owned(),
    }
}

fn written(source: &Workload, destination: &Workload, service: &Service) -> Vec<String> {
    let labels = LabelSet {
        reporter: Reporter::Source,
        source: source.clone(),
        destination: destination.clone(),
        service: service.clone(),
        response_flags: ResponseFlags(0x20),
        security_policy: SecurityPolicy::Unknown,
    };
    let values = labels.values();
    let pairs = STANDARD_LABELS.iter().zip(&values);
    pairs
        .map(|(label, value)| format!("{}={value}", label.name))
        .collect()
}

#[test]
fn every_label_occurs_once_with_its_whole_value() {
    let service = Service {
        host: "db.default.svc.cluster.local".to_owned(),
        name: "db".to_owned(),
        namespace: "data".to_owned(),
        ..Service::default()
    };
    let expected = [
        "reporter=source",
        "source_workload=a",
        "source_canonical_service=a-service",
        "source_canonical_revision=v2",
        "source_workload_namespace=default",
        "source_principal=spiffe://cluster.local/ns/default/sa/a",
        "source_app=a-app",
        "source_version=v1",
        "source_cluster=Kubernetes",
        "destination_workload=b",
        "destination_canonical_service=b-service",
        "destination_canonical_revision=v2",
        "destination_workload_namespace=default",
        "destination_principal=spiffe://cluster.local/ns/default/sa/b",
        "destination_app=b-app",
        "destination_version=v1",
        "destination_cluster=Kubernetes",
        "destination_service=db.default.svc.cluster.local",
        "destination_service_name=db",
        "destination_service_namespace=data",
        "request_protocol=tcp",
        "response_flags=UF",
        "connection_security_policy=unknown",
    ];
    assert_eq!(written(&workload("a"), &workload("b"), &service), expected);
}

#[test]
fn the_flags_are_in_the_label_response_flags() {
    let label = STANDARD_LABELS
        .iter()
        .find(|label| label.value == LabelValue::ResponseFlags);
    assert_eq!(label.map(|label| label.name), Some(RESPONSE_FLAGS));
}

// Shows: README.md, "carry Istio's 23 labels, and no label is empty"
#[test]
fn no_value_is_empty() {
    let nobody = Workload::default();
    let written = written(&nobody, &nobody, &Service::default());
    for label in [
        "source_workload=unknown",
        "source_canonical_revision=latest",
        "destination_service=unknown",
    ] {
        assert!(written.iter().any(|line| line == label), "{written:?}");
    }
    assert!(
        written.iter().all(|line| !line.ends_with('=')),
        "{written:?}"
    );
}

#[test]
fn the_labels_without_peers_keep_this_workload_only() {
    let labels = |reporter| LabelSet {
        reporter,
        source: workload("a"),
        destination: workload("b"),
        service: Service::default(),
        response_flags: ResponseFlags(0),
        security_policy: SecurityPolicy::None,
    };
    let nobody = Workload::default();
    for (reporter, peer, source, destination) in [
        (
            Reporter::Source,
            workload("b"),
            workload("a"),
            nobody.clone(),
        ),
        (
            Reporter::Destination,
            workload("a"),
            nobody.clone(),
            workload("b"),
        ),
        (Reporter::Waypoint, workload("a"), nobody.clone(), nobody),
    ] {
        assert_eq!(labels(reporter).peer(), &peer, "{reporter:?}");
        let coarse = labels(reporter).without_peers();
        assert_eq!(
            (coarse.source, coarse.destination),
            (source, destination),
            "{reporter:?}"
        );
    }
}
