//! A connection that has nothing to do with all this and must not notice any of it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mesh::apps::noise;

use crate::Result;

/// The workload's name.
pub(crate) const NAME: &str = "bystander";
/// Without it, a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

/// Talks to an echo until it is ended.
#[derive(Debug)]
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Bystander {
    /// Connects, sends `greeting`, hears the `answer` to it and then talks.
    pub(crate) fn start(
        address: SocketAddr,
        greeting: &[u8],
        answer: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(greeting)?;
        answer(&mut stream)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || talk(&mut stream, &stopping));
        Ok(Self { stop, thread })
    }

    /// Ends the talk; returns how many bytes went there, and came back unchanged.
    pub(crate) fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        Ok(self
            .thread
            .join()
            .map_err(|_| "the bystander was harmed")??)
    }
}

fn talk(stream: &mut TcpStream, stopping: &AtomicBool) -> io::Result<u64> {
    let mut bytes = 0;
    for seed in 0.. {
        if stopping.load(Ordering::SeqCst) {
            break;
        }
        let said = noise(seed, 1 + seed as usize * 37 % 3000);
        stream.write_all(&said)?;
        let mut heard = vec![0; said.len()];
        stream.read_exact(&mut heard)?;
        assert!(heard == said, "message {seed} came back changed");
        bytes += said.len() as u64;
        thread::sleep(PAUSE);
    }
    stream.shutdown(Shutdown::Write)?;
    let rest = stream.read(&mut [0; 1])?;
    assert_eq!(rest, 0, "something behind the last message");
    Ok(bytes)
}
