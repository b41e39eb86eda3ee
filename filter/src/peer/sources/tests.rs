use super::*;

#[test]
fn a_namespace_is_read_only_from_known_forms_of_identities() {
    for (san, namespace) in [
        (
            "spiffe://cluster.local/ns/default/sa/client",
            Some("default"),
        ),
        ("spiffe://td/ns/ns/sa/ns", Some("ns")),
        ("spiffe://id.consul/ns/shop/dc/dc1/svc/db", Some("shop")),
        (
            "spiffe://id.consul/ap/part1/ns/shop/dc/dc1/svc/db",
            Some("shop"),
        ),
        ("spiffe://td/app/ns/x", None),
        ("spiffe://td/app/ns/x/sa/y", None),
        ("spiffe://td/ns/x", None),
        ("spiffe://td/ns/x/", None),
        ("spiffe://td/ns/x/sa", None),
        ("spiffe://td/ns/x/sa/", None),
        ("spiffe://td/ns//sa/y", None),
        ("spiffe:///ns/x/sa/y", None),
        ("spiffe://td/ns/x/sa/y/more", None),
        ("spiffe://td/ns/x/pod/y", None),
        ("spiffe://td/ns/x/dc/dc1/svc/", None),
        ("spiffe://td/NS/x/SA/y", None),
        ("https://td/ns/x/sa/y", None),
        ("/ns/x/sa/y", None),
        ("spiffe://td/client", None),
        ("", None),
    ] {
        assert_eq!(namespace_of(san), namespace, "{san}");
    }
}

#[test]
fn without_a_namespace_in_the_certificate_the_frame_has_the_namespace() {
    let exchanged = Metadata {
        namespace: "shop".to_owned(),
        ..Metadata::default()
    };
    let sources = || PeerSources {
        san: Some("spiffe://td/app/ns/x"),
        metadata: Some(&exchanged),
        is_client: true,
        ..PeerSources::default()
    };
    assert!(!sources().namespace_mismatch());
    let peer = sources().workload();
    assert_eq!(
        (peer.namespace.as_str(), peer.principal.as_str()),
        ("shop", "spiffe://td/app/ns/x")
    );
}

#[test]
fn endpoint_metadata_needs_four_parts() {
    for text in ["", "a;b", "a;b;c"] {
        assert_eq!(from_endpoint(text), None, "{text}");
    }
    let four = from_endpoint("w;n;s;r").expect("four parts");
    assert_eq!((four.workload.as_str(), four.cluster.as_str()), ("w", ""));
    let five = from_endpoint("foo-pod;default;foo-service;v1;my-cluster").expect("five parts");
    let expected = Workload {
        workload: "foo-pod".to_owned(),
        namespace: "default".to_owned(),
        canonical_service: "foo-service".to_owned(),
        canonical_revision: "v1".to_owned(),
        cluster: "my-cluster".to_owned(),
        ..Workload::default()
    };
    assert_eq!(five, expected);
}

// Shows: filter/docs/unknown-labels.md, "of the peer from the first of these sources that has it"
#[test]
fn each_label_comes_from_the_first_source_that_has_it() {
    let exchanged = Metadata {
        workload_name: "exchanged".to_owned(),
        namespace: "exchanged".to_owned(),
        ..Metadata::default()
    };
    let sources = PeerSources {
        san: Some("spiffe://td/ns/san/sa/x"),
        metadata: Some(&exchanged),
        endpoint: Some("endpoint;endpoint;endpoint;endpoint;"),
        native: Some(Workload {
            canonical_service: "native".to_owned(),
            cluster: "native".to_owned(),
            ..Workload::default()
        }),
        is_client: true,
    };
    let peer = sources.workload();
    assert_eq!(peer.principal, "spiffe://td/ns/san/sa/x");
    assert_eq!(peer.namespace, "san");
    assert_eq!(peer.workload, "exchanged");
    assert_eq!(peer.canonical_service, "endpoint");
    assert_eq!(peer.cluster, "native");
    assert_eq!(peer.app, "");
}

