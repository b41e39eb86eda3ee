//! Both applications act at once, and the proxies see the bytes in different orders.

use super::{lines, probe_module};
use host_harness::scenario::{Emulated, Order, Scenario, Step, run};
use host_harness::{Rig, Sidecar};

/// The data callbacks of a sidecar's filter, without sizes.
fn seen(sidecar: &Sidecar) -> Vec<String> {
    let lines = lines(sidecar);
    let callbacks = lines.iter().filter_map(|line| line.split_once("_data("));
    callbacks
        .map(|(callback, _)| callback.trim_start_matches("2 ").to_owned())
        .collect()
}

#[test]
fn each_proxy_sees_its_own_application_first() {
    let module = probe_module();
    let rig = Rig::builder(Sidecar::outbound(&module), Sidecar::inbound(&module))
        .start()
        .unwrap();
    let connection = rig.connect();
    connection.at_once(|client, server| {
        server.write("b");
        client.write("a");
    });
    assert_eq!(connection.client.received(), b"b");
    assert_eq!(connection.server.received(), b"a");
    assert_eq!(seen(&rig.outbound), ["downstream", "upstream"]);
    assert_eq!(seen(&rig.inbound), ["upstream", "downstream"]);
}

const BOTH: &str = "
name: both write
mtls: { client: spiffe://client, server: spiffe://server }
outbound: {}
inbound: {}
steps:
  - connect: {}
  - at_once: [{ client: { write: a } }, { server: { write: b } }]
  - expect: { client: { received: b }, server: { received: a } }
";

#[test]
fn a_scenario_has_each_order_of_real_envoys() {
    let module = probe_module();
    let mut all = Vec::new();
    for scenario in Scenario::parse(BOTH).unwrap().in_each_order() {
        let mut stage = Emulated::start(&scenario, &module).unwrap();
        run(&scenario, &mut stage).unwrap();
        let Some(Step::AtOnce(at_once)) = scenario.steps.get(1) else {
            panic!("no at_once");
        };
        let sidecars = stage.sidecars();
        let callbacks: Vec<_> = sidecars
            .iter()
            .flat_map(|(_, sidecar)| seen(sidecar))
            .collect();
        all.push((at_once.order(), callbacks.join(" ")));
    }
    assert_eq!(
        all,
        [
            (
                Order::ClientFirst,
                "downstream upstream downstream upstream".to_owned()
            ),
            (
                Order::ServerFirst,
                "upstream downstream upstream downstream".to_owned()
            ),
            (
                Order::Crossing,
                "downstream upstream upstream downstream".to_owned()
            ),
            (
                Order::BeforeHandshake,
                "upstream downstream upstream downstream".to_owned()
            ),
        ]
    );
}

#[test]
fn one_proxy_or_one_application_has_fewer_orders() {
    let orders = |yaml: &str| Scenario::parse(yaml).unwrap().in_each_order().len();
    assert_eq!(orders(&BOTH.replace("outbound: {}", "")), 3);
    let alone = BOTH.replace("{ client: { write: a } }, ", "");
    assert_eq!(orders(&alone), 2);
    let later = "  - connect: {}\n  - advance: 1s\n";
    assert_eq!(orders(&alone.replace("  - connect: {}\n", later)), 1);
}

#[test]
fn several_actions_of_an_application_are_interleaved() {
    let module = probe_module();
    let yaml = BOTH
        .replace("outbound: {}", "")
        .replace(
            "mtls: { client: spiffe://client, server: spiffe://server }",
            "",
        )
        .replace(
            "{ client: { write: a } }",
            "{ client: { write: a } }, { client: { write: c } }",
        )
        .replace("received: a", "received: ac");
    let mut all = Vec::new();
    for scenario in Scenario::parse(&yaml).unwrap().in_each_order() {
        let mut stage = Emulated::start(&scenario, &module).unwrap();
        run(&scenario, &mut stage).unwrap();
        let sidecars = stage.sidecars();
        let callbacks: Vec<_> = sidecars
            .iter()
            .flat_map(|(_, sidecar)| seen(sidecar))
            .collect();
        all.push(callbacks.join(" "));
    }
    assert_eq!(
        all,
        [
            "downstream downstream upstream",
            "downstream upstream downstream",
            "upstream downstream downstream",
        ]
    );
}

#[test]
fn more_orders_than_are_explored_are_an_error() {
    let many = "{ client: { write: a } }, ".repeat(30);
    let yaml = BOTH.replace("{ client: { write: a } }, ", &many);
    let error = Scenario::parse(&yaml).unwrap_err().to_string();
    assert!(error.contains("more orders"), "{error}");

    // Within the longest order, and some hundred million of them.
    let act = |by| format!("{{ {by}: {{ write: a }} }}, ").repeat(16);
    let many = [act("client"), act("server")].concat();
    let yaml = format!(
        "name: many\ninbound: {{}}\nsteps:\n  - connect: {{}}\n  - at_once: [{}]\n",
        many.trim_end_matches(", ")
    );
    let error = Scenario::parse(&yaml).unwrap_err().to_string();
    assert!(error.contains("more orders"), "{error}");
}

#[test]
fn a_failure_names_the_order() {
    let yaml = BOTH.replace("received: b", "received: x");
    let scenario = Scenario::parse(&yaml).unwrap().in_each_order().remove(1);
    let mut stage = Emulated::start(&scenario, &probe_module()).unwrap();
    let failure = run(&scenario, &mut stage).unwrap_err().to_string();
    assert!(
        failure.ends_with("(step 2: the server's bytes first)"),
        "{failure}"
    );
}

#[test]
fn orders_that_are_not_explored_are_refused_by_name() {
    let refused = |yaml: &str| {
        let error = Scenario::parse(yaml).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    let twice = "{ client: { write: a } }, { client: { write: c } }";
    let twice = BOTH.replace("{ client: { write: a } }", twice);
    let error = refused(&twice);
    assert!(
        error.contains("`steps[1].at_once` has several actions"),
        "{error}"
    );
    let later = "  - connect: {}\n  - advance: 1s\n";
    assert_eq!(refused(&twice.replace("  - connect: {}\n", later)), "");

    let other = BOTH.replace(
        "  - connect: {}\n",
        "  - connect: {}\n  - connect: { connection: b }\n",
    );
    assert_eq!(refused(&other), "");
    let error = refused(&other.replace("server: { write", "server: { connection: b, write"));
    assert!(error.contains("on several connections"), "{error}");
}
