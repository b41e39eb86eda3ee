use super::*;

const UUID: &str = "11111111-2222-3333-4444-555555555555";

/// `destination_service`, `_name`, `_namespace` and `destination_cluster` that a cluster's name
/// gives, and the name itself where no host is read in it.
fn read(cluster: &str) -> [String; 5] {
    let service = requested(None, cluster);
    [
        service.host,
        service.name,
        service.namespace,
        service.cluster,
        service.upstream,
    ]
}

/// Each line: the cluster, the service's host, name and namespace, the data centre, the fallback.
fn check(table: &[(&str, [&str; 5])]) {
    for (cluster, expected) in table {
        let cluster = cluster.replace("ID", UUID);
        let expected = expected.map(|value| value.replace("ID", UUID));
        assert_eq!(read(&cluster), expected, "{cluster}");
    }
}

#[test]
fn the_host_is_read_from_names_of_istios_clusters() {
    const DB: &str = "mongodb.default.svc.cluster.local";
    check(&[
        (
            "outbound|27017||mongodb.default.svc.cluster.local",
            [DB, "mongodb", "default", "", ""],
        ),
        (
            "outbound|27017|v1|mongodb.default.svc.cluster.local",
            [DB, "mongodb", "default", "", ""],
        ),
        (
            "inbound-vip|27017|tcp|mongodb.default.svc.cluster.local",
            [DB, "mongodb", "default", "", ""],
        ),
        (
            "outbound_.27017_._.mongodb.default.svc.cluster.local",
            [DB, "mongodb", "default", "", ""],
        ),
        (
            "outbound_.27017_.v1_.mongodb.default.svc.cluster.local",
            [DB, "mongodb", "default", "", ""],
        ),
        (
            "outbound_.27017_._.a_.b.example.com",
            ["a_.b.example.com", "a_.b.example.com", "", "", ""],
        ),
        ("inbound|9080|tcp|db", ["db", "db", "", "", ""]),
        ("inbound|27017||", ["", "", "", "", ""]),
        ("outbound|27017||", ["", "", "", "", "outbound|27017||"]),
        (
            "outbound_.27017_._.",
            ["", "", "", "", "outbound_.27017_._."],
        ),
    ]);
}

#[test]
fn only_a_kubernetes_service_is_named_by_its_first_dns_label() {
    check(&[
        (
            "outbound|5432||db.shop.svc.corp.example",
            ["db.shop.svc.corp.example", "db", "shop", "", ""],
        ),
        (
            "outbound|5432||db.shop.svc",
            ["db.shop.svc", "db", "shop", "", ""],
        ),
        (
            "outbound|3306||db1.a.com",
            ["db1.a.com", "db1.a.com", "", "", ""],
        ),
        (
            "outbound|3306||db1.b.com",
            ["db1.b.com", "db1.b.com", "", "", ""],
        ),
        (
            "outbound|3306||10.0.0.7",
            ["10.0.0.7", "10.0.0.7", "", "", ""],
        ),
        ("outbound|3306||*.a.com", ["*.a.com", "*.a.com", "", "", ""]),
        // A pod of a headless service is not the service.
        (
            "outbound|27017||mongodb-0.mongodb.default.svc.cluster.local",
            [
                "mongodb-0.mongodb.default.svc.cluster.local",
                "mongodb-0.mongodb.default.svc.cluster.local",
                "",
                "",
                "",
            ],
        ),
        (
            "mongodb.default.svc.cluster.local",
            [
                "mongodb.default.svc.cluster.local",
                "mongodb",
                "default",
                "",
                "",
            ],
        ),
        (
            "mongodb.default.svc.cluster.local:27017",
            [
                "mongodb.default.svc.cluster.local:27017",
                "mongodb",
                "default",
                "",
                "",
            ],
        ),
        ("outbound|1||.x.svc.y", [".x.svc.y", ".x.svc.y", "", "", ""]),
    ]);
}

