use super::*;
use crate::host::fake::FakeHost;

/// The stats of one connection: the short labels make the standard ones countable.
struct Case {
    host: FakeHost,
    selection: LabelSelection,
    expressions: Expressions,
}

impl Case {
    fn new(config: &str) -> Self {
        let host = FakeHost::default();
        let config = Config::parse(config.as_bytes()).expect(config);
        let mut expressions = Expressions::default();
        let selection =
            LabelSelection::compile(&&host, Roots::Xds, &config, &mut expressions).expect("CEL");
        Self {
            host,
            selection,
            expressions,
        }
    }

    /// Sets the value of an expression.
    fn with(self, text: &str, value: impl AsRef<[u8]>) -> Self {
        self.host.set(text, value);
        self
    }

    /// The labels of a metric, the standard ones left out unless they have another value.
    fn labels(&self, metric: Metric) -> Option<Vec<String>> {
        let values = self.expressions.evaluate(&&self.host);
        let standard: Vec<_> = STANDARD_LABELS
            .iter()
            .map(|label| Cow::Borrowed(label.name))
            .collect();
        let key = self.selection.key(&standard, &values);
        let stat = self.selection.stat_name(&key, metric as usize)?;
        let name = self.selection.naming().metric(metric.name());
        let head = stat
            .strip_suffix(&name)
            .expect("the metric's name comes last");
        let labels = head.split_terminator(";.;");
        let labels = labels.map(|label| label.replace("=.=", "="));
        let changed = |label: &String| {
            let (name, value) = label.split_once('=').expect("a label");
            name != value
        };
        Some(labels.filter(changed).collect())
    }

    /// How many labels a metric has.
    fn count(&self, metric: Metric) -> usize {
        let values = self.expressions.evaluate(&&self.host);
        let standard: Vec<_> = STANDARD_LABELS
            .iter()
            .map(|label| Cow::Borrowed(label.name))
            .collect();
        let key = self.selection.key(&standard, &values);
        let head = key.labels(metric as usize).unwrap_or_default();
        head.matches(";.;").count()
    }
}

#[test]
fn without_a_configuration_every_metric_has_the_standard_labels() {
    let case = Case::new("");
    for metric in Metric::STANDARD {
        assert_eq!(case.count(metric), 23);
        assert_eq!(case.labels(metric), Some(vec![]));
    }
    assert_eq!(case.labels(Metric::Open), None);
}

#[test]
fn the_stat_name_ends_with_prefix_and_metric() {
    let case = Case::new(r#"{"stat_prefix": "acme"}"#);
    let key = case.selection.key(&[], &ExpressionValues::default());
    let stat = case
        .selection
        .stat_name(&key, Metric::Sent as usize)
        .expect("a stat");
    assert!(
        stat.starts_with("reporter=.=unknown;.;source_workload=.="),
        "{stat}"
    );
    assert!(
        stat.ends_with("connection_security_policy=.=unknown;.;acme_tcp_sent_bytes_total"),
        "{stat}"
    );
}

#[test]
fn extended_metrics_have_the_same_labels() {
    let case = Case::new(r#"{"extended_metrics": true}"#);
    for metric in Metric::ALL {
        assert_eq!(case.count(metric), 23, "{metric:?}");
    }
}

#[test]
fn labels_are_added_and_removed() {
    let case = Case::new(
        r#"{"metrics": [
            {"tags_to_remove": ["source_version", "reporter"]},
            {"dimensions": {"z": "'1'", "reporter": "'2'", "source_app": "'3'"}},
            {"name": "tcp_sent_bytes_total", "tags_to_remove": ["z"], "dimensions": {"w": "'4'"}}
        ]}"#,
    )
    .with("'1'", "one")
    .with("'2'", "two")
    .with("'3'", "three");
    let common = ["source_app=three", "reporter=two", "z=one"];
    let labels = |metric| case.labels(metric).expect("labels");
    assert_eq!(labels(Metric::Opened), common);
    assert_eq!(labels(Metric::Received), common);
    // '4' has no value.
    assert_eq!(
        labels(Metric::Sent),
        ["source_app=three", "reporter=two", "w=unknown"]
    );
    assert_eq!(case.count(Metric::Opened), 23);
}

