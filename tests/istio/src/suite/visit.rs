//! The client of the checks: connections to a server, one after another or several at a time.

use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::application::{ANSWER, END, First, GREETING, START, TIMEOUT, answer, has_frame};
use super::expect;
use super::stream::{self, Stream};
use crate::error::Result;

/// The connections of a client.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) made: u64,
    /// What went wrong, by connection.
    pub(super) failed: Vec<(u64, Failure)>,
}

/// Why a connection failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It was refused, or ended early. What the client received until then is the beginning of what
    /// it expects.
    Ended { received: usize, reason: String },
    /// No byte came within the limit.
    TimedOut { received: usize },
    /// The client received the server's answer to other bytes than it sent.
    OtherAnswer,
    /// The client received a frame.
    Frame,
    /// The client received other bytes.
    Altered(String),
}

/// Opens `number` connections to a server, `parallel` at a time.
pub(super) fn visit(address: SocketAddr, first: First, number: u64, parallel: u64) -> Visits {
    let next = AtomicU64::new(0);
    let begin = Barrier::new(usize::try_from(parallel).unwrap_or(1));
    in_parallel(parallel, || {
        let mut visits = Visits::default();
        begin.wait();
        loop {
            let id = next.fetch_add(1, Ordering::SeqCst);
            if id >= number {
                return visits;
            }
            visits.add(id, one(address, first, id));
        }
    })
}

/// Opens connections, one at a time, until `stop` is set.
pub(super) fn visit_until(address: SocketAddr, first: First, stop: &AtomicBool) -> Visits {
    let mut visits = Visits::default();
    while !stop.load(Ordering::SeqCst) {
        visits.add(visits.made, one(address, first, visits.made));
        thread::sleep(Duration::from_millis(20));
    }
    visits
}

impl Visits {
    /// Records a connection.
    pub(super) fn add(&mut self, id: u64, result: Result<(), Failure>) {
        self.made += 1;
        self.failed.extend(result.err().map(|error| (id, error)));
    }

    /// Whether no connection failed.
    pub(super) fn all_succeeded(&self) -> bool {
        self.failed.is_empty()
    }

    /// Some connections succeeded, in exactly `frames` the server answered a frame, and each other
    /// one ended as one without the filter can: nothing was added to what it carried, and it waited
    /// for nothing. Returns the number of these.
    pub(super) fn expect_ended(&self, frames: usize) -> Result<usize> {
        let failures = self.failed.iter();
        let (ended, other): (Vec<_>, Vec<_>) =
            failures.partition(|(_, failure)| matches!(failure, Failure::Ended { .. }));
        let (answered, wrong): (Vec<_>, Vec<_>) = other
            .into_iter()
            .partition(|(_, failure)| *failure == Failure::OtherAnswer);
        expect::equal("connections that failed otherwise", wrong, vec![])?;
        expect::equal("answers to a frame", answered.len(), frames)?;
        let failed = self.failed.len();
        expect::holds(self.made > failed as u64, || {
            let first = self.first_failed();
            format!("all of {failed} connections failed: {first}")
        })?;
        Ok(ended.len())
    }

    /// The first connection that failed, for messages.
    pub(super) fn first_failed(&self) -> String {
        let first = self.failed.first();
        first.map_or_else(String::new, |(id, failure)| {
            format!("connection {id}: {failure}")
        })
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { received, reason } => write!(f, "{reason}, after {received} bytes"),
            Self::TimedOut { received } => {
                write!(f, "nothing for {TIMEOUT:?}, after {received} bytes")
            }
            Self::OtherAnswer => f.write_str("the server received other bytes"),
            Self::Frame => f.write_str("the client received a frame"),
            Self::Altered(text) => write!(f, "the client received {text:?}"),
        }
    }
}

fn in_parallel(parallel: u64, work: impl Fn() -> Visits + Sync) -> Visits {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(&work)).collect();
        let mut all = Visits::default();
        for thread in threads {
            let visits = thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            all.made += visits.made;
            all.failed.extend(visits.failed);
        }
        all
    })
}

/// One connection. Every second one sends its text and the end separately.
fn one(address: SocketAddr, first: First, id: u64) -> Result<(), Failure> {
    let mut received = Vec::new();
    let text = text(id);
    let talked = talk(address, first, &text, id % 2 == 1, &mut received);
    let mut expected = Vec::new();
    if first == First::Server {
        expected.extend_from_slice(GREETING);
    }
    expected.extend_from_slice(answer(text.as_bytes()).as_bytes());
    judge(talked, &received, &expected)
}

