//! The beginning of a connection: until the peer's frame is off and our own is out.

use std::rc::Rc;

use super::reader::{Event, Reader};
use crate::config::Mode;
use crate::host::attributes::{Attributes, path};
use crate::host::{Buffer, Host, Status};
use crate::labels::Reporter;
use crate::peer::PeerMetadata;
use crate::plugin::Plugin;
use crate::series::Outcome;

/// What a connection has to remember while the exchange is open.
#[derive(Debug)]
pub(crate) struct Opening {
    reporter: Reporter,
    gates: Option<Gates>,
    reading: Reading,
    /// Our frame went out, or never will.
    written: bool,
    /// Our frame went to an upstream that might not know what to do with it.
    probing: bool,
    /// The client said something, so its TLS handshake is over.
    heard_downstream: bool,
    /// The host did not take back what must not go on.
    stuck: bool,
    told: Option<Rc<PeerMetadata>>,
    /// The URI of the upstream's certificate, once the gates wanted it.
    upstream_san: Option<String>,
}

/// Whether to look for a frame and whether to write one.
#[derive(Clone, Copy, Debug, Default)]
struct Gates {
    read: bool,
    write: bool,
    /// Writing was called off because the peer refused the exchange a short while ago.
    suppressed: bool,
}

impl Gates {
    /// The outcome when the peer sent no frame.
    fn nothing_came(self) -> Outcome {
        match self.suppressed {
            true => Outcome::Suppressed,
            false => Outcome::Absent,
        }
    }
}

/// How far the reading of the peer's frame is.
#[derive(Debug)]
enum Reading {
    Active(Reader),
    /// A native exchange filter reads it; what it passes on says that it is done.
    Native,
    /// All that follows is payload.
    Done,
    /// The host does not say in which direction the listener looks, so nothing can go on.
    Unplaced(Status),
    /// The framing is lost and the connection is being closed: nothing goes on.
    Broken,
    /// As `Broken`, but the connection is still to be closed.
    BrokenAtEnd,
}

impl Opening {
    pub(crate) fn new<H: Host>(
        plugin: &Plugin<H>,
        reporter: Reporter,
        unplaced: Option<Status>,
    ) -> Self {
        let reading = match (plugin.mode(), unplaced) {
            (Mode::Off, _) if plugin.is_beside_native() => Reading::Native,
            (Mode::Auto | Mode::Receive | Mode::On, Some(status)) => Reading::Unplaced(status),
            _ => Reading::Active(Reader::new(plugin.limits().max_frame_bytes)),
        };
        Self {
            reporter,
            gates: None,
            reading,
            written: false,
            probing: false,
            heard_downstream: false,
            stuck: false,
            told: None,
            upstream_san: None,
        }
    }

    /// What the peer told of itself.
    pub(crate) fn told(&self) -> Option<Rc<PeerMetadata>> {
        self.told.as_ref().map(Rc::clone)
    }

    /// The URI of the upstream's certificate, if it is known already.
    pub(crate) fn upstream_san(&self) -> Option<String> {
        self.upstream_san.clone()
    }

    /// Whether it is known if the peer tells who it is.
    pub(crate) fn is_decided(&self) -> bool {
        match &self.reading {
            Reading::Active(Reader::Frame(_)) | Reading::Native | Reading::Unplaced(_) => false,
            Reading::Active(Reader::Behind(_)) | Reading::Done => true,
            Reading::Broken | Reading::BrokenAtEnd => true,
        }
    }

    /// Whether all that follows is payload, in both directions.
    pub(crate) fn is_over(&self) -> bool {
        self.written && matches!(self.reading, Reading::Done)
    }

    /// Whether both ends have found each other as far as the labels need it.
    ///
    /// A server that speaks first is heard before the client's TLS handshake is over; until then
    /// its certificate is missing. An upstream that is not connected yet has none either.
    pub(crate) fn is_established<H: Host>(&self, attributes: &Attributes<'_, H>) -> bool {
        if self.heard_downstream {
            return true;
        }
        match self.reporter {
            Reporter::Source => attributes.text(path::UPSTREAM_ADDRESS).is_some(),
            Reporter::Destination | Reporter::Waypoint => !self.is_handshaking(attributes),
        }
    }

    /// Whether the connection has TLS and nothing shows that the client's handshake is over: neither
    /// a byte nor an end of stream came from it, nor does the host have its certificate. The host
    /// tells a version of TLS from the beginning on.
    pub(crate) fn is_handshaking<H: Host>(&self, attributes: &Attributes<'_, H>) -> bool {
        !self.heard_downstream
            && self.reporter != Reporter::Source
            && attributes.text(path::TLS_VERSION).is_some()
            && attributes.is_mtls() != Ok(true)
    }

