//! The rules drop the same series as Kiali.

use super::*;

fn labels(changes: &[(&str, &str)]) -> Labels {
    let mut labels = mesh::labels::exchanged(
        mesh::labels::Reporter::Source,
        &mesh::Workload::ratings_v2(),
        &mesh::Workload::bookinfo("mongodb", "v1"),
    );
    for (name, value) in changes {
        labels.insert((*name).to_owned(), (*value).to_owned());
    }
    labels
}

fn series(changes: &[(&str, &str)]) -> Series {
    Series {
        name: String::new(),
        labels: labels(changes),
        value: 2.0,
    }
}

fn dropped(changes: &[(&str, &str)]) -> Option<Dropped> {
    edge(&labels(changes)).err()
}

#[test]
fn a_series_of_the_filter_is_an_edge() {
    let (edge, _) = edge(&labels(&[])).unwrap();
    let wanted = "ratings-v2.default@Kubernetes -> mongodb.default.svc.cluster.local -> mongodb-v1.default@Kubernetes";
    assert_eq!(edge.to_string(), wanted);
}

#[test]
fn a_series_with_an_empty_label_is_dropped() {
    for name in REQUIRED {
        assert_eq!(dropped(&[(name, "")]), Some(Dropped::MissingLabel(name)));
        let mut absent = labels(&[]);
        absent.remove(name);
        assert_eq!(edge(&absent).err(), Some(Dropped::MissingLabel(name)));
    }
    // The clusters may be absent.
    assert_eq!(dropped(&[("source_cluster", "")]), None);
    assert_eq!(dropped(&[("destination_cluster", "")]), None);
}

#[test]
fn a_source_with_nothing_but_a_namespace_is_dropped() {
    let nameless = [
        ("source_workload", "unknown"),
        ("source_canonical_service", "unknown"),
    ];
    assert_eq!(dropped(&nameless), Some(Dropped::NamelessSource));
    assert_eq!(dropped(&nameless[..1]), None);
    assert_eq!(dropped(&nameless[1..]), None);
    let from_outside = [&nameless[..], &[("source_workload_namespace", "unknown")]].concat();
    assert_eq!(dropped(&from_outside), None);
}

#[test]
fn a_source_in_an_unknown_cluster_is_dropped() {
    let nowhere = [("source_cluster", "unknown")];
    assert_eq!(dropped(&nowhere), Some(Dropped::SourceInNoCluster));
    let from_outside = [nowhere[0], ("source_workload_namespace", "unknown")];
    // The destination's cluster is then not inferred from the source, but its label is set.
    assert_eq!(dropped(&from_outside), None);
}

#[test]
fn a_destination_in_an_unknown_cluster_gets_the_cluster_of_the_source() {
    let (edge, _) = edge(&labels(&[("destination_cluster", "unknown")])).unwrap();
    assert_eq!(edge.destination.cluster, "Kubernetes");
    let neither = [
        ("destination_cluster", "unknown"),
        ("source_cluster", "unknown"),
        ("source_workload_namespace", "unknown"),
    ];
    assert_eq!(dropped(&neither), Some(Dropped::DestinationInNoCluster));
    let nobodys = [
        &neither[..],
        &[("destination_service_namespace", "unknown")],
    ]
    .concat();
    assert_eq!(dropped(&nobodys), None);
}

#[test]
fn a_series_with_an_address_as_service_is_dropped() {
    for address in ["10.11.12.13", "10.11.12.13:80"] {
        let bare = [
            ("destination_service", address),
            ("destination_service_name", address),
            ("destination_workload", "unknown"),
        ];
        assert_eq!(dropped(&bare), Some(Dropped::AddressAsService));
        assert_eq!(dropped(&bare[..2]), None);
    }
    let host = [
        ("destination_service", "books.example.com"),
        ("destination_service_name", "books.example.com"),
        ("destination_workload", "unknown"),
    ];
    let (edge, _) = edge(&labels(&host)).unwrap();
    assert_eq!(edge.destination.name, "books.example.com");
}

#[test]
fn the_counts_of_the_second_reporter_are_not_added() {
    let twice = graph(&[series(&[]), series(&[("reporter", "destination")])]);
    assert_eq!(twice.edges.values().collect::<Vec<_>>(), [&2.0]);
    assert!(twice.contradictions.is_empty());
    // The counts of reporters with different labels are added.
    let flags = graph(&[series(&[]), series(&[("response_flags", "UF")])]);
    assert_eq!(flags.edges.values().collect::<Vec<_>>(), [&4.0]);
    assert_eq!(flags.contradictions.len(), 1);
}

#[test]
fn faults_are_missing_extra_dropped_or_contradictory_edges() {
    let answers = [series(&[]), series(&[("source_workload", "")])];
    let faults = graph(&answers).faults(&BTreeSet::from(["another".to_owned()]));
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].starts_with("no another"), "{faults:?}");
    assert!(faults[1].starts_with("extra ratings-v2"), "{faults:?}");
    assert!(faults[2].contains("MissingLabel"), "{faults:?}");
}

#[test]
fn bytes_sent_by_the_client_are_those_received_by_the_server() {
    assert_eq!(Rate::Sent.metric(), "istio_tcp_received_bytes_total");
    assert_eq!(Rate::Received.metric(), "istio_tcp_sent_bytes_total");
    let [unserved, incoming, outgoing] = queries(Rate::Sent, "default", 60);
    assert!(
        unserved.contains(r#"=~"^.+\\.default\\..+$"} [60s]"#),
        "{unserved}"
    );
    assert!(incoming.contains(r#"{app!="ztunnel",reporter="destination","#));
    assert!(outgoing.starts_with("round(sum(rate(istio_tcp_received_bytes_total{"));
}
