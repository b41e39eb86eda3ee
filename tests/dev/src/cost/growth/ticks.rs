//! The instructions of the filter's tick by series, at the client's sidecar.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::bench::{hold, talk};
use crate::cost::callgrind::{self, Callgrind};
use crate::cost::count::Count;
use crate::soak::{Load, Pair, raise_file_limit};
use mesh::error::{Context, Error, Result};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::{EnvoyBinary, Filter, Hop, Scratch, wasm};

/// The numbers of series. The limit is the number of files that a process may open: each series has
/// an open connection, which takes two.
const SERIES: [usize; 3] = [1, 100, 9_000];
/// The reporting interval. All connections send a message in one.
const INTERVAL: Duration = Duration::from_secs(20);
/// How far a tick may be off the time that is expected.
const MARGIN: Duration = Duration::from_secs(3);
/// The wait between two questions for the metric that shows a tick.
const POLL: Duration = Duration::from_millis(100);

pub(super) fn table(binary: &EnvoyBinary) -> Result<String> {
    raise_file_limit();
    let scratch = Scratch::new("ticks")?;
    let dir = scratch.folder("callgrind")?;
    let counter = Callgrind::new(&dir);
    let load = Load::start()?;
    // Each connection has a port of its own, so it has series of its own. The bootstrap knows the
    // label.
    let configuration = json!({
        "tcp_reporting_duration": format!("{}s", INTERVAL.as_secs()),
        "reporter": "SOURCE",
        "metrics": [{ "dimensions": { "source_app": "source.port" } }],
        "peer_exchange": { "mode": "off" },
    });
    let pair = Pair::start_with(
        &counter.wrap_paused(binary)?,
        &wasm::build()?,
        [Filter::Configured(configuration), Filter::Absent],
        load.application(),
        callgrind::setup(Hop::Plaintext),
    )?;
    let [client, _] = pair.both()?;
    let mut held = Vec::new();
    let mut text = "| series that changed | Envoy | allocator | compiled code | instructions of a tick | of each series |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let mut clock = None;
    for series in SERIES {
        held.extend(open(&pair, series - held.len())?);
        let clock = match &mut clock {
            Some(clock) => clock,
            None => clock.insert(Clock::start(&pair, &mut held)?),
        };
        let mut tick = |moved: usize| -> Result<Count> {
            clock.begin();
            for stream in held.iter_mut().take(moved) {
                talk(stream).context(what)?;
            }
            counter.resume(client)?;
            counter.start(client)?;
            clock.wait()?;
            let count = counter.stop(client)?;
            counter.pause(client)?;
            Ok(count)
        };
        // V8 compiles the code of a tick when it is hot.
        tick(series)?;
        let idle = tick(0)?;
        let count = tick(series)? - idle;
        eprintln!("{series} series: {count:?}, idle: {idle:?}");
        let each = count.total() / series as i64;
        let _fits = writeln!(text, "| {series} | {} | {each} |", count.cells());
    }
    Ok(text)
}

/// Knows when the filter's ticks are.
struct Clock {
    next: Instant,
}

impl Clock {
    /// Waits for a tick.
    fn start(pair: &Pair, held: &mut [TcpStream]) -> Result<Self> {
        let sent = || Ok::<_, Error>(pair.reported(Reporter::Source)?.sent);
        let before = sent()?;
        held.iter_mut().try_for_each(talk).context(what)?;
        poll::until("a tick", 2 * INTERVAL, || {
            thread::sleep(POLL);
            Ok(match sent()? {
                sent if sent > before => Look::Found(()),
                sent => Look::NotYet(format!("{sent} bytes")),
            })
        })?;
        Ok(Self {
            next: Instant::now() + INTERVAL,
        })
    }

    /// Waits until half of an interval is left.
    fn begin(&mut self) {
        let now = Instant::now();
        while self.next < now + INTERVAL / 2 {
            self.next += INTERVAL;
        }
        let last = self.next - INTERVAL + MARGIN;
        thread::sleep(last.saturating_duration_since(now));
    }

    /// Waits until the next tick is over. Fails if it is so near that it can be over already.
    fn wait(&mut self) -> Result<()> {
        let left = self.next.saturating_duration_since(Instant::now());
        if left < MARGIN {
            return Err(Error::malformed(
                "the messages",
                "took a whole reporting interval",
            ));
        }
        thread::sleep(left + MARGIN);
        self.next += INTERVAL;
        Ok(())
    }
}

fn open(pair: &Pair, more: usize) -> Result<Vec<TcpStream>> {
    hold(pair.address(), more).context(what)
}

fn what() -> &'static str {
    "a connection through both sidecars"
}
