//! Host calls that are repeated in real Envoys.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use host_harness::{Event, Module, Sidecar};
use serde_json::json;

use super::emulated;
use super::prices::{FUEL, Instructions, Prices};
use crate::cost::callgrind::Callgrind;
use crate::soak::Pair;
use mesh::error::{Context, Error, Result};
use mesh::{EnvoyBinary, Filter, Hop, Scratch, wasm};

/// How often a call is repeated in one callback.
const REPETITIONS: u32 = 1000;
/// Likewise for calls that take much longer than others.
const FEW: u32 = 20;
/// The number of connections that are counted for a call whose first answer on a connection takes
/// more than the next ones.
const FIRST: u32 = 40;
/// The guest's code is repeated less: it must stay as warm as a filter's, which Envoy's V8 compiles
/// again when it is hot.
const GUEST: u32 = 20;
/// The number of connections before the count.
const WARM_UP: u32 = 40;
/// The number of connections with each call before the count: Envoy's V8 compiles hot code again.
const HEAT: usize = 3;
/// The wait for what a connection leaves to do.
const REST: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(120);
/// Calls that a connection with a known peer does not make. The answer of two is empty.
const OTHERS: [&str; 9] = [
    "call_foreign_function expr_delete",
    "define_metric",
    "get_current_time_nanoseconds",
    "get_property connection.mtls",
    "get_property connection.requested_server_name",
    "get_property upstream.transport_failure_reason",
    "get_property xds.cluster_metadata.filter_metadata.istio.services.0",
    "get_property xds.listener_direction",
    "get_property xds.upstream_host_metadata.filter_metadata.istio.workload",
];

/// Measures the instructions of these host calls at the client and at the server, with mutual TLS.
pub(super) fn prices(binary: &EnvoyBinary, mut calls: BTreeSet<String>) -> Result<Prices> {
    calls.extend(OTHERS.map(str::to_owned));
    let module = wasm::calls()?;
    let mut lines = vec![line(REPETITIONS, "nothing"), line(GUEST, "guest")];
    lines.extend(calls.iter().map(|call| line(repetitions(call), call)));
    // A mesh passes a configuration as JSON.
    let text = json!(lines.join(";"));

    let fuel = guest_fuel(&emulated(&module)?, &text.to_string())?;

    let scratch = Scratch::new("by-call")?;
    let dir = scratch.folder("callgrind")?;
    let callgrind = Callgrind::new(&dir);
    let binary = callgrind.wrap(binary)?;
    let application = echo().context(|| "a server")?;
    let filters = [(); 2].map(|()| Filter::Configured(text.clone()));
    let pair = Pair::start_with(&binary, &module, filters, application, Hop::Mesh)?;
    let [client, server] = pair.both()?;
    let count = |number, connections| -> Result<[u64; 2]> {
        callgrind.start(client)?;
        callgrind.start(server)?;
        thread::sleep(REST);
        for _ in 0..connections {
            ask(pair.address(), number).context(|| "a connection through both sidecars")?;
        }
        thread::sleep(REST);
        Ok([callgrind.stop(client)?, callgrind.stop(server)?])
    };
    // The first ones may fail: they take longer than Envoy's time limits.
    let answered = (0..WARM_UP).filter(|_| ask(pair.address(), 0).is_ok());
    if answered.count() == 0 {
        return Err(Error::malformed(
            "the warm-up",
            "no connection was answered",
        ));
    }
    let numbers = (0..lines.len() * HEAT).map(|number| number % lines.len());
    for number in numbers.filter_map(|number| u8::try_from(number).ok()) {
        ask(pair.address(), number).context(|| "a connection through both sidecars")?;
    }
    let nothing = count(0, 1)?;
    let nothing_often = count(0, FIRST)?;
    let mut prices = Prices::default();
    prices.insert(FUEL, each(count(1, 1)?, nothing, fuel));
    for (number, call) in (2..).zip(&calls) {
        let of = match repetitions(call) {
            1 => each(count(number, FIRST)?, nothing_often, FIRST.into()),
            repetitions => each(count(number, 1)?, nothing, repetitions.into()),
        };
        eprintln!("{call}: {of:.0?}");
        prices.insert(call, of);
    }
    Ok(prices)
}

/// The instructions of one of this number of calls, at the client and at the server.
fn each(counted: [u64; 2], nothing: [u64; 2], number: u64) -> [Instructions; 2] {
    let [client, server] = counted;
    let each = |all: u64, nothing: u64| {
        (all as Instructions - nothing as Instructions) / number as Instructions
    };
    [each(client, nothing[0]), each(server, nothing[1])]
}

/// How often a call is repeated in one callback.
fn repetitions(call: &str) -> u32 {
    match call {
        "define_metric" => FEW,
        // Envoy reads the names in a certificate once for each connection.
        _ if call.contains("uri_san") => 1,
        _ => REPETITIONS,
    }
}

fn line(repetitions: u32, call: &str) -> String {
    format!("{repetitions} {call}")
}

/// The fuel of the guest's code in the emulator.
fn guest_fuel(module: &Module, lines: &str) -> Result<u64> {
    let sidecar = Sidecar::outbound(module).plugin_config(lines).start();
    let sidecar = sidecar.map_err(|error| Error::malformed("the emulator", error))?;
    sidecar.record_trace();
    let fuel = |number: u8| -> u64 {
        let connection = sidecar.connect();
        connection.client.write([number]);
        sidecar.take_trace();
        connection.server.write([number]);
        let trace = sidecar.take_trace();
        let fuel = trace.into_iter().map(|event| match event {
            Event::Callback { fuel, .. } => fuel,
            Event::Hostcall { .. } => 0,
        });
        fuel.sum()
    };
    Ok(fuel(1).saturating_sub(fuel(0)))
}

/// Starts a server that answers each connection with its first byte.
fn echo() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(io::Result::ok) {
            let mut byte = [0];
            // The client reports what it misses.
            let _lost = stream
                .read_exact(&mut byte)
                .and_then(|()| stream.write_all(&byte));
        }
    });
    Ok(address)
}

fn ask(to: SocketAddr, number: u8) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[number])?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer == [number] {
        true => Ok(()),
        false => Err(io::Error::other(format!("the answer is {answer:?}"))),
    }
}
