//! The exchange of one connection: reads the peer's frame in one direction and writes this
//! workload's frame in the other.

use std::fmt;
use std::time::Duration;

use peer_exchange::Payload;

use super::context::ExchangeContext;
use super::directions::{Reading, Writing};
use super::facts::{Facts, Upstream};
use super::failure::HostFailure;
use super::local::LocalExchange;
use super::permission::{self, FirstBytes, Permission};
use super::progress::{Flow, Progress};
use super::reader::{FrameEvent, Reader};
use crate::config::Mode;
use crate::host::{Buffer, Host, Status};
use crate::labels::Reporter;
use crate::series::{Diagnostics, Outcome};

/// The exchange of one connection.
#[derive(Debug)]
pub(crate) struct Exchange {
    reporter: Reporter,
    /// When the connection was opened, if that is known.
    opened_at: Option<Duration>,
    /// Whether a frame of the peer may be read; `None` until its first bytes.
    reads: Option<bool>,
    peer: FirstBytes,
    reading: Reading,
    writing: Writing,
    flow: Flow,
    facts: Facts,
}

impl Exchange {
    /// `opened_at`: when the connection was opened; without it, the server's frame proves nothing.
    /// `unknown_direction`: the status with which reading the listener's direction failed; the
    /// reporter is a guess then.
    pub(crate) fn new(
        local: &LocalExchange,
        reporter: Reporter,
        opened_at: Option<Duration>,
        unknown_direction: Option<Status>,
    ) -> Self {
        let reading = match (local.mode(), unknown_direction) {
            (Mode::Off, _) if local.is_native() => Reading::Native,
            (Mode::Auto | Mode::Receive | Mode::On, Some(status)) => {
                Reading::UnknownDirection(status)
            }
            _ => Reading::Frame(Reader::new(local.max_payload())),
        };
        Self {
            reporter,
            opened_at,
            reads: None,
            peer: FirstBytes::Pending,
            reading,
            writing: Writing::Pending,
            flow: Flow::Continue,
            facts: Facts::default(),
        }
    }

