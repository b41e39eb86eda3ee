//! The filter is fetched by Envoy over HTTP: from a server that works, sends another module, fails
//! or is slow.

mod fetching;
mod server;

use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::wasm;
use serde_json::{Value, json};

use self::fetching::{Fetching, PAYLOAD, Plan};
use self::server::{Habit, Server};
use crate::fixture::{expect, round_trip};
use crate::reload::EPHEMERAL;

const DOCUMENTATION: &str = include_str!("../../filter/docs/distribution.md");
const POLICIES: [&str; 3] = ["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"];

/// Waits until the server has got this number of requests.
fn asked(server: &Server, requests: u64) -> Result {
    poll::until("the server being asked", LIMIT, || {
        Ok(match server.requests() {
            count if count >= requests => Look::Found(()),
            count => Look::NotYet(count.to_string()),
        })
    })?;
    Ok(())
}

/// An Envoy whose filter is updated from a file to a fetched module, a connection on which half of
/// the payload has passed, and the other half.
fn updating(plan: &Plan) -> Result<(Fetching<'_>, TcpStream, &'static [u8])> {
    let local = json!({ "local": { "filename": wasm::build()? } });
    let fetching = plan.start(EPHEMERAL, "FAIL_CLOSED", &local)?;
    let mut held = fetching.connect()?;
    let (first, last) = PAYLOAD.split_at(3);
    held.write_all(first)?;
    expect(&mut held, first)?;
    fetching.update("FAIL_CLOSED", &plan.right())?;
    Ok((fetching, held, last))
}

/// Time for an Envoy that does not wait to show it.
fn looks() -> impl Iterator<Item = ()> {
    (0..50).map(|_| thread::sleep(Duration::from_millis(20)))
}

#[test]
fn the_right_module_is_fetched_once_and_counts() -> Result {
    for policy in POLICIES {
        let plan = Plan::new(Habit::Serves)?;
        let fetching = plan.start(EPHEMERAL, policy, &plan.right())?;
        for connections in 1..=3 {
            assert!(fetching.passes()?, "{policy}");
            fetching.counted(connections)?;
        }
        assert_eq!(plan.server.requests(), 1);
    }
    Ok(())
}

/// By default Envoy sends two requests.
#[test]
fn a_server_that_stumbles_is_asked_again() -> Result {
    let plan = Plan::new(Habit::Stumbles(1))?;
    let fetching = plan.start(EPHEMERAL, "FAIL_CLOSED", &plan.right())?;
    assert!(fetching.passes()?);
    fetching.counted(1)?;
    assert_eq!(plan.server.requests(), 2);
    Ok(())
}

/// The retries of the documentation, with the digest and the cluster of the test.
#[test]
fn the_documented_retries_outlast_a_server_that_stumbles_thrice() -> Result {
    let plan = Plan::new(Habit::Stumbles(3))?;
    let mut blocks = DOCUMENTATION.split("```yaml\n").skip(1);
    let block = blocks.find(|block| block.starts_with("code:\n  remote:"));
    let yaml = block.and_then(|block| block.split("```").next());
    let mut snippet: Value = serde_saphyr::from_str(yaml.ok_or("no such snippet")?)?;
    let right = plan.right();
    for place in ["/code/remote/sha256", "/code/remote/http_uri/cluster"] {
        let ours = right.pointer(&place.replace("/code", ""));
        let theirs = snippet.pointer_mut(place).ok_or(place)?;
        *theirs = ours.ok_or(place)?.clone();
    }
    let code = snippet.get("code").ok_or("no code")?;
    let fetching = plan.start(EPHEMERAL, "FAIL_CLOSED", code)?;
    assert!(fetching.passes()?);
    fetching.counted(1)?;
    assert_eq!(plan.server.requests(), 4);
    Ok(())
}

