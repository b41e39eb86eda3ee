//! Messages about filters that do not work.

use super::probe;
use host_harness::Profile;

#[test]
fn a_failure_names_the_host_call_that_was_refused() {
    let script = "upstream_data: set downstream 0 0 X; trap";
    let sidecar = probe(script).start().unwrap();
    sidecar.connect().server.write("abc");
    let failure = sidecar.failure().unwrap().reason;
    let refused = "; before, proxy_set_buffer_bytes had answered BadArgument";
    assert!(failure.ends_with(refused), "{failure}");
}

#[test]
fn a_refusal_names_what_was_asked_for_in_vain() {
    let script = "configure: property node/id; property xds/node/id; refuse";
    let error = probe(script).start().err().unwrap().to_string();
    assert!(
        error.contains("not there: node.id; Envoys before 1.33"),
        "{error}"
    );
    let script = "configure: property node/id; property mine; refuse";
    let error = probe(script)
        .profile(Profile::Legacy)
        .start()
        .err()
        .unwrap();
    assert!(error.to_string().ends_with("not there: mine"), "{error}");
}

#[test]
fn properties_that_are_not_there_are_collected() {
    let script =
        "new_connection: property cluster_name; property upstream_peer; property cluster_name";
    let sidecar = probe(script).start().unwrap();
    sidecar.connect();
    let missing: Vec<_> = sidecar.missing_properties().into_iter().collect();
    assert_eq!(missing, ["cluster_name", "upstream_peer"]);
}