    /// The facts that were read so far.
    pub(crate) fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }

    /// Whether the peer sent no frame, although it has the exchange: another connection of the same
    /// peer may bring its metadata.
    pub(crate) fn may_be_known_later<H: Host>(&mut self, context: &ExchangeContext<'_, H>) -> bool {
        self.reporter != Reporter::Source
            && self.peer == FirstBytes::Payload
            && match context.local.mode() {
                Mode::On => true,
                Mode::Auto => self.facts.client_offered(context),
                Mode::Receive | Mode::Off => false,
            }
    }

    /// Whether the peer's frame was read, or none will be.
    pub(crate) fn is_decided(&self) -> bool {
        self.reading.is_decided()
    }

    /// Whether all further bytes are payload, in both directions.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.writing, Writing::Pending) && matches!(self.reading, Reading::Payload)
    }

    /// Handles a data callback: `size` bytes in `buffer`, or the end of that direction, or both.
    pub(crate) fn on_data<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> Progress {
        let from_peer = self.comes_from_peer(buffer);
        if let Reading::UnknownDirection(status) = self.reading {
            self.fail(context, HostFailure::reading_direction(status));
        } else if (from_peer || self.is_off(context))
            && let Err(failure) = self.decide_reading(context)
        {
            self.fail(context, failure);
        }
        let mut frame = None;
        let payload = if self.reading.is_aborted() {
            None
        } else if from_peer {
            self.read_frame(context, buffer, size, end_of_stream, &mut frame)
        } else {
            self.write_frame(context, buffer, size, end_of_stream);
            Some(size)
        };
        if matches!(self.reading, Reading::Aborted) {
            self.close(context, buffer, end_of_stream);
        }
        if payload.is_none() {
            self.drop_bytes(context, buffer, size);
        }
        Progress {
            payload: payload.unwrap_or_default(),
            flow: self.flow,
            frame,
        }
    }

    /// Counts the outcome of an exchange that the connection's close ends.
    pub(crate) fn on_close(&self, diagnostics: &Diagnostics) {
        let expects_frame =
            self.reads == Some(true) || matches!(self.writing, Writing::Done | Writing::ByProof(_));
        let outcome = match &self.reading {
            Reading::Frame(reader) if reader.is_holding() => Outcome::Truncated,
            Reading::Frame(reader) if reader.is_behind_frame() => return,
            Reading::Frame(_) if expects_frame => Outcome::Absent,
            Reading::Frame(_) => Outcome::NotAttempted,
            Reading::Native if self.reads.is_none() => Outcome::NotAttempted,
            _ => return,
        };
        diagnostics.outcome(self.reporter, outcome);
    }

    /// Closes a connection that was aborted in the callback of the upstream's last bytes.
    pub(crate) fn on_upstream_close<H: Host>(&mut self, host: &H) {
        if matches!(self.reading, Reading::AbortedInLastBytes) {
            self.reading = Reading::Aborted;
            close(host);
        }
    }

    /// Whether no frame can come, whatever the server's first bytes are.
    fn is_off<H: Host>(&self, context: &ExchangeContext<'_, H>) -> bool {
        self.reporter == Reporter::Source && context.local.mode() == Mode::Off
    }

    /// Whether the peer's frame comes in this direction; this workload's goes in the other.
    fn comes_from_peer(&self, buffer: Buffer) -> bool {
        match self.reporter {
            Reporter::Source => buffer == Buffer::Upstream,
            Reporter::Destination | Reporter::Waypoint => buffer == Buffer::Downstream,
        }
    }

    /// Decides whether a frame of the peer may be read, in the callback of its first bytes.
    fn decide_reading<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
    ) -> Result<(), HostFailure> {
        if self.reads.is_some() || self.reading.is_aborted() {
            return Ok(());
        }
        let reads = permission::may_read(context, self.reporter, &mut self.facts)
            .map_err(HostFailure::reading_tls)?;
        self.reads = Some(reads);
        if !reads {
            if !matches!(self.reading, Reading::Native) {
                self.reading = Reading::Payload;
            }
            context
                .diagnostics
                .outcome(self.reporter, Outcome::NotAttempted);
        }
        Ok(())
    }

    /// Writes this workload's frame in front of the first bytes of its direction.
    fn write_frame<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) {
        if !matches!(self.writing, Writing::Pending) || size == 0 && !end_of_stream {
            return;
        }
        let permission = permission::may_write(context, self.reporter, self.peer, &mut self.facts);
        self.writing = match permission {
            Permission::Denied => Writing::Denied,
            Permission::Granted => Writing::Done,
            Permission::ByProof(taken) => Writing::ByProof(taken),
        };
        if matches!(self.writing, Writing::Denied) {
            return;
        }
        let host = context.attributes.host();
        if host
            .replace_front(buffer, 0, context.local.frame())
            .is_err()
        {
            self.writing = Writing::Denied;
        }
    }

    /// Reads the peer's frame; returns how many bytes of payload go on, or `None` if the host
    /// failed.
    fn read_frame<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
        frame: &mut Option<Payload>,
    ) -> Option<usize> {
        let reader = match &mut self.reading {
            Reading::Frame(reader) => reader,
            Reading::Native => {
                self.reading = Reading::Payload;
                return Some(size);
            }
            Reading::Payload => return Some(size),
            Reading::UnknownDirection(_) | Reading::Aborted | Reading::AbortedInLastBytes => {
                return None;
            }
        };
        let host = context.attributes.host();
        let step = match reader.take_frame(host, buffer, size, end_of_stream) {
            Ok(step) => step,
            Err(failure) => {
                self.fail(context, failure);
                return None;
            }
        };
        if step.finished {
            self.reading = Reading::Payload;
        }
        match step.event {
            Some(FrameEvent::Frame(payload)) => {
                self.peer = FirstBytes::Frame;
                self.prove(context);
                *frame = Some(payload);
            }
            Some(FrameEvent::Absent) => self.no_frame(context, Outcome::Absent),
            // The bytes that it ended in were payload.
            Some(FrameEvent::Truncated) if step.payload > 0 => {
                self.no_frame(context, Outcome::Truncated);
            }
            Some(FrameEvent::Truncated) => {
                context
                    .diagnostics
                    .outcome(self.reporter, Outcome::Truncated);
            }
            Some(FrameEvent::TooLarge(too_large)) => {
                let reason = format_args!("oversized frame: {too_large}");
                self.abort(context, Outcome::TooLarge, &reason);
            }
            None => {}
        }
        if step.duplicate {
            context
                .diagnostics
                .outcome(self.reporter, Outcome::Duplicate);
            context.warn(
                self.reporter,
                &"a second frame follows the first: the peer has two exchange filters",
            );
        }
        Some(step.payload)
    }

    /// The peer sent a frame. If it is a server, it reads frames of clients with a certificate.
    fn prove<H: Host>(&mut self, context: &ExchangeContext<'_, H>) {
        if self.reporter != Reporter::Source || context.local.mode() != Mode::Auto {
            return;
        }
        if let Writing::ByProof(taken) = &self.writing {
            if let Some(opened_at) = self.opened_at {
                let stored = context.proofs().record_answer(taken, opened_at);
                context.check_stored(&taken.server, stored);
            }
            return;
        }
        let facts = &mut self.facts;
        facts.server_reads = facts.upstream_is_spiffe(context, Upstream::Established) == Ok(true)
            && (facts.is_listed(context) || facts.prove_server(context, self.opened_at));
    }

    /// The peer's first bytes, or its end, are no frame. A server with the exchange sends one even
    /// in front of its end.
    fn no_frame<H: Host>(&mut self, context: &ExchangeContext<'_, H>, outcome: Outcome) {
        self.peer = FirstBytes::Payload;
        if let Writing::ByProof(taken) = &self.writing {
            let refused = context.proofs().refuse(&taken.server);
            context.unanswered(self.reporter, &taken.server, refused);
        }
        context.diagnostics.outcome(self.reporter, outcome);
    }

    fn fail<H: Host>(&mut self, context: &ExchangeContext<'_, H>, failure: HostFailure) {
        self.abort(context, Outcome::HostFailure, &failure);
    }

    /// Ends a connection whose payload cannot be separated from a frame.
    fn abort<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        outcome: Outcome,
        reason: &dyn fmt::Display,
    ) {
        self.reading = Reading::Aborted;
        context.diagnostics.outcome(self.reporter, outcome);
        context.warn(self.reporter, &format_args!("{reason}; connection closed"));
    }

    /// Closes an aborted connection, but not in the callback of the upstream's last bytes: Envoy
    /// calls `on_upstream_close` after it, in a context that would be deleted, and the SDK panics.
    fn close<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        buffer: Buffer,
        end_of_stream: bool,
    ) {
        if buffer == Buffer::Upstream && end_of_stream {
            self.reading = Reading::AbortedInLastBytes;
        } else {
            close(context.attributes.host());
        }
    }

    /// Drops the bytes of an aborted connection.
    fn drop_bytes<H: Host>(
        &mut self,
        context: &ExchangeContext<'_, H>,
        buffer: Buffer,
        size: usize,
    ) {
        let host = context.attributes.host();
        if host.replace_front(buffer, size, &[]).is_err() {
            self.flow = Flow::Hold;
        }
    }
}

fn close<H: Host>(host: &H) {
    if let Err(status) = host.close_connection() {
        log::error!("closing the connection failed: {status}");
    }
}