    /// Handles a data callback; returns how many bytes of payload go on.
    pub(crate) fn on_data<H: Host>(
        &mut self,
        plugin: &Plugin<H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> usize {
        self.heard_downstream |= buffer == Buffer::Downstream;
        if let Reading::Unplaced(status) = self.reading {
            self.fail(plugin, status);
        }
        if self.reads(buffer)
            && let Err(status) = self.resolve_gates(plugin)
        {
            self.fail(plugin, status);
        }
        if self.is_broken() {
            self.end(plugin, buffer, end_of_stream);
            self.swallow(plugin, buffer, size);
            0
        } else if self.reads(buffer) {
            self.read(plugin, buffer, size, end_of_stream)
        } else {
            // A server's first bytes may come before the client's handshake is over, and what
            // opens the gates is not to be seen before it is.
            if self.reporter == Reporter::Source || plugin.mode() == Mode::On {
                // If it fails, the direction that is read tries again.
                let _ = self.resolve_gates(plugin);
            }
            if size > 0 || end_of_stream {
                self.write(plugin, buffer);
            }
            size
        }
    }

    /// Counts an exchange that the connection's end left open.
    pub(crate) fn on_close<H: Host>(&mut self, plugin: &Plugin<H>) {
        let outcome = match (&self.reading, self.gates) {
            (Reading::Active(reader), _) if reader.is_holding() => Outcome::Truncated,
            (Reading::Active(Reader::Frame(_)) | Reading::Native, None) => Outcome::NotAttempted,
            (Reading::Active(Reader::Frame(_)), Some(gates)) => gates.nothing_came(),
            _ => return,
        };
        plugin.diagnostics().outcome(self.reporter, outcome);
    }

    /// The callback of the upstream's last bytes is over.
    pub(crate) fn on_upstream_end<H: Host>(&mut self, plugin: &Plugin<H>) {
        if matches!(self.reading, Reading::BrokenAtEnd) {
            self.reading = Reading::Broken;
            close(plugin);
        }
    }

    /// Whether the peer's frame comes in this direction; ours goes in the other.
    fn reads(&self, buffer: Buffer) -> bool {
        match self.reporter {
            Reporter::Source => buffer == Buffer::Upstream,
            Reporter::Destination | Reporter::Waypoint => buffer == Buffer::Downstream,
        }
    }

    fn resolve_gates<H: Host>(&mut self, plugin: &Plugin<H>) -> Result<(), Status> {
        if self.gates.is_some() || self.is_broken() {
            return Ok(());
        }
        let gates = match (plugin.mode(), self.reporter) {
            (Mode::Off, _) => Gates::default(),
            (Mode::On, _) => Gates {
                read: true,
                write: true,
                suppressed: false,
            },
            (Mode::Auto | Mode::Receive, Reporter::Source) => self.source_gates(plugin)?,
            (Mode::Auto | Mode::Receive, Reporter::Destination | Reporter::Waypoint) => Gates {
                read: plugin.attributes().is_mtls()?,
                // Opens when the client's frame is seen.
                ..Gates::default()
            },
        };
        self.gates = Some(gates);
        if !gates.read {
            if !matches!(self.reading, Reading::Native) {
                self.reading = Reading::Done;
            }
            plugin
                .diagnostics()
                .outcome(self.reporter, Outcome::NotAttempted);
        }
        Ok(())
    }

    /// Our metadata goes to a SPIFFE peer that is known to take part, and to nobody else.
    fn source_gates<H: Host>(&mut self, plugin: &Plugin<H>) -> Result<Gates, Status> {
        let attributes = plugin.attributes();
        self.upstream_san = attributes.upstream_uri_san()?;
        let san = self.upstream_san.as_deref();
        let read = san.is_some_and(|san| san.starts_with("spiffe://"));
        if !read || plugin.mode() == Mode::Receive || !plugin.takes_part(&attributes) {
            return Ok(Gates {
                read,
                ..Gates::default()
            });
        }
        let suppressed = plugin.is_refused(&attributes);
        self.probing = true;
        Ok(Gates {
            read,
            write: !suppressed,
            suppressed,
        })
    }

    fn write<H: Host>(&mut self, plugin: &Plugin<H>, buffer: Buffer) {
        if std::mem::replace(&mut self.written, true) {
            return;
        }
        let wrote = self.gates.is_some_and(|gates| gates.write)
            && plugin
                .host()
                .replace_front(buffer, 0, plugin.frame())
                .is_ok();
        self.probing &= wrote;
    }

    fn read<H: Host>(
        &mut self,
        plugin: &Plugin<H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> usize {
        let reader = match &mut self.reading {
            Reading::Done => return size,
            Reading::Native => {
                self.reading = Reading::Done;
                return size;
            }
            Reading::Unplaced(_) | Reading::Broken | Reading::BrokenAtEnd => return 0,
            Reading::Active(reader) => reader,
        };
        let read = match reader.read(plugin.host(), buffer, size, end_of_stream) {
            Ok(read) => read,
            Err(status) => {
                self.fail(plugin, status);
                self.end(plugin, buffer, end_of_stream);
                self.swallow(plugin, buffer, size);
                return 0;
            }
        };
        if read.finished {
            self.reading = Reading::Done;
        }
        if let Some(event) = read.event {
            self.decide(plugin, event, read.payload);
            self.end(plugin, buffer, end_of_stream);
        }
        if read.duplicate {
            plugin
                .diagnostics()
                .outcome(self.reporter, Outcome::Duplicate);
            plugin.warn(|| {
                format!(
                    "{}: a second frame behind the first: two exchange filters are installed",
                    self.name(plugin)
                )
            });
        }
        read.payload
    }

    fn decide<H: Host>(&mut self, plugin: &Plugin<H>, event: Event, payload: usize) {
        let outcome = match event {
            Event::Frame(payload) => match plugin.read(payload) {
                Ok(Some(told)) => {
                    self.told = Some(told);
                    Outcome::Exchanged
                }
                Ok(None) => Outcome::NoMetadata,
                Err(invalid) => {
                    plugin.warn(|| format!("{}: worthless frame: {invalid}", self.name(plugin)));
                    Outcome::Malformed
                }
            },
            Event::Truncated => Outcome::Truncated,
            Event::TooLarge(too_large) => {
                return self.abandon(plugin, Outcome::TooLarge, &too_large);
            }
            Event::Absent => {
                if self.probing && self.written && payload > 0 {
                    plugin.refuse(self.reporter);
                }
                self.gates.unwrap_or_default().nothing_came()
            }
        };
        let seen = matches!(
            outcome,
            Outcome::Exchanged | Outcome::NoMetadata | Outcome::Malformed
        );
        if let Some(gates) = &mut self.gates {
            gates.write |= seen && plugin.mode() == Mode::Auto && self.reporter != Reporter::Source;
        }
        plugin.diagnostics().outcome(self.reporter, outcome);
    }

    /// Closes a broken connection, but not in the callback of the upstream's last bytes: Envoy makes
    /// another one after it, in a context that would be gone, and the SDK panics about that.
    fn end<H: Host>(&mut self, plugin: &Plugin<H>, buffer: Buffer, end_of_stream: bool) {
        if !matches!(self.reading, Reading::Broken) {
            return;
        }
        if buffer == Buffer::Upstream && end_of_stream {
            self.reading = Reading::BrokenAtEnd;
        } else {
            close(plugin);
        }
    }

    /// Whether bytes are left in a buffer that must not go on, so the callback has to hold them.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck
    }

    fn is_broken(&self) -> bool {
        matches!(self.reading, Reading::Broken | Reading::BrokenAtEnd)
    }

    /// Lets nothing of this callback go on.
    fn swallow<H: Host>(&mut self, plugin: &Plugin<H>, buffer: Buffer, size: usize) {
        self.stuck |= plugin.host().replace_front(buffer, size, &[]).is_err();
    }

    /// Gives a connection up because the host does not do what the exchange needs.
    fn fail<H: Host>(&mut self, plugin: &Plugin<H>, status: Status) {
        self.abandon(plugin, Outcome::HostFailure, &Refusal(status));
    }

    /// Gives a connection up whose bytes can no longer be told from a frame's.
    fn abandon<H: Host>(
        &mut self,
        plugin: &Plugin<H>,
        outcome: Outcome,
        reason: &dyn std::fmt::Display,
    ) {
        self.reading = Reading::Broken;
        plugin.diagnostics().outcome(self.reporter, outcome);
        plugin.warn(|| format!("{}: connection closed: {reason}", self.name(plugin)));
    }

    /// The peer's address, for the log.
    fn name<H: Host>(&self, plugin: &Plugin<H>) -> String {
        let path = match self.reporter {
            Reporter::Source => path::UPSTREAM_ADDRESS,
            Reporter::Destination | Reporter::Waypoint => path::SOURCE_ADDRESS,
        };
        plugin
            .attributes()
            .text(path)
            .unwrap_or_else(|| "unknown peer".to_owned())
    }
}

fn close<H: Host>(plugin: &Plugin<H>) {
    if let Err(status) = plugin.host().close_connection() {
        log::error!("the host does not close the connection: {status}");
    }
}

/// What the host refused.
struct Refusal(Status);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the host refuses what the exchange needs: {}", self.0)
    }
}