#[test]
fn a_metric_is_dropped() {
    let case =
        Case::new(r#"{"metrics": [{"name": "tcp_connections_closed_total", "drop": true}]}"#);
    assert_eq!(case.labels(Metric::Closed), None);
    assert_eq!(case.count(Metric::Opened), 23);
}

#[test]
fn an_entry_applies_if_its_condition_is_true() {
    let config = r#"{"metrics": [
        {"match": "connection.mtls", "dimensions": {"secure": "'yes'"}},
        {"match": "destination.port == 1", "drop": true}
    ]}"#;
    let holds = Case::new(config)
        .with("connection.mtls", [1])
        .with("'yes'", "yes");
    assert_eq!(
        holds.labels(Metric::Opened),
        Some(vec!["secure=yes".to_owned()])
    );
    for value in [[0].as_slice(), b"true", b""] {
        let fails = Case::new(config)
            .with("connection.mtls", value)
            .with("'yes'", "yes");
        assert_eq!(fails.labels(Metric::Opened), Some(vec![]), "{value:?}");
    }
    let dropped = Case::new(config).with("destination.port == 1", [1]);
    assert_eq!(dropped.labels(Metric::Opened), None);
}

#[test]
fn keys_differ_if_labels_or_metrics_differ() {
    let config = r#"{"metrics": [{"name": "tcp_sent_bytes_total", "match": "connection.mtls", "drop": true}]}"#;
    let key = |mtls: u8, reporter: &'static str| {
        let case = Case::new(config).with("connection.mtls", [mtls]);
        let values = case.expressions.evaluate(&&case.host);
        case.selection.key(&[Cow::Borrowed(reporter)], &values)
    };
    assert_eq!(key(1, "a"), key(1, "a"));
    assert_ne!(key(1, "a"), key(0, "a"));
    assert_ne!(key(1, "a"), key(1, "b"));
}

#[test]
fn a_custom_metric_has_only_custom_labels() {
    let case = Case::new(
        r#"{"definitions": [{"name": "bytes_hint", "value": "7", "type": "HISTOGRAM"}],
            "metrics": [{"name": "bytes_hint", "dimensions": {"app": "'x'"}}]}"#,
    )
    .with("7", 7i64.to_le_bytes())
    .with("'x'", "x");
    let values = case.expressions.evaluate(&&case.host);
    let key = case.selection.key(&[], &values);
    let index = Metric::ALL.len();
    let stat = case.selection.stat_name(&key, index);
    assert_eq!(stat.as_deref(), Some("app=.=x;.;istio_bytes_hint"));
    assert_eq!(
        case.selection.defined(&values).collect::<Vec<_>>(),
        [(index, 7)]
    );
    assert_eq!(case.selection.kinds().last(), Some(MetricKind::Histogram));
    assert_eq!(case.labels(Metric::Opened), Some(vec![]));
}

/// An expression of `stats_tags` that is not anchored takes the first place that it matches.
#[test]
fn a_label_precedes_longer_labels_with_the_same_ending() {
    let case = Case::new(
        r#"{"metrics": [
            {"dimensions": {"cc_tenant": "'1'", "my_cc_tenant": "'2'", "tenant": "'3'", "app": "'4'"}},
            {"dimensions": {"ant": "'5'", "my_source_app": "'6'"}}
        ]}"#,
    );
    let labels = case.labels(Metric::Opened).expect("labels");
    let place = |label: &str| {
        let found = labels
            .iter()
            .position(|found| found == &format!("{label}=unknown"));
        found.expect(label)
    };
    assert!(place("ant") < place("tenant"), "{labels:?}");
    assert!(place("tenant") < place("cc_tenant"), "{labels:?}");
    assert!(place("cc_tenant") < place("my_cc_tenant"), "{labels:?}");
    let standard = [const { Cow::Borrowed("x") }; 23];
    let key = case.selection.key(&standard, &ExpressionValues::default());
    let stat = case
        .selection
        .stat_name(&key, Metric::Opened as usize)
        .expect("a stat");
    for (label, value) in [
        ("app", "unknown"),
        ("source_app", "x"),
        ("my_source_app", "unknown"),
    ] {
        let first = stat.split(&format!("{label}=.=")).nth(1).expect(label);
        assert!(first.starts_with(&format!("{value};.;")), "{label}: {stat}");
    }
}
