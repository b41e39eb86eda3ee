//! An HTTP server that has the module, and habits.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mesh::apps::App;
use mesh::testing::Result;

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Sends the module.
    Serves,
    /// Answers with status 500.
    Fails,
    /// Fails so often, then serves.
    Stumbles(u64),
    /// Nothing, until it gets another habit.
    Waits,
}

struct State {
    habit: Habit,
    requests: u64,
}

#[derive(Clone)]
struct Shared(Arc<(Mutex<State>, Condvar)>);

/// A running one.
pub(super) struct Server {
    app: App,
    shared: Shared,
}

impl Server {
    pub(super) fn start(module: Vec<u8>, habit: Habit) -> Result<Self> {
        let state = State { habit, requests: 0 };
        let shared = Shared(Arc::new((Mutex::new(state), Condvar::new())));
        let theirs = shared.clone();
        let app = App::start(move |stream| theirs.answer(stream, &module))?;
        Ok(Self { app, shared })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.app.address()
    }

    /// Gives it another habit, also for the requests that wait.
    pub(super) fn now(&self, habit: Habit) {
        self.shared.state().habit = habit;
        self.shared.0.1.notify_all();
    }

    /// How many requests came.
    pub(super) fn requests(&self) -> u64 {
        self.shared.state().requests
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, mut stream: &TcpStream, module: &[u8]) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        let (status, body) = match self.decide() {
            Habit::Serves => ("200 OK", module),
            _ => ("500 Internal Server Error", &b"not today"[..]),
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    }

    fn decide(&self) -> Habit {
        let mut state = self.state();
        state.requests += 1;
        let waits = |state: &mut State| state.habit == Habit::Waits;
        let state = self.0.1.wait_while(state, waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        match state.habit {
            Habit::Stumbles(0) => Habit::Serves,
            Habit::Stumbles(times) => {
                state.habit = Habit::Stumbles(times - 1);
                Habit::Fails
            }
            habit => habit,
        }
    }
}
