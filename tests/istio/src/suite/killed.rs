//! The server's VM fails in the middle of traffic.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use mesh::labels::Reporter;
use mesh::variant;
use serde_json::{Value, json};

use super::application::TIMEOUT;
use super::bench::{Bench, SHIPPED};
use super::expect;
use super::held::Held;
use super::lost;
use super::measure::{
    NUMBER, Place, SETTLE_LIMIT, all_ended, frames, measure, unanswered, visiting,
};
use super::names;
use super::reported::Reported;
use super::visit::{Failure, Visits};
use crate::cluster::{settle, until};
use crate::error::Result;
use crate::kubelet::Pod;

/// The module with little memory.
const FILE: &str = "tcp_peer_stats-limited.wasm";
/// More bytes than that memory has room for, and no more than the configuration allows.
const FRAME: u32 = 1 << 20;
const MAGIC: &[u8] = b"\x3d\x23\x04\x67";
/// The connections that are open when the VM fails. They are spread over the workers, each of which
/// has a VM of its own.
const HELD: u64 = 20;
/// Envoy's gauge of its workers.
const WORKERS: &str = "envoy_server_concurrency";
const LIMIT: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_secs(3);
/// Istio's drain time, 45 s, and some time for the machine.
const DRAIN: Duration = Duration::from_secs(50);
/// Envoy's log line for a VM that fails, at Istio's log level.
const FAILURE: &str = "failed: Uncaught RuntimeError";
/// Envoy's counter of VMs that FAIL_RELOAD started again, with the plugin's name in it.
const RELOADED: &str = "envoy_wasm_tcp_peer_stats_vm_reload_success";

pub(super) fn reloaded(bench: &mut Bench<'_>) -> Result<String> {
    load(bench)?;
    lost::prove(bench)?;
    let workers = workers(&bench.server()?.pod)?;
    expect::holds(workers > 0, || format!("there is no {WORKERS}"))?;
    let client = bench.client().metrics()?;
    let server = bench.server()?.pod.metrics()?;
    drop(bench.server()?.application.take());
    let held = Held::open(bench.client(), bench.service(), HELD)?;
    let at_server = |bench: &Bench<'_>| -> Result<Reported> {
        Ok(Reported::between(&server, &bench.server()?.pod.metrics()?))
    };
    settle("the open connections being reported", SETTLE_LIMIT, || {
        Ok(at_server(bench)?.opened() == HELD)
    })?;

    kill(bench)?;
    let visits = visiting(bench.client(), bench.service(), || {
        until("a new VM", LIMIT, || {
            Ok((reloads(&bench.server()?.pod)? > 0).then_some(()))
        })?;
        thread::sleep(MOMENT);
        Ok(())
    })?;
    // A connection that Envoy closes is one that ended: no other byte came from the server.
    let refused = visits.expect_ended(0)? as u64;
    let mut old = Visits::default();
    held.finish(&mut old);
    let ended = old.failed.len() as u64;
    let is_end = |failure: &Failure| matches!(failure, Failure::Ended { received: 0, .. });
    expect::holds(old.failed.iter().all(|(_, it)| is_end(it)), || {
        format!("an open connection: {}", old.first_failed())
    })?;
    expect::holds(ended > 0 && (workers > 1 || ended == HELD), || {
        format!("{ended} of {HELD} open connections ended with the VM of one of {workers} workers")
    })?;
    all_ended(bench)?;
    let seen = bench.server()?.application.take();
    expect::equal("frames at the application", frames(seen.iter()), 0)?;
    let complete = seen.iter().filter(|seen| seen.ok).count() as u64;
    expect::equal(
        "connections that the application served",
        complete,
        visits.made - refused + HELD - ended,
    )?;

    // The closes of the connections of the failed VM are lost, and nothing else.
    let expected = (HELD + visits.made - refused, complete);
    settle("the connections being reported", SETTLE_LIMIT, || {
        let now = at_server(bench)?;
        Ok((now.opened(), now.closed()) == expected)
    })?;
    let now = at_server(bench)?;
    expect::equal(
        "opened and closed, destination",
        (now.opened(), now.closed()),
        expected,
    )?;
    let all = HELD + visits.made;
    let source = || -> Result<_> {
        let now = Reported::between(&client, &bench.client().metrics()?);
        Ok((now.opened(), now.closed()))
    };
    settle("the client's report", SETTLE_LIMIT, || {
        Ok(source()? == (all, all))
    })?;
    expect::equal("opened and closed, source", source()?, (all, all))?;
    // A frame of a connection that ended may have got no answer.
    let without_answer = unanswered(bench, &client, 0)?;
    expect::at_most("unanswered frames", without_answer, ended + refused)?;
    after(bench)?;
    let reloads = reloads(&bench.server()?.pod)?;
    unload(bench)?;
    // With the old module vanish its series, with which a later check would compare.
    thread::sleep(DRAIN);
    Ok(format!(
        "1 of {workers} VMs failed, {reloads} reload; of {HELD} open connections {ended} ended, of {} new ones {refused} were refused until then, {without_answer} frames without an answer counted; 0 frames at the application, {NUMBER} connections afterwards complete on both sides",
        visits.made
    ))
}

/// Loads the module with little memory into both sidecars.
pub(super) fn load(bench: &mut Bench<'_>) -> Result<()> {
    bench.plain_client()?;
    let limited = variant::limited(&bench.shipped()?)?;
    bench.provide(FILE, &limited)?;
    let limits: Value = json!({ "max_frame_bytes": FRAME });
    bench.apply_module(FILE, &limits)?;
    bench.modules_are(FILE)
}

/// Loads the module as it ships.
pub(super) fn unload(bench: &Bench<'_>) -> Result<()> {
    bench.apply("exchange")?;
    bench.modules_are(SHIPPED)
}

/// A sidecar without the filter passes on a frame of its application that is too large for the
/// server's VM. Waits until that has failed.
pub(super) fn kill(bench: &Bench<'_>) -> Result<()> {
    let failures = || -> Result<_> {
        let log = bench.server()?.pod.log("istio-proxy")?;
        Ok(log.matches(FAILURE).count())
    };
    let before = failures()?;
    let address = bench.service();
    let client = bench.started_plain_client()?;
    // The server's Envoy resets the connection.
    let _broken = client.inside(|| Ok(send(address).is_ok()))?;
    until("a VM that fails", LIMIT, || {
        Ok((failures()? > before).then_some(()))
    })
}

fn send(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(MAGIC)?;
    stream.write_all(&FRAME.to_be_bytes())?;
    // Envoy closes within it.
    stream.write_all(&vec![0; FRAME as usize])?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Connections after the failure are as before: complete on both sides, but for the first.
fn after(bench: &Bench<'_>) -> Result<()> {
    lost::prove(bench)?;
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let version = &bench.server()?.version;
    for (reporter, reported) in Reporter::BOTH
        .into_iter()
        .zip([&outcome.source, outcome.destination()?])
    {
        let labels = names::exchanged(reporter, version);
        reported.expect_labels(reporter.as_str(), &labels, NUMBER)?;
    }
    Ok(())
}

/// The number of Envoy's workers, each of which has a VM.
fn workers(pod: &Pod) -> Result<u64> {
    Ok(pod.metrics()?.sum(WORKERS, &[]) as u64)
}

/// The number of VMs that were started again.
pub(super) fn reloads(pod: &Pod) -> Result<u64> {
    Ok(pod.metrics()?.sum(RELOADED, &[]) as u64)
}
