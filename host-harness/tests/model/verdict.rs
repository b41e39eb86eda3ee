//! Failures of filters: traps, hangs, calls that are not supported, limits.

use host_harness::scenario::{Emulated, Failure, Scenario, run};
use host_harness::{Direction, FailureKind, FailurePolicy, Module, Profile, Sidecar};
use std::time::Duration;

use super::{probe, stream_lines};

/// A filter with this body of `proxy_on_downstream_data`.
fn filter(imports: &str, body: &str) -> Module {
    let text = format!(
        r#"(module
        {imports}
        (memory (export "memory") 1)
        (data (i32.const 64) "outbound|8080||server.default.svc.cluster.local")
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_1"))
        (func $_ZN6filter4deep17h0123456789abcdefE {body})
        (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
            (call $_ZN6filter4deep17h0123456789abcdefE) i32.const 0))"#
    );
    Module::from_bytes(text.as_bytes()).unwrap()
}

fn written(module: &Module) -> Sidecar {
    let sidecar = Sidecar::outbound(module).start().unwrap();
    sidecar.connect().client.write("x");
    sidecar
}

#[test]
fn a_backtrace_has_the_names_of_the_module_demangled() {
    let sidecar = written(&filter("", "unreachable"));
    let failure = sidecar.failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Trap);
    assert_eq!(failure.callback, "proxy_on_downstream_data");
    assert_eq!(failure.backtrace.len(), 2);
    assert!(
        failure.backtrace[0].ends_with(" - filter::deep"),
        "{failure}"
    );
    let line = sidecar.logs().remove(0).message;
    let start = "Function: proxy_on_downstream_data failed: wasm trap: wasm `unreachable`";
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn a_callback_that_does_not_return_hangs() {
    let sidecar = written(&filter("", "(loop $again (br $again))"));
    let failure = sidecar.failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Hang);
    assert!(
        failure
            .to_string()
            .starts_with("proxy_on_downstream_data hangs"),
        "{failure}"
    );
    // The fuel of the callback counts.
    assert!(sidecar.last_fuel() > 400_000_000);
}

#[test]
fn a_call_that_only_envoy_supports_is_a_failure_and_the_filter_lives() {
    let http = r#"(import "env" "proxy_http_call"
        (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))"#;
    let call = |length: u32| {
        format!(
            "(drop (call $http (i32.const 64) (i32.const {length}) (i32.const 0) (i32.const 0) (i32.const 0)
             (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 512)))"
        )
    };
    let sidecar = written(&filter(http, &call(47)));
    let failure = sidecar.failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    let reason = "proxy_http_call to outbound|8080||server.default.svc.cluster.local";
    assert_eq!(failure.reason, reason);
    let connection = sidecar.connect();
    connection.client.write("y");
    assert_eq!(connection.server.received(), b"y");
    assert_eq!(
        sidecar.failures().len(),
        1,
        "the same call again is not another failure"
    );

    // Envoy refuses a call to a cluster that it does not have, and so does the emulator.
    assert!(!written(&filter(http, &call(46))).is_failed());

    for name in ["compress", "sign", "uncompress", "verify_signature"] {
        let sidecar = probe(&format!("new_connection: foreign {name}"));
        let sidecar = sidecar.start().unwrap();
        sidecar.connect();
        let failure = sidecar.failure().unwrap();
        assert_eq!(failure.reason, format!("the foreign function {name}"));
    }
    let old = probe("new_connection: foreign sign").profile(Profile::V1_36);
    let old = old.start().unwrap();
    old.connect();
    assert!(!old.is_failed(), "1.36 does not have it");

    let time = r#"foreign expr_create hex:74696d657374616d7028223122293d3d31"#;
    let sidecar = probe(&format!("new_connection: {time}")).start().unwrap();
    sidecar.connect();
    let failure = sidecar.failure().unwrap();
    assert_eq!(failure.reason, "durations and timestamps in expressions");
}