#[test]
fn a_namespace_mismatch_needs_a_claim_and_a_certificate() {
    let san = "spiffe://td/ns/shop/sa/x";
    for (san, claimed, contradict) in [
        (Some(san), Some("bank"), true),
        (Some(san), Some("shop"), false),
        (Some(san), Some(""), false),
        (Some(san), None, false),
        (Some("spiffe://td/x"), Some("bank"), false),
        (None, Some("bank"), false),
    ] {
        let exchanged = claimed.map(|namespace| Metadata {
            namespace: namespace.to_owned(),
            ..Metadata::default()
        });
        let sources = PeerSources {
            san,
            metadata: exchanged.as_ref(),
            ..PeerSources::default()
        };
        assert_eq!(
            sources.namespace_mismatch(),
            contradict,
            "{san:?} {claimed:?}"
        );
    }
}

#[test]
fn without_sources_every_value_is_empty() {
    assert_eq!(PeerSources::default().workload(), Workload::default());
}

#[test]
fn a_claimed_identity_is_used_if_no_certificate_is_required() {
    let claim = Metadata {
        identity: "spiffe://td/ns/claimed/sa/x".to_owned(),
        ..Metadata::default()
    };
    for (is_client, san, principal) in [
        (false, None, "spiffe://td/ns/claimed/sa/x"),
        (true, None, ""),
        (
            false,
            Some("spiffe://td/ns/a/sa/b"),
            "spiffe://td/ns/a/sa/b",
        ),
        (true, Some("spiffe://td/ns/a/sa/b"), "spiffe://td/ns/a/sa/b"),
    ] {
        let sources = PeerSources {
            san,
            metadata: Some(&claim),
            is_client,
            ..PeerSources::default()
        };
        assert_eq!(
            sources.workload().principal,
            principal,
            "{is_client} {san:?}"
        );
    }
}

/// The page with the table of what each source gives.
const PAGE: &str = include_str!("../../../docs/unknown-labels.md");

/// The labels of one source in the order of the page's table.
fn given(sources: PeerSources<'_>) -> [String; 8] {
    let peer = sources.workload();
    [
        peer.workload,
        peer.canonical_service,
        peer.canonical_revision,
        peer.namespace,
        peer.principal,
        peer.app,
        peer.version,
        peer.cluster,
    ]
}

#[test]
fn each_source_has_the_labels_of_the_page() {
    const ID: &str = "spiffe://td/ns/shop/sa/web";
    const IDENTIFIED: [&str; 8] = [
        "workload", "service", "v1", "shop", ID, "app", "version", "cluster",
    ];
    let labels = [
        ("service.istio.io/canonical-name", "service"),
        ("service.istio.io/canonical-revision", "v1"),
        ("app", "app"),
        ("version", "version"),
    ];
    let frame = Metadata {
        workload_name: "workload".to_owned(),
        namespace: "claimed".to_owned(),
        cluster_id: "cluster".to_owned(),
        identity: ID.to_owned(),
        labels: labels
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Metadata::default()
    };
    let certificate = PeerSources {
        san: Some(ID),
        ..PeerSources::default()
    };
    let exchanged = |is_client| PeerSources {
        metadata: Some(&frame),
        is_client,
        ..PeerSources::default()
    };
    let endpoint = PeerSources {
        endpoint: Some("workload;claimed;service;v1;cluster"),
        ..PeerSources::default()
    };
    let native = |is_client| PeerSources {
        native: Some(from_metadata(&frame)),
        is_client,
        ..PeerSources::default()
    };
    let columns = [
        (certificate, ["", "", "", "shop", ID, "", "", ""]),
        (exchanged(false), IDENTIFIED),
        (
            endpoint,
            [
                "workload", "service", "v1", "claimed", "", "", "", "cluster",
            ],
        ),
        (native(false), IDENTIFIED),
    ];
    let mut gives = vec![Vec::new(); 8];
    for (sources, expected) in columns {
        assert_eq!(given(sources), expected);
        for (row, value) in gives.iter_mut().zip(expected) {
            row.push(!value.is_empty());
        }
    }
    let rows = PAGE.lines().filter(|line| line.starts_with("| `*_"));
    let page: Vec<Vec<bool>> = rows
        .map(|row| {
            let cells = row.trim_matches('|').split('|').skip(1);
            cells.map(|cell| cell.trim() != "–").collect()
        })
        .collect();
    assert_eq!(page, gives);
    // The server's side believes an identity only with a certificate.
    for sources in [exchanged(true), native(true)] {
        let unis_client = [
            "workload", "service", "v1", "claimed", "", "app", "version", "cluster",
        ];
        assert_eq!(given(sources), unis_client);
    }
}
