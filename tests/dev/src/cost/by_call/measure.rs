//! Host calls that are repeated in real Envoys.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::iter;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::prices::{FRAME, Prices};
use crate::cost::callgrind::{self, Callgrind};
use crate::cost::count::Count;
use crate::cost::situation::Situation;
use crate::soak::Pair;
use mesh::error::{Context, Error, Result};
use mesh::{EnvoyBinary, Filter, Scratch, wasm};

/// How often a call is repeated in one callback that is not one of the filter's.
const REPETITIONS: i64 = 1000;
/// Likewise for a call that takes much longer than others.
const FEW: i64 = 20;
/// The number of connections that are counted for one of the filter's calls.
const CONNECTIONS: i64 = 100;
/// The bytes of a frame, about.
const FRAME_LEN: usize = 600;
/// The number of no call. Such a message has the length of a frame, and so has its answer.
const FRAME_NUMBER: u8 = u8::MAX;
/// The number of connections before the count.
const WARM_UP: u32 = 40;
/// The number of connections with each call before the count: Envoy's V8 compiles hot code again.
const HEAT: usize = 3;
/// The wait for what a connection leaves to do.
const REST: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(120);
/// Calls that a connection with a known peer does not make. The answer of two is empty.
const OTHERS: [&str; 13] = [
    "call_foreign_function expr_delete",
    "call_foreign_function expr_evaluate [response.flags,upstream.uri_san_peer_certificate]",
    "call_foreign_function expr_evaluate [string(response.flags),xds.cluster_name,connection.uri_san_peer_certificate]",
    "call_foreign_function expr_evaluate xds.cluster_name",
    "define_metric",
    "get_property connection.mtls",
    "get_property connection.requested_server_name",
    "get_property source.address",
    "get_property upstream.address",
    "get_property upstream.transport_failure_reason",
    "get_property xds.cluster_metadata.filter_metadata.istio.services.0",
    "get_property xds.listener_direction",
    "get_property xds.upstream_host_metadata.filter_metadata.istio.workload",
];

/// Measures the instructions of these host calls at the client and at the server.
///
/// Each of `calls` is made as often on a connection as the filter makes it. So its price has what
/// Envoy does only for the first one, and what it frees with the connection.
pub(super) fn prices(
    binary: &EnvoyBinary,
    situation: Situation,
    calls: &BTreeMap<String, i64>,
) -> Result<Prices> {
    let calls = calls
        .iter()
        .map(|(call, number)| Line::of_filter(call, *number));
    let mut lines: Vec<_> = calls.collect();
    if situation == Situation::MutualTls {
        lines.extend(OTHERS.map(Line::of_others));
    }
    let nothing = "0 nothing".to_owned();
    let text = lines.iter().map(Line::text);
    let text: Vec<_> = iter::once(nothing).chain(text).collect();
    let module = wasm::calls()?;
    // A mesh passes a configuration as JSON.
    let text = json!(text.join(";"));

    let scratch = Scratch::new("by-call")?;
    let dir = scratch.folder("callgrind")?;
    let counter = Callgrind::new(&dir);
    let binary = counter.wrap(binary)?;
    let application = echo().context(|| "a server")?;
    let filters = [(); 2].map(|()| Filter::Configured(text.clone()));
    let pair = Pair::start_with(
        &binary,
        &module,
        filters,
        application,
        callgrind::setup(situation.hop()),
    )?;
    let [client, server] = pair.both()?;
    let count = |number: u8, connections: i64| -> Result<[Count; 2]> {
        counter.start(client)?;
        counter.start(server)?;
        thread::sleep(REST);
        for _ in 0..connections {
            ask(pair.address(), number).context(|| "a connection through both sidecars")?;
        }
        thread::sleep(REST);
        let counts = [counter.stop(client)?, counter.stop(server)?];
        Ok(counts.map(|count| count / connections))
    };
    // The first ones may fail: they take longer than Envoy's time limits.
    let answered = (0..WARM_UP).filter(|_| ask(pair.address(), 0).is_ok());
    if answered.count() == 0 {
        return Err(Error::malformed(
            "the warm-up",
            "no connection was answered",
        ));
    }
    let heat = (0..=lines.len()).filter_map(|number| u8::try_from(number).ok());
    for number in iter::repeat_n(heat, HEAT).flatten() {
        ask(pair.address(), number).context(|| "a connection through both sidecars")?;
    }
    // The first count still has what is done only once.
    count(0, CONNECTIONS)?;
    // Each price is compared with the counts before and after it: the load of the machine changes.
    let mut before = count(0, CONNECTIONS)?;
    let mut prices = Prices::default();
    let frames = Line::of_filter(FRAME, 1);
    for (number, line) in (1..).zip(&lines).chain([(FRAME_NUMBER, &frames)]) {
        let [client, server] = count(number, line.connections)?;
        let after = count(0, CONNECTIONS)?;
        let [[client_before, server_before], [client_after, server_after]] = [before, after];
        let of = [
            (client - (client_before + client_after) / 2) / line.times,
            (server - (server_before + server_after) / 2) / line.times,
        ];
        eprintln!("{}: {of:?}", line.call);
        prices.insert(&line.call, of);
        before = after;
    }
    Ok(prices)
}

/// A host call that is repeated.
struct Line {
    call: String,
    /// How often it is repeated in one callback.
    times: i64,
    /// The number of connections that are counted.
    connections: i64,
}

impl Line {
    fn of_filter(call: &str, times: i64) -> Self {
        Self {
            call: call.to_owned(),
            times,
            connections: CONNECTIONS,
        }
    }

    fn of_others(call: &str) -> Self {
        Self {
            call: call.to_owned(),
            times: match call {
                "define_metric" => FEW,
                _ => REPETITIONS,
            },
            connections: 1,
        }
    }

    /// The line in the configuration of the module.
    fn text(&self) -> String {
        format!("{} {}", self.times, self.call)
    }
}

/// Starts a server that answers each connection with its message.
fn echo() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(io::Result::ok) {
            // The client reports what it misses.
            let _lost = answer(&mut stream);
        }
    });
    Ok(address)
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut first = [0];
    stream.read_exact(&mut first)?;
    let mut message = message(first[0]);
    if let [_, rest @ ..] = message.as_mut_slice() {
        stream.read_exact(rest)?;
    }
    stream.write_all(&message)
}

/// The message that asks for a call.
fn message(number: u8) -> Vec<u8> {
    let len = if number == FRAME_NUMBER { FRAME_LEN } else { 1 };
    vec![number; len]
}

fn ask(to: SocketAddr, number: u8) -> io::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&message(number))?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer == message(number) {
        true => Ok(()),
        false => Err(io::Error::other(format!("the answer is {answer:?}"))),
    }
}
