//! The peer's labels and its message in the filter state.

use super::*;

/// Some fields of the published peer.
fn published(host: &FakeHost, property: &str) -> Option<[String; 3]> {
    let raw = host.properties.borrow().get(property).cloned()?;
    let message = Struct::decode(raw.as_slice()).expect("a Struct");
    Some(["workload", "namespace", "identity"].map(|field| message.string(field).to_owned()))
}

#[test]
fn the_peer_is_published_before_its_first_byte_passes() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    let frame = peer_frame();
    let (head, tail) = frame.split_at(20);
    assert_eq!(sim.down(head), b"");
    assert_eq!(published(&host, "downstream_peer"), None);
    assert_eq!(sim.down(&[tail, b"query"].concat()), b"query");
    let peer = ["peer", "shop", CLIENT].map(str::to_owned);
    assert_eq!(published(&host, "downstream_peer"), Some(peer));
    assert_eq!(published(&host, "upstream_peer"), None);
}

// Shows: README.md, "connections whose peer claims another namespace than its certificate"
#[test]
fn a_namespace_that_differs_from_the_certificates_is_counted() {
    for (host, reporter) in [(inbound(), "destination"), (outbound(), "source")] {
        let sim = Sim::mode(&host, "auto");
        match reporter {
            "source" => sim.up(&peer_frame()),
            _ => sim.down(&peer_frame()),
        };
        sim.plugin.on_tick();
        let mismatches = host.metric(&["istio_tcp_peer_mismatch_total", reporter]);
        assert_eq!(mismatches, 1, "{reporter}");
    }
}

#[test]
fn the_client_side_publishes_the_server() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    sim.up(&peer_frame());
    let peer = ["peer", "data", SERVER].map(str::to_owned);
    assert_eq!(published(&host, "upstream_peer"), Some(peer));
}

// Shows: filter/docs/configuration.md, "it is written all the same"
#[test]
fn a_peer_that_nobody_reads_is_not_published() {
    let expression = r#""metrics": [{"dimensions": {"role": "upstream_peer.labels['role']"}}]"#;
    for (expressions, is_published) in [(r#""metrics": []"#, false), (expression, true)] {
        let host = outbound();
        let configuration = format!(r#"{{"publish_peer": false, {expressions}}}"#);
        let sim = Sim::new(&host, &configuration);
        sim.up(&peer_frame());
        let peer = published(&host, "upstream_peer");
        assert_eq!(peer.is_some(), is_published, "{configuration}");
        let opened = ["istio_tcp_connections_opened_total"];
        sim.plugin.on_tick();
        assert_eq!(host.metric(&opened), 1, "{configuration}");
    }
}

// Shows: filter/docs/peer-exchange.md, "`identity`, which comes from the certificate if there is"
#[test]
fn without_a_frame_the_certificate_is_published() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    let peer = ["", "shop", CLIENT].map(str::to_owned);
    assert_eq!(published(&host, "downstream_peer"), Some(peer));
}

#[test]
fn properties_are_declared_as_messages_once() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    let calls = host.foreign.borrow();
    let declared = calls.iter().filter(|(name, _)| name == "declare_property");
    let declared: Vec<_> = declared
        .map(|(_, argument)| {
            envoy::DeclarePropertyArguments::decode(argument.as_slice()).expect("a message")
        })
        .collect();
    let names: Vec<_> = declared
        .iter()
        .map(|argument| argument.name.as_str())
        .collect();
    assert_eq!(names, ["upstream_peer", "downstream_peer"]);
    for argument in &declared {
        assert_eq!(
            argument.schema,
            b"type.googleapis.com/google.protobuf.Struct"
        );
        assert_eq!(
            (argument.kind, argument.span, argument.readonly),
            (3, 2, false)
        );
    }
}

#[test]
fn the_peer_of_a_native_filter_is_used() {
    let native = |name: &str| Struct::from_iter([("workload", name), ("namespace", "data")]);
    let extensions = ["envoy.filters.network.metadata_exchange"];

    // On the client's side the native filter reads behind us: its peer comes with the answer.
    let host = FakeHost::default();
    host.properties.replace(outbound().properties.take());
    host.set("xds.node", node(&extensions).encode_to_vec());
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.down(b"query"), b"query");
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&[]).0, 0);
    host.set(
        "upstream_filter_state.upstream_peer",
        native("server").encode_to_vec(),
    );
    assert_eq!(sim.up(b"answer"), b"answer");
    sim.plugin.on_tick();
    assert_eq!(
        sim.counts(&["destination_workload=.=server;.;"]),
        (1, 0, 5, 6)
    );
    sim.close();
    assert_eq!(sim.counts(&[]), (1, 1, 5, 6));

    // On the server's side it comes with the query, however early the greeting is.
    let host = FakeHost::default();
    host.properties.replace(inbound().properties.take());
    host.set("xds.node", node(&extensions).encode_to_vec());
    let sim = Sim::mode(&host, "auto");
    assert_eq!(sim.up(b"greeting"), b"greeting");
    host.set(
        "filter_state.downstream_peer",
        native("client").encode_to_vec(),
    );
    assert_eq!(sim.down(b"query"), b"query");
    sim.plugin.on_tick();
    assert_eq!(sim.counts(&["source_workload=.=client;.;"]), (1, 0, 5, 8));
}

