use super::*;

fn in_names(text: &str, roots: Roots) -> Result<String, ExpressionError> {
    translate(text, roots).map(|translated| translated.text)
}

#[test]
fn every_spelling_is_translated_to_the_names_of_the_host() {
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
        assert_eq!(in_names(text, Roots::Xds).as_deref(), Ok(xds), "{text}");
        assert_eq!(
            in_names(text, Roots::Legacy).as_deref(),
            Ok(legacy),
            "{text}"
        );
    }
}

#[test]
fn every_spelling_of_a_peer_is_translated_to_the_published_name() {
    for (text, translated) in [
        (
            "upstream_peer.labels['app'].value",
            "upstream_peer.labels['app']",
        ),
        ("upstream_peer.labels.app.value", "upstream_peer.labels.app"),
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
        // Istio 1.18 to 1.23, and 1.29 and later.
        (
            "filter_state['wasm.upstream_peer'].labels['app'].value",
            "upstream_peer.labels['app']",
        ),
        (
            "filter_state['upstream_peer_obj'].workload",
            "upstream_peer.workload",
        ),
        (
            "filter_state.downstream_peer_obj.app",
            "downstream_peer.app",
        ),
        ("upstream_peer.instance_ips", "upstream_peer.instance_ips"),
        (
            "upstream_peer['app_containers']",
            "upstream_peer['app_containers']",
        ),
    ] {
        assert_eq!(
            in_names(text, Roots::Xds).as_deref(),
            Ok(translated),
            "{text}"
        );
    }
}

#[test]
fn expressions_without_names_of_istio_are_unchanged() {
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
            in_names(text, Roots::Xds).as_deref(),
            Ok(translated),
            "{text}"
        );
    }
}

#[test]
fn the_error_for_an_unknown_attribute_has_its_name() {
    for (text, name, nearest) in [
        ("nod.id", "nod", "node"),
        ("upstreampeer.labels", "upstreampeer", "upstream_peer"),
        ("1 == conection.id", "conection", "connection"),
    ] {
        let fault = ExpressionError::UnknownName {
            name: name.to_owned(),
            nearest,
        };
        assert_eq!(in_names(text, Roots::Xds), Err(fault), "{text}");
    }
}

#[test]
fn the_error_for_an_unknown_field_of_a_peer_has_its_name() {
    for text in [
        "upstream_peer.workloadname",
        "filter_state['upstream_peer']['workloadname']",
    ] {
        let fault = ExpressionError::UnknownPeerField {
            name: "workloadname".to_owned(),
            nearest: "workload_name",
        };
        assert_eq!(in_names(text, Roots::Xds), Err(fault), "{text}");
    }
}

#[test]
fn a_path_is_split_into_parts() {
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

#[test]
fn has_accepts_names_and_members() {
    for (text, rewritten) in [
        // Expressions that CEL accepts.
        ("has(upstream_peer.labels)", "has(upstream_peer.labels)"),
        (
            "has(filter_state.upstream_peer.app)",
            "has(upstream_peer.app)",
        ),
        (
            "has(filter_state[\"upstream_peer\"].app)",
            "has(upstream_peer.app)",
        ),
        ("has(request.host)", "has(request.host)"),
        ("has(node.id)", "has(xds.node.id)"),
        ("has(node.metadata[0])", "has(xds.node.metadata[0])"),
        ("has(cluster_name)", "has(xds.cluster_name)"),
        // A peer, in every spelling.
        (
            "has(upstream_peer)",
            "('wasm.upstream_peer' in filter_state)",
        ),
        (
            "!has( filter_state.downstream_peer ) ? 1 : 2",
            "!('wasm.downstream_peer' in filter_state) ? 1 : 2",
        ),
        (
            "has(filter_state['upstream_peer'])",
            "('wasm.upstream_peer' in filter_state)",
        ),
        (
            "has(filter_state[\"wasm.upstream_peer\"])",
            "('wasm.upstream_peer' in filter_state)",
        ),
        // Another filter's property and state.
        (
            "has(istio_operationId)",
            "('wasm.istio_operationId' in filter_state)",
        ),
        (
            "has(filter_state['envoy.network.ip'])",
            "('envoy.network.ip' in filter_state)",
        ),
        // Members.
        (
            "has(downstream_peer.labels['role'])",
            "('role' in downstream_peer.labels)",
        ),
        (
            "has(upstream_peer.labels['role'].value) || true",
            "('role' in upstream_peer.labels) || true",
        ),
        (
            "has(node.metadata['PLATFORM_METADATA']['gcp_zone'])",
            "('gcp_zone' in xds.node.metadata['PLATFORM_METADATA'])",
        ),
        ("has(request.headers[\"x\"])", "(\"x\" in request.headers)"),
        // Roots of Envoy's are no fields; the host says so.
        ("has(connection)", "has(connection)"),
        ("has(1 + 2)", "has(1 + 2)"),
        ("has(upstream_peer", "has(upstream_peer"),
    ] {
        let rewritten_as = in_names(text, Roots::Xds);
        assert_eq!(rewritten_as.as_deref(), Ok(rewritten), "{text}");
    }
}

#[test]
fn attributes_without_a_tcp_value_are_reported_once() {
    for (text, names) in [
        ("request.url_path", ["request.url_path"].as_slice()),
        (
            "has(request.host) ? request.host : \"unknown\"",
            &["request.host"],
        ),
        (
            "request.method + response['code'] + request.headers['x']",
            &["request.method", "response.code", "request.headers"],
        ),
        ("istio_operationId", &["istio_operationId"]),
        (
            "has(istio.responseClass)?istio.responseClass:response.code",
            &["istio", "response.code"],
        ),
        (
            "filter_state[\"wasm.istio_responseClass\"]",
            &["istio_responseClass"],
        ),
        ("upstream_peer_id", &["upstream_peer_id"]),
        ("my_operation == 'x'", &["my_operation"]),
        ("production", &["production"]),
        // Attributes that TCP has.
        ("request.time", &[]),
        ("response.flags", &[]),
        ("'request.host'", &[]),
        ("filter_state['envoy.string']", &[]),
        ("[1].exists(istio_x, istio_x == 1)", &[]),
    ] {
        let absent = translate(text, Roots::Xds).expect(text).absent;
        let found: Vec<&str> = absent
            .iter()
            .map(|absent| match absent {
                AbsentAttribute::Http(name) | AbsentAttribute::Property(name) => name.as_str(),
            })
            .collect();
        assert_eq!(found, names, "{text}");
    }
}

#[test]
fn a_path_is_a_plain_chain_of_members() {
    let parts = |text: &str| path(text).map(|parts| parts.join("/"));
    for (text, expected) in [
        ("connection.id", Some("connection/id")),
        (
            "xds.node.metadata['CLUSTER_ID']",
            Some("xds/node/metadata/CLUSTER_ID"),
        ),
        ("connection", None),
        ("connection.id == 1", None),
        ("connection.'id'", None),
        ("connection('id')", None),
        ("connection['id')", None),
        ("nothing.id", None),
    ] {
        assert_eq!(parts(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn only_the_root_xds_is_removed_for_older_hosts() {
    for (text, translated) in [
        ("xds.cluster_name", "cluster_name"),
        ("connection.cluster_name", "connection.cluster_name"),
    ] {
        assert_eq!(
            in_names(text, Roots::Legacy).as_deref(),
            Ok(translated),
            "{text}"
        );
    }
}
