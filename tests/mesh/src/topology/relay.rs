//! The application behind a sidecar. It answers a line with a line, after requests to other
//! applications through its sidecar.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::service::Manner;
use crate::apps::{self, App};
use crate::error::Result;

const GREETING: &[u8] = b"5.7.44-log mysql_native_password\n";
/// A limit that no answer reaches. Without it, a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application.
///
/// The answer is a list of words `name:noise`: its own, and those of the called applications.
#[derive(Debug)]
pub(super) struct Relay {
    app: App,
    lines: Arc<OnceLock<Vec<Line>>>,
}

/// A connection to another application.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) callee: Callee,
    /// The address of the listener in the caller's sidecar.
    pub(super) address: SocketAddr,
    /// `Some` if one connection serves all requests; its value is the open connection.
    pub(super) kept: Option<Mutex<Option<Conversation>>>,
}

/// The behaviour of the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// Answers requests.
    Answers,
    /// Sends first, then answers requests.
    Greets,
    /// No application: the connection is closed at once.
    Nobody,
}

/// A connection to an application.
pub(super) type Conversation = BufReader<TcpStream>;

impl Relay {
    /// Starts an application without connections to others. `seed` determines the content and the
    /// size of its answers.
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

    /// The address of the application.
    pub(super) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Sets the applications to call.
    pub(super) fn connect(&self, lines: Vec<Line>) {
        // Called once, after the start.
        let _first = self.lines.set(lines);
    }

    /// Closes the connections that are kept open.
    pub(super) fn hang_up(&self) {
        for line in self.lines.get().into_iter().flatten() {
            if let Some(kept) = &line.kept {
                drop(kept.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        }
    }
}

impl Line {
    /// Returns the answer with a space in front, or an empty text for [`Callee::Nobody`].
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

/// Connects, and reads the greeting if there is one.
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

/// Sends a request and returns the answer with a space in front.
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

/// Waits for the end of a connection on which no bytes may arrive.
fn nothing(conversation: &mut Conversation) -> io::Result<String> {
    match conversation.read(&mut [0]) {
        Ok(0) => Ok(String::new()),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(String::new()),
        Err(error) => Err(error),
    }
}