/// A filter that was not fetched has the same effect on connections after the server recovers, for
/// every policy.
fn stays_without(policy: &str, habit: Habit, code: impl Fn(&Plan) -> Value) -> Result {
    let plan = Plan::new(habit)?;
    let code = code(&plan);
    let fetching = plan.start(EPHEMERAL, policy, &code)?;
    let requests = plan.server.requests();
    assert_eq!(requests, 2, "{policy}");
    let expected = policy == "FAIL_OPEN";
    for _ in 0..3 {
        assert_eq!(fetching.passes()?, expected, "{policy}");
    }
    plan.server.now(Habit::Serves);
    for _ in 0..3 {
        assert_eq!(fetching.passes()?, expected, "{policy}");
    }
    fetching.counted(0)?;
    assert_eq!(plan.server.requests(), requests, "{policy}");
    Ok(())
}

#[test]
fn a_module_with_another_digest_is_not_run() -> Result {
    let other = "0".repeat(64);
    for policy in POLICIES {
        stays_without(policy, Habit::Serves, |_| Plan::remote(&other, "60s"))?;
    }
    Ok(())
}

#[test]
fn a_server_that_fails_twice_is_not_asked_again() -> Result {
    for policy in POLICIES {
        stays_without(policy, Habit::Fails, Plan::right)?;
    }
    Ok(())
}

#[test]
fn a_server_that_never_answers_is_one_that_fails() -> Result {
    for policy in POLICIES {
        let soon = |plan: &Plan| Plan::remote(&plan.sha256, "0.3s");
        stays_without(policy, Habit::Waits, soon)?;
    }
    Ok(())
}

/// Envoy is not ready and does not listen, so it accepts no connection that could be lost.
#[test]
fn no_connection_is_accepted_until_a_slow_server_answers() -> Result {
    let plan = Plan::new(Habit::Waits)?;
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    thread::scope(|scope| {
        let starting = scope.spawn(|| {
            plan.start(free, "FAIL_CLOSED", &plan.right())
                .map_err(|error| error.to_string())
        });
        let waited = asked(&plan.server, 1);
        let refused: Vec<_> = looks().map(|_| TcpStream::connect(free)).collect();
        let is_waiting = !starting.is_finished();
        plan.server.now(Habit::Serves);
        let fetching = starting.join().map_err(|_| "starting panicked")??;
        waited?;
        assert!(is_waiting, "it is ready without its filter");
        for connection in refused {
            let refusal = connection.map_err(|error| error.kind());
            assert!(
                matches!(refusal, Err(ErrorKind::ConnectionRefused)),
                "{refusal:?}"
            );
        }
        assert!(fetching.passes()?);
        fetching.counted(1)
    })
}

/// The old filter serves until the new one is there.
#[test]
fn an_update_waits_for_a_slow_server_while_the_old_filter_counts() -> Result {
    let plan = Plan::new(Habit::Waits)?;
    let (fetching, held, last) = updating(&plan)?;
    asked(&plan.server, 1)?;
    assert!(fetching.is_warming()?);
    let mut connections = 1;
    for _ in looks() {
        assert!(fetching.passes()?);
        connections += 1;
    }
    assert!(fetching.is_warming()?, "it is updated without its filter");
    plan.server.now(Habit::Serves);
    fetching.updated()?;
    for _ in looks() {
        assert!(fetching.passes()?);
        connections += 1;
    }
    assert_eq!(round_trip(held, last)?, last);
    fetching.counted(connections)
}

/// A module that cannot be fetched takes the place of one that works: what was open lives on, what
/// comes is closed.
#[test]
fn an_update_whose_fetch_fails_replaces_the_old_filter() -> Result {
    let plan = Plan::new(Habit::Fails)?;
    let (fetching, held, last) = updating(&plan)?;
    fetching.updated()?;
    // The worker takes the new chain a moment after Envoy has counted it.
    let mut passed = 1;
    poll::until("new connections being closed", LIMIT, || {
        Ok(match fetching.passes() {
            Ok(false) => Look::Found(()),
            other => {
                passed += 1;
                Look::NotYet(format!("{other:?}"))
            }
        })
    })?;
    assert!(!fetching.passes()?);
    assert_eq!(round_trip(held, last)?, last);
    fetching.counted(passed)
}
