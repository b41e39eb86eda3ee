use super::*;

fn cleaned(naming: &Naming, value: &str) -> String {
    let mut head = String::new();
    naming.push_label(&mut head, "", value);
    let value = head.strip_prefix(&naming.value_separator).expect("a label");
    let value = value.strip_suffix(&naming.field_separator);
    value.expect("a label").to_owned()
}

#[test]
fn a_value_cannot_contain_a_separator() {
    let naming = Naming::default();
    for (value, expected) in [
        ("a;.;reporter=.=x", "a_._reporter_._x"),
        ("a;", "a_"),
        ("a;.", "a_."),
        ("=", "_"),
        ("line\nbreak\r\t\u{0}\u{7f}\u{85}", "line_break_____"),
        ("quo\"te\\", "quo\"te\\"),
        ("x,env:prod", "x_env:prod"),
        ("x|@0.001", "x_@0.001"),
        ("x|c|#env:prod", "x_c_#env:prod"),
        ("x\nforged.metric:100|c", "x_forged.metric:100_c"),
        ("outbound|27017||", "outbound_27017__"),
        ("CN=x,O=y", "CN_x_O_y"),
        ("spiffe://td/ns/a/sa/b", "spiffe://td/ns/a/sa/b"),
        ("me@example.com #1 (a+b)", "me@example.com #1 (a+b)"),
        ("заказ", "заказ"),
    ] {
        assert_eq!(cleaned(&naming, value), expected, "{value:?}");
    }
}

#[test]
fn values_of_the_proxys_configuration_keep_the_separators_of_sinks() {
    let mut head = String::new();
    Naming::default().push_configured(&mut head, "c", "outbound|1||a,b;c=d\n");
    assert_eq!(head, "c=.=outbound|1||a,b_c_d_;.;");
}

#[test]
fn only_paths_of_the_proxys_configuration_count_as_configuration() {
    for expression in [
        "cluster_name",
        " xds.cluster_name ",
        "node.metadata['INSTANCE_IPS']",
        "xds.node.metadata.LABELS['app.kubernetes.io/name']",
        "xds.cluster_metadata.filter_metadata[\"istio\"].services[0].host",
    ] {
        assert!(is_configuration(expression), "{expression}");
    }
    for expression in [
        "",
        "xds",
        "cluster_names",
        "upstream_peer.app",
        "filter_state.upstream_peer.cluster_name",
        "connection.requested_server_name",
        "connection.subject_peer_certificate",
        "cluster_name + upstream_peer.app",
        "cluster_name == 'a' ? upstream_peer.app : 'b'",
        "string(cluster_name)",
    ] {
        assert!(!is_configuration(expression), "{expression}");
    }
}

#[test]
fn characters_of_configured_separators_are_replaced_in_values() {
    let naming = Naming {
        field_separator: "||".to_owned(),
        value_separator: "-->".to_owned(),
        ..Naming::default()
    };
    assert_eq!(cleaned(&naming, "a=b;c|d>e-f,g"), "a=b_c_d_e-f_g");
}

#[test]
fn a_long_value_is_cut_between_characters() {
    let naming = Naming::default();
    assert_eq!(cleaned(&naming, &"x".repeat(512)).len(), 512);
    assert_eq!(cleaned(&naming, &"x".repeat(70_000)).len(), 512);
    let odd = format!("x{}", "ж".repeat(400));
    assert_eq!(cleaned(&naming, &odd).len(), 511);
}

#[test]
fn flags_are_replaced_in_their_label_only() {
    let naming = Naming::default();
    let stat = "a=.=1;.;flags=.=-;.;b=.=2;.;name";
    assert_eq!(
        naming.replace_flags(stat, "flags", "UF,URX"),
        "a=.=1;.;flags=.=UF,URX;.;b=.=2;.;name"
    );
    assert_eq!(naming.replace_flags(stat, "other", "UF"), stat);
    let tail = "own_flags=.=1;.;flags=.=-;.;name";
    assert_eq!(
        naming.replace_flags(tail, "flags", "UF"),
        "own_flags=.=1;.;flags=.=UF;.;name"
    );
}

#[test]
fn flags_are_joined_as_configured() {
    for (flag_separator, field_separator, joined) in [
        (",", ";.;", "UF,URX"),
        ("-", ";.;", "UF-URX"),
        ("/", ",", "UF/URX"),
        (",", ",", "UF_URX"),
    ] {
        let naming = Naming {
            flag_separator,
            field_separator: field_separator.to_owned(),
            ..Naming::default()
        };
        let mut head = String::new();
        naming.push_flags(&mut head, "f", "UF,URX");
        assert_eq!(head, format!("f=.={joined}{field_separator}"));
        assert_eq!(naming.flags("-"), "-");
    }
    let safe = FLAG_SEPARATORS.iter().skip(1);
    for (separator, _) in safe {
        assert_eq!(cleaned(&Naming::default(), separator), *separator);
    }
}

#[test]
fn a_separator_has_a_character_that_names_do_not_have() {
    for text in [";.;", "=.=", "||", "~", "->"] {
        assert!(is_separator(text), "{text:?}");
    }
    for text in ["", ".", "ab", "_._", "-", "/", "\n;", "1:2"] {
        assert!(!is_separator(text), "{text:?}");
    }
}

#[test]
fn the_expression_of_a_tag_is_anchored_at_the_start_of_a_label() {
    assert_eq!(
        Naming::default().anchored_tag("tenant"),
        r"(?:^wasmcustom\.|;\.;)(tenant=\.=(.*?);\.;)"
    );
    let naming = Naming {
        field_separator: "||".to_owned(),
        value_separator: "->".to_owned(),
        ..Naming::default()
    };
    assert_eq!(
        naming.anchored_tag("a"),
        r"(?:^wasmcustom\.|\|\|)(a->(.*?)\|\|)"
    );
}

#[test]
fn only_a_longer_label_has_the_ending_of_another() {
    for (longer, label, ends) in [
        ("source_app", "app", true),
        ("app", "app", false),
        ("app", "source_app", false),
        ("application", "app", false),
    ] {
        assert_eq!(ends_like(longer, label), ends, "{longer} {label}");
    }
}