#[test]
fn the_peer_of_a_native_filter_is_used_only_in_mode_off() {
    for (mode, connections) in [("off", 1), ("on", 0)] {
        let host = outbound();
        let native = Struct::from_iter([("workload", "server"), ("namespace", "data")]);
        host.set(
            "upstream_filter_state.upstream_peer",
            native.encode_to_vec(),
        );
        let sim = Sim::mode(&host, mode);
        sim.down(b"query");
        sim.up(b"answer");
        sim.close();
        let labels = ["destination_workload=.=server;.;"];
        assert_eq!(sim.counts(&labels).0, connections, "{mode}");
    }
}

/// Without a certificate a server is known by the identity in its metadata, a client is not.
#[test]
fn an_identity_without_a_certificate_is_used_only_for_a_server() {
    let identity = "spiffe://cluster.local/ns/data/sa/claimed";
    let native = Struct::from_iter([("workload", "peer"), ("identity", identity)]);
    for (host, certificate, peer, label, value) in [
        (
            outbound(),
            "upstream.uri_san_peer_certificate",
            "upstream_filter_state.upstream_peer",
            "destination_principal",
            identity,
        ),
        (
            inbound(),
            "connection.uri_san_peer_certificate",
            "filter_state.downstream_peer",
            "source_principal",
            "unknown",
        ),
    ] {
        host.set(certificate, "");
        host.set(peer, native.encode_to_vec());
        let sim = Sim::mode(&host, "off");
        sim.down(b"query");
        sim.up(b"answer");
        sim.close();
        assert_eq!(
            sim.counts(&[&format!("{label}=.={value};.;")]).0,
            1,
            "{:?}",
            host.stats()
        );
    }
}

#[test]
fn both_ends_are_peers_of_a_waypoint() {
    let host = inbound();
    host.set(
        "xds.cluster_name",
        "inbound-vip|5432|tcp|db.data.svc.cluster.local",
    );
    host.set("upstream.uri_san_peer_certificate", SERVER);
    host.set(
        "xds.upstream_host_metadata.filter_metadata.istio.workload",
        "db-v1;data;db;;west",
    );
    let sim = Sim::new(&host, r#"{"reporter": "SERVER_GATEWAY"}"#);
    sim.down(&[peer_frame(), b"query".to_vec()].concat());
    sim.up(b"answer");
    sim.close();
    for label in [
        "reporter=.=waypoint",
        "source_workload=.=peer",
        "source_workload_namespace=.=shop",
        "source_canonical_revision=.=latest",
        "destination_workload=.=db-v1",
        "destination_workload_namespace=.=data",
        "destination_principal=.=spiffe://cluster.local/ns/data/sa/server",
        "destination_canonical_revision=.=unknown",
        "destination_cluster=.=west",
        "connection_security_policy=.=mutual_tls",
    ] {
        let label = format!("{label};.;");
        assert_eq!(
            sim.counts(&[&label]),
            (1, 1, 5, 6),
            "{label}: {:?}",
            host.stats()
        );
    }
}

/// A proxy may have several certificates. Connections of a peer without a URI SAN show it.
#[test]
fn connections_of_one_cluster_have_the_principal_of_their_own_certificate() {
    let host = host(&[]);
    host.set("xds.listener_direction", 1i64.to_le_bytes());
    host.set("xds.cluster_name", "inbound|5432||");
    let sim = Sim::mode(&host, "auto");
    for (at, san) in [SERVER, CLIENT, CLIENT].into_iter().enumerate() {
        host.set("connection.uri_san_local_certificate", san);
        let id = u32::try_from(at).expect("a small number") + 10;
        let connection = sim.plugin.on_new_connection(id).expect("a connection");
        host.data.replace(b"query".to_vec());
        connection
            .borrow_mut()
            .on_data(Buffer::Downstream, 5, false);
        connection.borrow_mut().on_close();
    }
    let opened = |san| sim.counts(&[&format!("destination_principal=.={san};")]).0;
    assert_eq!((opened(SERVER), opened(CLIENT)), (1, 2));
}

/// The endpoint is a question to the host; the metadata of most peers has all that it says.
#[test]
fn the_endpoint_fills_what_the_frame_lacks_and_is_read_only_then() {
    let label = |key: &str| (key.to_owned(), Value::from("frame"));
    let labels = |keys: &[&str]| {
        let labels = keys.iter().map(|key| label(key));
        Value::from(labels.collect::<Struct>())
    };
    let whole = [
        "service.istio.io/canonical-name",
        "service.istio.io/canonical-revision",
    ];
    let calls = |keys: &[&str], expected: &str| {
        let mut metadata = metadata("peer");
        metadata.insert("LABELS", labels(keys));
        let host = outbound();
        let path = "xds.upstream_host_metadata.filter_metadata.istio.workload";
        host.set(path, "peer;data;endpoint;endpoint;Kubernetes");
        let sim = Sim::mode(&host, "auto");
        sim.down(b"query");
        let before = host.hostcalls.get();
        sim.up(&Frame::new(metadata, "").encode());
        let calls = host.hostcalls.get() - before;
        sim.close();
        let revision = format!("destination_canonical_revision=.={expected};");
        assert_eq!(
            sim.counts(&[&revision]).0,
            1,
            "{keys:?}: {:?}",
            host.stats()
        );
        calls
    };
    let complete = calls(&whole, "frame");
    assert_eq!(
        calls(&["service.istio.io/canonical-name"], "endpoint"),
        complete + 1
    );
}