#[test]
fn a_failure_is_remembered_after_the_vm_was_replaced() {
    let backoff = Duration::ZERO;
    let policy = FailurePolicy::FailReload { backoff };
    let sidecar = Sidecar::outbound(&filter("", "unreachable"));
    let sidecar = sidecar.failure_policy(policy).start().unwrap();
    sidecar.connect().client.write("x");
    assert!(sidecar.connect().is_open(), "a new VM");
    assert_eq!(sidecar.failures().len(), 1);
}

#[test]
fn a_trap_in_the_initialisation_is_of_the_filter() {
    let module = br#"(module
        (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "_initialize") unreachable))"#;
    let module = Module::from_bytes(module).unwrap();
    let error = Sidecar::outbound(&module).start().err().unwrap();
    assert!(error.is_of_filter());
    assert!(error.to_string().contains("_initialize trapped"), "{error}");
}

#[test]
fn memory_grows_to_a_gibibyte() {
    // One page at the start: 16383 more are a gibibyte.
    let grow = |pages: u32| {
        let body = format!(
            "(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable))"
        );
        written(&filter("", &body)).is_failed()
    };
    assert_eq!((grow(16_383), grow(16_384)), (false, true));
}

#[test]
fn a_scenario_of_a_filter_that_does_not_start_passes_only_if_it_expects_that() {
    let scenario = |steps: &str| {
        let yaml =
            format!("name: x\nconfiguration: 'configure: refuse'\ninbound: {{}}\nsteps: {steps}");
        Scenario::parse(&yaml).unwrap()
    };
    let module = host_harness::artifact::build("probe-filter", "wasm").unwrap();
    let module = Module::from_file(module).unwrap();
    let judge = |steps: &str| {
        let scenario = scenario(steps);
        let error = Emulated::start(&scenario, &module).err().unwrap();
        scenario.judge_start(&error.to_string())
    };
    assert!(judge("[expect: { failure: refuses its configuration }]").is_ok());
    assert!(judge("[expect: { failure: trapped }]").is_err());
    assert!(judge("[connect: {}, expect: { failure: refuses its configuration }]").is_err());
    assert!(judge("[connect: {}]").unwrap_err().is_verdict());

    // A filter that starts does not meet it.
    let scenario = Scenario::parse(
        "{ name: x, inbound: {}, steps: [expect: { failure: refuses its configuration }] }",
    );
    let scenario = scenario.unwrap();
    let played = run(&scenario, &mut Emulated::start(&scenario, &module).unwrap());
    assert!(
        matches!(played, Err(Failure::Unexpected { .. })),
        "{played:?}"
    );
}

/// Calls `set_envoy_filter_state` with the cluster of this name.
fn choose(name: &str) -> String {
    const KEY: &str = "envoy.tcp_proxy.cluster";
    let message = [
        &[0x0a, KEY.len() as u8],
        KEY.as_bytes(),
        &[0x12, name.len() as u8],
        name.as_bytes(),
        &[0x18, 2],
    ];
    let hex: String = message
        .concat()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!(
        "new_connection: foreign set_envoy_filter_state hex:{hex}\ndownstream_close: property response/flags"
    )
}

#[test]
fn a_filter_chooses_the_cluster_and_none_but_the_proxys_own_exists() {
    let own = probe(&choose("outbound|8080||server.default.svc.cluster.local"))
        .start()
        .unwrap();
    let connection = own.connect();
    connection.client.write("x");
    assert_eq!(connection.server.received(), b"x");

    let other = probe(&choose("other")).start().unwrap();
    let connection = other.connect();
    assert!(connection.client.saw_close());
    // NC: 0x1000000.
    let flags = r"property response/flags = 0 \x00\x00\x00\x01\x00\x00\x00\x00";
    assert_eq!(stream_lines(&other)[3..5], ["downstream_close(1)", flags]);
}

#[test]
fn a_listener_has_no_direction_unless_it_is_configured() {
    let script = "new_connection: property xds/listener_direction";
    let sidecar = probe(script)
        .direction(Direction::Unspecified)
        .start()
        .unwrap();
    sidecar.connect();
    let expected = r"property xds/listener_direction = 0 \x00\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(stream_lines(&sidecar)[2], expected);
}
