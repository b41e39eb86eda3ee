//! Frames with false, malformed or injected metadata.

use mesh::labels::Reporter;
use mesh::testing::Result;
use serde_json::json;

use crate::case::Case;
use crate::session::HostileSession;
use crate::wire::{entry, field, frame, holding, lists, metadata, named, structure, text, texts};

const BOUND: u64 = 48 << 20;
const PAYLOAD: &[u8] = b"payload";

/// Names that contain separators of stats, of the exposition format or of templates, and the
/// label's values for them.
const NAMES: [(&str, &str); 13] = [
    (
        "a;.;source_app=.=admin;.;istio_fake_total",
        "a_._source_app_._admin_._istio_fake_total",
    ),
    (
        "\";.;destination_workload=.=x\"} 1\nistio_fake_total 7\n# ",
        "\"_._destination_workload_._x\"} 1_istio_fake_total 7_# ",
    ),
    ("quote\"", "quote\""),
    ("\"},{\"", "\"}_{\""),
    ("x|c|@0.1|#env:prod,a:b", "x_c_@0.1_#env:prod_a:b"),
    ("back\\slash\\n", "back\\slash\\n"),
    ("\r\n\t\u{1}\u{7f}", "_____"),
    ("nul\0nul", "nul_nul"),
    ("=", "_"),
    (";.;;.;;.;", "_.__.__._"),
    ("reporter=.=source;.;", "reporter_._source_._"),
    (
        "\u{202e}\u{feff}заказ\u{1f980}",
        "\u{202e}\u{feff}заказ\u{1f980}",
    ),
    ("{{.}} $(id) %s ${x}", "{{.}} $(id) %s ${x}"),
];

fn injections() -> Vec<Case> {
    let name = |(sent, shown): (&str, &str)| {
        let case = Case::exchanged(&format!("{sent:?} as a name"), &named(sent), PAYLOAD);
        case.labelled("workload", shown)
    };
    let everywhere = NAMES[0].0;
    let labels = [
        "app",
        "version",
        "service.istio.io/canonical-name",
        "service.istio.io/canonical-revision",
    ];
    let labels: Vec<_> = labels
        .iter()
        .map(|label| entry(label, &text(everywhere)))
        .collect();
    let all = metadata(&[
        entry("WORKLOAD_NAME", &text(everywhere)),
        entry("CLUSTER_ID", &text(everywhere)),
        entry("LABELS", &structure(&labels)),
        entry(everywhere, &text(everywhere)),
    ]);
    let all = [
        "workload",
        "cluster",
        "app",
        "version",
        "canonical_service",
        "canonical_revision",
    ]
    .iter()
    .fold(
        Case::exchanged("separators everywhere", &all, PAYLOAD),
        |case, label| case.labelled(label, NAMES[0].1),
    );
    NAMES.into_iter().map(name).chain([all]).collect()
}

fn values() -> Vec<Case> {
    let long = "v".repeat(65_000);
    let wide = "ж".repeat(30_000);
    let named_by = |value: &[u8]| metadata(&[entry("WORKLOAD_NAME", value)]);
    let unknown = |name: &str, frame: &[u8]| Case::exchanged(name, frame, PAYLOAD);
    vec![
        unknown("64 KiB of a name", &named(&long)).labelled("workload", &long[..512]),
        unknown("64 KiB of wide characters", &named(&wide)).labelled("workload", &wide[..512]),
        unknown(
            "a key twice",
            &texts(&[("WORKLOAD_NAME", "first"), ("WORKLOAD_NAME", "second")]),
        )
        .labelled("workload", "second"),
        unknown(
            "a number for a name",
            &named_by(&[0x11, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f]),
        ),
        unknown("a list for a name", &named_by(&lists(3))),
        unknown(
            "a struct for a name",
            &named_by(&structure(&[entry("x", &text("x"))])),
        ),
        unknown("null for a name", &named_by(&[0x08, 0])),
        unknown("an empty name", &named("")),
        unknown("labels that are no struct", &texts(&[("LABELS", "app=x")])),
        unknown("thirty lists deep", &named_by(&lists(30))),
    ]
}

fn false_identities() -> Vec<Case> {
    let claim = |name: &str, pairs: &[(&str, &str)]| Case::exchanged(name, &texts(pairs), PAYLOAD);
    vec![
        claim("another namespace", &[("NAMESPACE", "bank")]).of_another_namespace(),
        claim("another namespace again", &[("NAMESPACE", "default ")]).of_another_namespace(),
        claim("the same namespace", &[("NAMESPACE", "default")]),
        claim(
            "another identity",
            &[("IDENTITY", "spiffe://cluster.local/ns/bank/sa/root")],
        ),
        claim(
            "another trust domain",
            &[
                ("IDENTITY", "spiffe://evil/ns/default/sa/x"),
                ("NAMESPACE", ""),
            ],
        ),
    ]
}

fn malformed_metadata() -> Vec<Case> {
    let endless = |byte: u8| frame(&vec![byte; 60_000]);
    let name = |value: &[u8]| metadata(&[entry("WORKLOAD_NAME", value)]);
    let malformed = |name: &str, frame: &[u8]| Case::malformed(name, frame);
    vec![
        malformed("a name that is not UTF-8", &name(&text(b"\xc3\x28"))),
        malformed("a surrogate", &name(&text(b"\xed\xa0\x80"))),
        malformed(
            "a key that is not UTF-8",
            &holding(&field(1, &field(1, b"\xff"))),
        ),
        malformed("lists a thousand deep", &name(&lists(1000))),
        malformed("lists six thousand deep", &name(&lists(6000))),
        malformed("groups sixty thousand deep", &endless(0x0b)),
        malformed("a varint without end", &endless(0xff)),
        malformed("ends of groups", &endless(0x0c)),
        malformed(
            "a length over the end",
            &frame(b"\x0a\xff\xff\xff\xff\x0fx"),
        ),
        malformed(
            "a length of 2⁶³",
            &frame(b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
        ),
        malformed(
            "another type",
            &frame(&field(1, b"type.googleapis.com/google.protobuf.Any")),
        ),
        Case::no_metadata("no metadata", &holding(&entry("x", &text("x")))),
        Case::no_metadata(
            "thirty thousand empty entries",
            &holding(&b"\x0a\x00".repeat(30_000)),
        ),
    ]
}

#[test]
fn metadata_of_a_client_sets_its_labels_and_no_others() -> Result {
    play(Reporter::Destination)
}

#[test]
fn metadata_of_a_server_sets_its_labels_and_no_others() -> Result {
    play(Reporter::Source)
}

fn play(reporter: Reporter) -> Result {
    let mut session = HostileSession::start("metadata", reporter, json!({}))?;
    for case in [
        injections(),
        values(),
        false_identities(),
        malformed_metadata(),
    ]
    .concat()
    {
        session.play(&case)?;
    }
    session.end(BOUND)
}