#[test]
fn service_namespace_and_data_centre_are_read_from_names_of_consuls_clusters() {
    check(&[
        (
            "db.default.dc1.internal.ID.consul",
            [
                "db.default.dc1.internal.ID.consul",
                "db",
                "default",
                "dc1",
                "",
            ],
        ),
        (
            "v2.db.shop.dc1.internal.ID.consul",
            ["v2.db.shop.dc1.internal.ID.consul", "db", "shop", "dc1", ""],
        ),
        (
            "db.shop.part1.dc2.internal-v1.ID.consul",
            [
                "db.shop.part1.dc2.internal-v1.ID.consul",
                "db",
                "shop",
                "dc2",
                "",
            ],
        ),
        (
            "v2.db.shop.part1.dc2.internal-v1.ID.consul",
            [
                "v2.db.shop.part1.dc2.internal-v1.ID.consul",
                "db",
                "shop",
                "dc2",
                "",
            ],
        ),
        (
            "db.shop.default.cloud-east.external.ID.consul",
            [
                "db.shop.default.cloud-east.external.ID.consul",
                "db",
                "shop",
                "",
                "",
            ],
        ),
        (
            "geo-db.default.dc1.query.ID.consul",
            [
                "geo-db.default.dc1.query.ID.consul",
                "geo-db",
                "default",
                "dc1",
                "",
            ],
        ),
        (
            "failover-target~0~db.default.dc2.internal.ID.consul",
            [
                "db.default.dc2.internal.ID.consul",
                "db",
                "default",
                "dc2",
                "",
            ],
        ),
        (
            "934c1e4e~v2.db.default.dc1.internal.ID.consul",
            [
                "v2.db.default.dc1.internal.ID.consul",
                "db",
                "default",
                "dc1",
                "",
            ],
        ),
        // A mesh gateway's cluster for a data centre, and what only looks like Consul's.
        (
            "dc2.internal.ID.consul",
            ["", "", "", "", "dc2.internal.ID.consul"],
        ),
        (
            "db.default.dc1.internal.example.com",
            ["", "", "", "", "db.default.dc1.internal.example.com"],
        ),
        (
            "db..dc1.internal.ID.consul",
            ["", "", "", "", "db..dc1.internal.ID.consul"],
        ),
        (
            "db.default.dc1.internal..consul",
            ["", "", "", "", "db.default.dc1.internal..consul"],
        ),
        (
            "a.b.c.db.default.dc1.internal.ID.consul",
            ["", "", "", "", "a.b.c.db.default.dc1.internal.ID.consul"],
        ),
        ("local_app", ["", "", "", "", "local_app"]),
    ]);
}

#[test]
fn other_clusters_have_their_own_name_as_service() {
    for cluster in [
        "mongodb",
        "tcproute/default/mongodb/rule/-1",
        "default/mongodb/27017/da39a3ee5e",
        "mongodb_kuma-demo_svc_27017",
        "default/mongodb|27017|local",
        "a|b|c|d",
        "outbound|1|2",
        "outbound|1|2|host|more",
        "outbound_.27017",
        "db1.a.com",
        "original-destination",
    ] {
        assert_eq!(read(cluster), ["", "", "", "", cluster]);
    }
    assert_eq!(read(""), [""; 5]);
}

#[test]
fn a_cluster_without_a_service_has_a_name_and_no_host() {
    for cluster in SPECIAL_CLUSTERS {
        assert_eq!(read(cluster), ["", cluster, "", "", ""]);
    }
}

/// The host's encoding of a map of strings.
fn map(members: &[(&str, &str)]) -> Vec<u8> {
    let len = |len: usize| u32::try_from(len).expect("short").to_le_bytes();
    let mut raw = len(members.len()).to_vec();
    for (key, value) in members {
        raw.extend([len(key.len()), len(value.len())].concat());
    }
    for (key, value) in members {
        raw.extend([key.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    raw
}

#[test]
fn metadata_overrides_the_name_of_the_cluster_which_fills_missing_values() {
    const CLUSTER: &str = "outbound|5432||db.shop.svc.cluster.local";
    for (metadata, [host, name, namespace]) in [
        (
            &[("host", "a.b"), ("name", "n"), ("namespace", "ns")][..],
            ["a.b", "n", "ns"],
        ),
        (&[("host", "db1.a.com")], ["db1.a.com", "db1.a.com", ""]),
        (
            &[("host", "x.y.svc.cluster.local"), ("namespace", "ns")],
            ["x.y.svc.cluster.local", "x", "ns"],
        ),
        (&[("name", "n")], ["db.shop.svc.cluster.local", "n", "shop"]),
        (&[], ["db.shop.svc.cluster.local", "db", "shop"]),
    ] {
        let service = requested(Some(&map(metadata)), CLUSTER);
        let found = [&*service.host, &*service.name, &*service.namespace];
        assert_eq!(found, [host, name, namespace], "{metadata:?}");
    }
    let service = requested(Some(&map(&[("host", "db1.a.com")])), "tcproute/a/b/rule/-1");
    assert_eq!(service.host, "db1.a.com");
}
