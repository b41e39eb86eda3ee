//! The applications at both ends, which count bytes and connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use mesh::Counts;
use mesh::apps;
use mesh::error::{Context, Result};

/// The number of connections that are used at the same time, of all open ones.
const WORKERS: usize = 16;
/// The largest small message, in bytes. Most messages are small, some are larger than any buffer on
/// the way.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 2 * 1024 * 1024;
const LARGE_ONES: u64 = 500;
/// The limit of a read. Without it, a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients and an echo server.
#[derive(Debug)]
pub(crate) struct Load {
    runtime: Runtime,
    application: SocketAddr,
    /// The counts of the echo server.
    echoed: Arc<Tally>,
    noise: Arc<[u8]>,
}

/// The counts of one application.
#[derive(Debug, Default)]
struct Tally {
    opened: AtomicU64,
    closed: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Load {
    pub(crate) fn start() -> Result<Self> {
        let runtime = || Builder::new_current_thread().enable_all().build();
        let what = || "cannot listen on 127.0.0.1";
        let echo = runtime().context(what)?;
        let listener = echo
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context(what)?;
        let application = listener.local_addr().context(what)?;
        let echoed = Arc::<Tally>::default();
        let tally = Arc::clone(&echoed);
        thread::Builder::new()
            .name("echo".into())
            .spawn(move || echo.block_on(serve(listener, tally)))
            .context(|| "cannot start a thread")?;
        Ok(Self {
            runtime: runtime().context(|| "cannot start a runtime")?,
            application,
            echoed,
            noise: apps::noise(1, LARGE).into(),
        })
    }

    /// The address of the echo server.
    pub(crate) fn application(&self) -> SocketAddr {
        self.application
    }

    /// Returns the counts of the echo server. The clients received all of its bytes, or failed.
    pub(super) fn counts(&self) -> Counts {
        let Tally {
            opened,
            closed,
            received,
            sent,
        } = &*self.echoed;
        let [opened, closed, received, sent] =
            [opened, closed, received, sent].map(|counter| counter.load(Ordering::SeqCst));
        Counts {
            opened,
            closed,
            received,
            sent,
        }
    }

    /// Opens `count` connections one after the other, and more until `least` has passed.
    pub(super) fn one_by_one(&self, to: SocketAddr, count: u64, least: Duration) -> Result<()> {
        let until = Instant::now() + least;
        let left = Arc::new(AtomicU64::new(count));
        self.in_parallel(|| {
            let (left, noise) = (Arc::clone(&left), Arc::clone(&self.noise));
            async move {
                while take_one(&left) || Instant::now() < until {
                    let mut stream = connect(to).await?;
                    talk(&mut stream, &noise).await?;
                    leave(stream).await?;
                }
                Ok(())
            }
        })
    }

    /// Opens `count` connections, sends a message on each and leaves them open.
    pub(super) fn open(&self, to: SocketAddr, count: u64) -> Result<Vec<TcpStream>> {
        let left = Arc::new(AtomicU64::new(count));
        let opened = Arc::new(std::sync::Mutex::new(Vec::new()));
        self.in_parallel(|| {
            let (left, noise) = (Arc::clone(&left), Arc::clone(&self.noise));
            let opened = Arc::clone(&opened);
            async move {
                while take_one(&left) {
                    let mut stream = connect(to).await?;
                    talk(&mut stream, &noise).await?;
                    opened
                        .lock()
                        .map_err(|_| io::Error::other("a worker panicked"))?
                        .push(stream);
                }
                Ok(())
            }
        })?;
        let mut opened = opened
            .lock()
            .map_err(|_| io::Error::other("a worker panicked"))
            .context(what)?;
        Ok(std::mem::take(&mut *opened))
    }

    /// Sends one more message on every connection and closes it.
    pub(super) fn finish(&self, held: Vec<TcpStream>) -> Result<()> {
        let held = Arc::new(std::sync::Mutex::new(held));
        self.in_parallel(|| {
            let (held, noise) = (Arc::clone(&held), Arc::clone(&self.noise));
            async move {
                loop {
                    let next = held
                        .lock()
                        .map_err(|_| io::Error::other("a worker panicked"))?
                        .pop();
                    let Some(mut stream) = next else {
                        return Ok(());
                    };
                    talk(&mut stream, &noise).await?;
                    leave(stream).await?;
                }
            }
        })
    }

    fn in_parallel<F>(&self, worker: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let all = async {
            let mut workers = JoinSet::new();
            (0..WORKERS).for_each(|_| {
                workers.spawn(worker());
            });
            while let Some(ended) = workers.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        };
        self.runtime.block_on(all).context(what)
    }
}

fn what() -> &'static str {
    "a connection through both sidecars"
}

fn take_one(left: &AtomicU64) -> bool {
    let less = |left: u64| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a message of random size and reads its echo. The message is not empty, because a frame is
/// sent with data.
async fn talk(stream: &mut TcpStream, noise: &[u8]) -> io::Result<()> {
    let longest = if fastrand::u64(..LARGE_ONES) == 0 {
        LARGE
    } else {
        SMALL
    };
    let size = fastrand::usize(1..longest);
    let start = fastrand::usize(..=noise.len() - size);
    let said = noise.get(start..start + size).unwrap_or_default();
    let (mut reader, mut writer) = stream.split();
    let mut heard = vec![0; said.len()];
    let both = async { tokio::try_join!(writer.write_all(said), reader.read_exact(&mut heard)) };
    tokio::time::timeout(PATIENCE, both).await??;
    match heard == said {
        true => Ok(()),
        false => Err(io::Error::other(format!("{size} bytes came back changed"))),
    }
}

/// Closes the connection. No byte may arrive after that.
async fn leave(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    match tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await?? {
        0 => Ok(()),
        _ => Err(io::Error::other("bytes arrived after the last message")),
    }
}

async fn serve(listener: TcpListener, tally: Arc<Tally>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(echo(stream, Arc::clone(&tally)));
    }
}

async fn echo(mut stream: TcpStream, tally: Arc<Tally>) -> io::Result<()> {
    tally.opened.fetch_add(1, Ordering::SeqCst);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let size = stream.read(&mut buffer).await?;
        let heard = buffer.get(..size).unwrap_or_default();
        tally
            .received
            .fetch_add(heard.len() as u64, Ordering::SeqCst);
        if heard.is_empty() {
            break;
        }
        stream.write_all(heard).await?;
        tally.sent.fetch_add(heard.len() as u64, Ordering::SeqCst);
    }
    stream.shutdown().await?;
    tally.closed.fetch_add(1, Ordering::SeqCst);
    Ok(())
}
