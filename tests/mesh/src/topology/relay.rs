//! The application behind a sidecar: it answers a line with a line, after asking others by way of its sidecar.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::service::Manner;
use crate::apps::{self, App};
use crate::error::Result;

const GREETING: &[u8] = b"5.7.44-log mysql_native_password\n";
/// Far longer than any answer takes: without it a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application.
///
/// Its answer is a list of words `name:noise`: its own, and those of everyone it asked.
#[derive(Debug)]
pub(super) struct Relay {
    app: App,
    lines: Arc<OnceLock<Vec<Line>>>,
}

/// The way to another application.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) callee: Callee,
    /// Of the caller's own sidecar.
    pub(super) address: SocketAddr,
    /// The connection, if one serves all requests.
    pub(super) kept: Option<Mutex<Option<Conversation>>>,
}

/// What to expect at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// It answers.
    Answers,
    /// It speaks first, then it answers.
    Greets,
    /// Nobody: the connection is closed at once.
    Nobody,
}

/// A connection to an application.
pub(super) type Conversation = BufReader<TcpStream>;

impl Relay {
    /// Starts an application that asks nobody yet. `seed` makes its answers its own, in content and in size.
    pub(super) fn start(name: &'static str, manner: Manner, seed: u64) -> Result<Self> {
        let lines: Arc<OnceLock<Vec<Line>>> = Arc::default();
        let others = Arc::clone(&lines);
        let size = 600 + 150 * usize::try_from(seed).unwrap_or_default();
        let own = format!("{name}:{}", hex::encode(apps::noise(seed, size)));
        let app = App::start(move |mut stream| {
            if manner == Manner::Greets {
                stream.write_all(GREETING)?;
            }
            for request in BufReader::new(stream).lines() {
                let request = format!("{name} {}", request?);
                let mut answer = own.clone();
                for line in others.get().into_iter().flatten() {
                    answer.push_str(&line.ask(&request)?);
                }
                answer.push('\n');
                stream.write_all(answer.as_bytes())?;
            }
            Ok(())
        })?;
        Ok(Self { app, lines })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// From now on it asks these.
    pub(super) fn connect(&self, lines: Vec<Line>) {
        // Only whoever starts it connects it, once.
        let _first = self.lines.set(lines);
    }

    /// Ends the connections that it keeps open.
    pub(super) fn hang_up(&self) {
        for line in self.lines.get().into_iter().flatten() {
            if let Some(kept) = &line.kept {
                drop(kept.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        }
    }
}

impl Line {
    /// The answer, with a space in front of it; nothing if nobody is there.
    fn ask(&self, request: &str) -> io::Result<String> {
        let Some(kept) = &self.kept else {
            let mut conversation = begin(self.address, self.callee)?;
            return match self.callee {
                Callee::Nobody => nothing(&mut conversation),
                _ => ask(&mut conversation, request),
            };
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let conversation = match kept.take() {
            Some(conversation) => conversation,
            None => begin(self.address, self.callee)?,
        };
        ask(kept.insert(conversation), request)
    }
}

/// Connects.
pub(super) fn begin(address: SocketAddr, callee: Callee) -> io::Result<Conversation> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut conversation = BufReader::new(stream);
    if callee == Callee::Greets {
        conversation.read_line(&mut String::new())?;
    }
    Ok(conversation)
}

/// Asks, and returns the answer with a space in front of it.
pub(super) fn ask(conversation: &mut Conversation, request: &str) -> io::Result<String> {
    let request = format!("{request}\n");
    conversation.get_mut().write_all(request.as_bytes())?;
    let mut answer = String::from(" ");
    conversation.read_line(&mut answer)?;
    match answer.strip_suffix('\n') {
        Some(answer) => Ok(answer.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Waits for the end of a connection on which nothing must come.
fn nothing(conversation: &mut Conversation) -> io::Result<String> {
    match conversation.read(&mut [0]) {
        Ok(0) => Ok(String::new()),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(String::new()),
        Err(error) => Err(error),
    }
}