/// The rest of a connection whose client has sent [`START`].
pub(super) fn resume(mut stream: TcpStream, id: u64) -> Result<(), Failure> {
    let mut received = Vec::new();
    let talked = speak(&mut stream, &id.to_string(), false, &mut received);
    judge(talked, &received, answer(text(id).as_bytes()).as_bytes())
}

fn text(id: u64) -> String {
    format!("{START}{id}")
}

fn judge(talked: io::Result<()>, received: &[u8], expected: &[u8]) -> Result<(), Failure> {
    let length = received.len();
    if has_frame(received) {
        return Err(Failure::Frame);
    }
    if !expected.starts_with(received) {
        if received.starts_with(ANSWER) && received.ends_with(b"\n") {
            return Err(Failure::OtherAnswer);
        }
        let text = String::from_utf8_lossy(received).into_owned();
        return Err(Failure::Altered(text));
    }
    match talked {
        Ok(()) if received == expected => Ok(()),
        Ok(()) => Err(Failure::Ended {
            received: length,
            reason: "the connection ended".to_owned(),
        }),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Failure::TimedOut { received: length })
        }
        Err(error) => Err(Failure::Ended {
            received: length,
            reason: error.to_string(),
        }),
    }
}

fn talk(
    address: SocketAddr,
    first: First,
    text: &str,
    apart: bool,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    match first {
        First::Tls => speak(&mut stream::client(stream)?, text, apart, received),
        First::Client => speak(&mut stream, text, apart, received),
        First::Server if read_line(&mut stream, received)? => {
            speak(&mut stream, text, apart, received)
        }
        First::Server => Ok(()),
    }
}

fn speak(
    stream: &mut impl Stream,
    text: &str,
    apart: bool,
    received: &mut Vec<u8>,
) -> io::Result<()> {
    if apart {
        stream.write_all(text.as_bytes())?;
        thread::sleep(Duration::from_millis(2));
        stream.write_all(END)?;
    } else {
        stream.write_all(&[text.as_bytes(), END].concat())?;
    }
    // The answer comes before the client closes, as that of a database does.
    if read_line(stream, received)? {
        stream.finish()?;
        stream.read_to_end(received)?;
    }
    Ok(())
}

/// Reads to the end of a line. Returns `false` if the connection ended before.
fn read_line(stream: &mut impl Read, received: &mut Vec<u8>) -> io::Result<bool> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        received.extend(byte);
        if byte == *b"\n" {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_connection_is_unaltered_only_with_the_beginning_of_the_answer() {
        let reset = || Err(io::Error::from(ErrorKind::ConnectionReset));
        let expected = b"GOT 6\n";
        assert_eq!(judge(Ok(()), expected, expected), Ok(()));
        assert!(matches!(
            judge(reset(), b"GO", expected),
            Err(Failure::Ended { received: 2, .. })
        ));
        assert!(matches!(
            judge(Ok(()), b"", expected),
            Err(Failure::Ended { received: 0, .. })
        ));
        assert_eq!(judge(reset(), b"=#\x04gx", expected), Err(Failure::Frame));
        assert_eq!(
            judge(Ok(()), b"GOT 20\n", expected),
            Err(Failure::OtherAnswer)
        );
        assert_eq!(
            judge(Ok(()), b"GOT 6\nx", expected),
            Err(Failure::Altered("GOT 6\nx".to_owned()))
        );
        let late = Err(io::Error::from(ErrorKind::WouldBlock));
        assert_eq!(
            judge(late, b"", expected),
            Err(Failure::TimedOut { received: 0 })
        );
    }

    #[test]
    fn no_success_and_other_failures_are_errors() {
        let ended = Failure::Ended {
            received: 0,
            reason: "reset".to_owned(),
        };
        let visits = |made, failure: Failure| Visits {
            made,
            failed: vec![(0, failure)],
        };
        assert_eq!(visits(2, ended.clone()).expect_ended(0).unwrap(), 1);
        assert!(visits(2, ended.clone()).expect_ended(1).is_err());
        assert!(visits(1, ended).expect_ended(0).is_err());
        assert!(visits(2, Failure::Frame).expect_ended(0).is_err());
        assert!(visits(2, Failure::OtherAnswer).expect_ended(0).is_err());
        assert_eq!(visits(2, Failure::OtherAnswer).expect_ended(1).unwrap(), 0);
    }
}
