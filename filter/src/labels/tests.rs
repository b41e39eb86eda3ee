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

fn encode(source: &Workload, destination: &Workload) -> String {
    let service = Service {
        host: "db.default.svc.cluster.local".to_owned(),
        name: "db".to_owned(),
        namespace: "default".to_owned(),
    };
    Labels {
        reporter: Reporter::Source,
        source,
        destination,
        service: &service,
        response_flags: ResponseFlags::default(),
        security_policy: SecurityPolicy::Unknown,
    }
    .encode()
}

#[test]
fn every_label_is_there_once_and_in_full() {
    assert_eq!(
        encode(&workload("a"), &workload("b")),
        "reporter=.=source;.;\
         source_workload=.=a;.;source_canonical_service=.=a-service;.;\
         source_canonical_revision=.=v2;.;source_workload_namespace=.=default;.;\
         source_principal=.=spiffe://cluster.local/ns/default/sa/a;.;source_app=.=a-app;.;\
         source_version=.=v1;.;source_cluster=.=Kubernetes;.;\
         destination_workload=.=b;.;destination_canonical_service=.=b-service;.;\
         destination_canonical_revision=.=v2;.;destination_workload_namespace=.=default;.;\
         destination_principal=.=spiffe://cluster.local/ns/default/sa/b;.;\
         destination_app=.=b-app;.;destination_version=.=v1;.;destination_cluster=.=Kubernetes;.;\
         destination_service=.=db.default.svc.cluster.local;.;destination_service_name=.=db;.;\
         destination_service_namespace=.=default;.;request_protocol=.=tcp;.;\
         response_flags=.=-;.;connection_security_policy=.=unknown;.;"
    );
}

#[test]
fn no_value_is_ever_empty() {
    let head = encode(&Workload::default(), &Workload::default());
    assert!(!head.contains("=.=;.;"), "{head}");
    assert!(head.contains("source_workload=.=unknown;.;"), "{head}");
    assert!(
        head.contains("source_canonical_revision=.=latest;.;"),
        "{head}"
    );
    assert_eq!(head.matches(FIELD_SEPARATOR).count(), 23, "{head}");
}

#[test]
fn a_value_cannot_pass_for_a_separator() {
    for (value, cleaned) in [
        ("a;.;reporter=.=x", "a_._reporter_._x"),
        ("a;", "a_"),
        ("a;.", "a_."),
        ("=", "_"),
        ("line\nbreak\r\t\u{0}\u{7f}\u{85}", "line_break_____"),
        ("quo\"te\\", "quo\"te\\"),
        ("заказ", "заказ"),
    ] {
        assert_eq!(clean(value), cleaned, "{value:?}");
    }
}

#[test]
fn a_long_value_is_cut_between_characters() {
    assert_eq!(clean(&"x".repeat(MAX_VALUE_LEN)).len(), MAX_VALUE_LEN);
    assert_eq!(clean(&"x".repeat(70_000)).len(), MAX_VALUE_LEN);
    let odd = format!("x{}", "ж".repeat(400));
    assert_eq!(clean(&odd).len(), MAX_VALUE_LEN - 1);
}
