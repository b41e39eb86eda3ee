//! Moving bytes between a socket and the model.

use crate::plugins::Plugins;
use host_harness::{App, Relay};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

/// Envoy's read slice.
const READ_SIZE: usize = 16 * 1024;

/// Between a socket of one connection and its model.
pub(crate) struct Pipe<'a> {
    pub(crate) relay: &'a Relay,
    pub(crate) changed: &'a watch::Sender<()>,
    pub(crate) plugins: &'a Plugins,
    /// How many bytes may wait in either direction.
    pub(crate) limit: usize,
}

impl Pipe<'_> {
    /// Serves the socket of `own`, what it sends going to `other`, until both halves have ended.
    pub(crate) async fn run(
        &self,
        stream: impl AsyncRead + AsyncWrite,
        own: &App,
        other: &App,
        held_up: impl Fn(&Relay) -> usize,
    ) {
        let (reader, writer) = tokio::io::split(stream);
        tokio::join!(
            self.read(reader, own, other, held_up),
            self.write(writer, own)
        );
    }

    /// The model hears what the peer sends. While too much of it waits, nothing more is read.
    async fn read(
        &self,
        mut reader: impl AsyncRead + Unpin,
        own: &App,
        other: &App,
        held_up: impl Fn(&Relay) -> usize,
    ) {
        let mut buffer = vec![0; READ_SIZE];
        loop {
            let room = |relay: &Relay| other.unread().max(held_up(relay)) < self.limit;
            self.until(|relay| !relay.is_open() || room(relay)).await;
            let read = tokio::select! {
                biased;
                () = self.until(|relay| !relay.is_open()) => return,
                read = reader.read(&mut buffer) => read,
            };
            self.plugins.catch_up();
            match read.map(|size| buffer.get(..size).unwrap_or_default()) {
                Ok([]) => {
                    own.end();
                    return;
                }
                Ok(bytes) => own.write(bytes),
                Err(_) => {
                    own.reset();
                    return;
                }
            }
        }
    }

    /// The peer gets what the model sends it.
    async fn write(&self, mut writer: impl AsyncWrite + Unpin, own: &App) {
        loop {
            self.until(|_| own.unread() > 0 || own.saw_end() || own.saw_close())
                .await;
            let bytes = own.take();
            if bytes.is_empty() {
                // A peer that is gone need not be told.
                let _gone = writer.shutdown().await;
                return;
            }
            self.changed.send_replace(());
            if send(&mut writer, &bytes).await.is_err() {
                self.plugins.catch_up();
                own.reset();
                return;
            }
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
    // The sender is at hand, so the channel is not closed.
    let mut changes = changed.subscribe();
    let _open = changes.wait_for(|()| condition(relay)).await;
}
