use super::*;

#[test]
fn every_spelling_ends_in_the_hosts_names() {
    for (text, xds, legacy) in [
        (
            "node.metadata['CLUSTER_ID']",
            "xds.node.metadata['CLUSTER_ID']",
            "node.metadata['CLUSTER_ID']",
        ),
        (
            "xds.node.metadata['A']",
            "xds.node.metadata['A']",
            "node.metadata['A']",
        ),
        ("cluster_name", "xds.cluster_name", "cluster_name"),
        (
            "'a' in node.metadata ? 'b' : 'c'",
            "'a' in xds.node.metadata ? 'b' : 'c'",
            "'a' in node.metadata ? 'b' : 'c'",
        ),
    ] {
        assert_eq!(translate(text, Roots::Xds).as_deref(), Ok(xds), "{text}");
        assert_eq!(
            translate(text, Roots::Legacy).as_deref(),
            Ok(legacy),
            "{text}"
        );
    }
}

#[test]
fn every_spelling_of_a_peer_is_the_published_one() {
    for (text, translated) in [
        (
            "upstream_peer.labels['app'].value",
            "upstream_peer.labels['app']",
        ),
        (
            "upstream_peer . labels [ 'app' ] . value",
            "upstream_peer . labels [ 'app' ]",
        ),
        (
            "upstream_peer['labels']['app'].value",
            "upstream_peer['labels']['app']",
        ),
        ("downstream_peer.cluster_id", "downstream_peer.cluster_id"),
        (
            "filter_state.upstream_peer.labels['role']",
            "upstream_peer.labels['role']",
        ),
        (
            "filter_state['downstream_peer'].workload",
            "downstream_peer.workload",
        ),
        (
            "upstream_filter_state.upstream_peer.app",
            "upstream_peer.app",
        ),
        ("has(upstream_peer.labels)", "has(upstream_peer.labels)"),
    ] {
        assert_eq!(
            translate(text, Roots::Xds).as_deref(),
            Ok(translated),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_name_of_istios_stays() {
    for (text, translated) in [
        (
            "filter_state['wasm.other'].x",
            "filter_state['wasm.other'].x",
        ),
        (
            "connection.mtls && destination.port == 27017",
            "connection.mtls && destination.port == 27017",
        ),
        (
            "'node.id' + \"cluster_name\"",
            "'node.id' + \"cluster_name\"",
        ),
        ("[1, 2].exists(x, x == 1)", "[1, 2].exists(x, x == 1)"),
        ("size('abc')", "size('abc')"),
        (
            "source.address.startsWith('10.')",
            "source.address.startsWith('10.')",
        ),
        ("upstream.node", "upstream.node"),
        ("1 + // one\n 2", "1 + 2"),
        ("", ""),
    ] {
        assert_eq!(
            translate(text, Roots::Xds).as_deref(),
            Ok(translated),
            "{text}"
        );
    }
}

#[test]
fn a_name_that_does_not_exist_is_named() {
    for (text, name, nearest) in [
        ("nod.id", "nod", "node"),
        ("upstreampeer.labels", "upstreampeer", "upstream_peer"),
        ("1 == conection.id", "conection", "connection"),
    ] {
        let fault = ExpressionError::UnknownName {
            name: name.to_owned(),
            nearest,
        };
        assert_eq!(translate(text, Roots::Xds), Err(fault), "{text}");
    }
}

#[test]
fn a_field_that_peers_do_not_have_is_named() {
    for text in [
        "upstream_peer.workloadname",
        "filter_state['upstream_peer']['workloadname']",
    ] {
        let fault = ExpressionError::UnknownPeerField {
            name: "workloadname".to_owned(),
            nearest: "workload_name",
        };
        assert_eq!(translate(text, Roots::Xds), Err(fault), "{text}");
    }
}

#[test]
fn a_path_has_parts() {
    for (text, parts) in [
        (
            "upstream_peer.labels['app']",
            Some(["upstream_peer", "labels", "app"].as_slice()),
        ),
        (
            "xds.node.metadata[\"A.B\"]",
            Some(&["xds", "node", "metadata", "A.B"]),
        ),
        ("xds.cluster_name", Some(&["xds", "cluster_name"])),
        ("connection", None),
        ("'x'", None),
        ("1", None),
        ("a.b", None),
        ("destination.port==1", None),
        ("x.exists(y,y)", None),
        ("upstream_peer.labels[0]", None),
        ("", None),
    ] {
        let path = path(text);
        let path: Option<Vec<&str>> = path
            .as_ref()
            .map(|path| path.iter().map(String::as_str).collect());
        assert_eq!(path.as_deref(), parts, "{text}");
    }
}
