//! A well-behaved connection beside the hostile ones, which must not be disturbed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mesh::apps::noise;
use mesh::testing::{LIMIT, Result};

/// The name of the peer's workload.
pub(crate) const NAME: &str = "background";
const PAUSE: Duration = Duration::from_millis(2);

/// Sends messages to an echo until [`end`](Self::end).
#[derive(Debug)]
pub(crate) struct BackgroundConnection {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl BackgroundConnection {
    /// Connects, sends `greeting`, reads its `answer`, and then sends messages.
    pub(crate) fn start(
        address: SocketAddr,
        greeting: &[u8],
        answer: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(greeting)?;
        answer(&mut stream)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || talk(&mut stream, &stopping));
        Ok(Self { stop, thread })
    }

    /// Ends the connection. Returns the number of bytes that were sent and came back unchanged.
    pub(crate) fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        Ok(self
            .thread
            .join()
            .map_err(|_| "the background connection was disturbed")??)
    }
}

fn talk(stream: &mut TcpStream, stopping: &AtomicBool) -> io::Result<u64> {
    let mut bytes = 0;
    for seed in 0.. {
        if stopping.load(Ordering::SeqCst) {
            break;
        }
        let message = noise(seed, 1 + seed as usize * 37 % 3000);
        stream.write_all(&message)?;
        let mut echo = vec![0; message.len()];
        stream.read_exact(&mut echo)?;
        assert!(echo == message, "message {seed} came back changed");
        bytes += message.len() as u64;
        thread::sleep(PAUSE);
    }
    stream.shutdown(Shutdown::Write)?;
    let rest = stream.read(&mut [0; 1])?;
    assert_eq!(rest, 0, "bytes after the last message");
    Ok(bytes)
}
