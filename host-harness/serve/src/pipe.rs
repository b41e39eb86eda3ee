//! Moving bytes between a socket and the model.

use crate::plugins::Plugins;
use crate::stream::Stream;
use host_harness::{App, Relay};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

/// Envoy's read slice.
const READ_SIZE: usize = 16 * 1024;

/// One of the two sockets of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Downstream,
    Upstream,
}

/// Between a socket of one connection and its model.
pub(crate) struct Pipe<'a> {
    pub(crate) side: Side,
    pub(crate) relay: &'a Relay,
    pub(crate) changed: &'a watch::Sender<()>,
    pub(crate) plugins: &'a Plugins,
    /// How many bytes may wait on their way from this socket.
    pub(crate) limit: usize,
}

impl Pipe<'_> {
    /// Serves the socket until both halves have ended, or the proxy has closed the connection.
    pub(crate) async fn run(&self, stream: Box<dyn Stream>) {
        let (mut reader, mut writer) = tokio::io::split(stream);
        tokio::join!(self.read(&mut reader), self.write(&mut writer));
        if self.own().saw_reset() {
            // A socket that cannot be told any more is gone already.
            let _gone = reader.unsplit(writer).socket().set_zero_linger();
        }
    }

    /// The model hears what the peer sends. While too much of it waits, nothing more is read.
    async fn read(&self, reader: &mut (impl AsyncRead + Unpin)) {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            self.until(|relay| !relay.is_open() || self.waiting() < self.limit)
                .await;
            let read = tokio::select! {
                biased;
                () = self.until(|relay| !relay.is_open()) => return,
                read = reader.read(&mut buffer) => read,
            };
            self.plugins.catch_up();
            match read.map(|size| buffer.get(..size).unwrap_or_default()) {
                Ok([]) => return self.own().end(),
                Ok(bytes) => self.own().write(bytes),
                Err(_) => return self.own().reset(),
            }
        }
    }

    /// The peer gets what the model sends it.
    async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) {
        let own = self.own();
        loop {
            self.until(|_| own.unread() > 0 || own.saw_end() || own.saw_close())
                .await;
            if own.saw_reset() {
                return;
            }
            let bytes = own.take();
            if bytes.is_empty() {
                // A peer that is gone need not be told.
                let _gone = writer.shutdown().await;
                return;
            }
            self.changed.send_replace(());
            let sent = tokio::select! {
                biased;
                () = self.until(|_| own.saw_reset()) => return,
                sent = send(writer, &bytes) => sent,
            };
            if sent.is_err() {
                self.plugins.catch_up();
                return match self.side {
                    Side::Downstream => self.relay.client_write_failed(),
                    Side::Upstream => self.relay.server_write_failed(),
                };
            }
        }
    }

    /// How much of what was read is still on its way, in the filter or to the other socket.
    fn waiting(&self) -> usize {
        let (from_client, from_server) = self.relay.held_up();
        match self.side {
            Side::Downstream => from_client.max(self.relay.server.unread()),
            Side::Upstream => from_server.max(self.relay.client.unread()),
        }
    }

    /// The peer on this socket.
    fn own(&self) -> &App {
        match self.side {
            Side::Downstream => &self.relay.client,
            Side::Upstream => &self.relay.server,
        }
    }

    async fn until(&self, condition: impl Fn(&Relay) -> bool) {
        until(self.changed, self.relay, condition).await;
    }
}

async fn send(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

/// Waits until the condition holds; it is looked at after every change.
pub(crate) async fn until(
    changed: &watch::Sender<()>,
    relay: &Relay,
    condition: impl Fn(&Relay) -> bool,
) {
    let mut changes = changed.subscribe();
    // The sender is at hand, so the channel is not closed.
    let _open = changes.wait_for(|()| condition(relay)).await;
}
