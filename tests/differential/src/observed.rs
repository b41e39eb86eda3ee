//! Observations of a scenario in a host, which are equal exactly if the hosts behave in the same
//! way.

use std::fmt;

/// The observations of a scenario in one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The connection being opened, then one segment for each step that is not an
    /// [`Advance`](crate::Step::Advance).
    pub segments: Vec<Segment>,
    /// The filter's metrics as `/stats/prometheus` shows them, sorted.
    pub metrics: Vec<String>,
}

/// A step and its effects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The step.
    pub cause: String,
    /// The probe's log: callbacks with their arguments, and the host's answer to every action.
    pub lines: Vec<String>,
    /// The segments that the client application received.
    pub client: Arrived,
    /// The segments that the server application received.
    pub server: Arrived,
}

/// The segments that an application received; none after it closed its socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// A connection was accepted.
    pub connected: bool,
    /// Bytes.
    pub bytes: Vec<u8>,
    /// FIN.
    pub end: bool,
    /// RST.
    pub reset: bool,
}

/// The first difference between two hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The observation in the harness.
    pub harness: String,
    /// The observation in Envoy.
    pub envoy: String,
}

impl Observed {
    /// Returns the first difference between the harness (`self`) and Envoy.
    #[must_use]
    pub fn difference(&self, envoy: &Self) -> Option<Difference> {
        let (ours, theirs) = (self.to_string(), envoy.to_string());
        let mut ours = ours.lines();
        let mut theirs = theirs.lines();
        loop {
            let (harness, envoy) = (ours.next(), theirs.next());
            if harness.is_none() && envoy.is_none() {
                return None;
            }
            if harness != envoy {
                let text = |line: Option<&str>| line.unwrap_or("nothing more").trim().to_owned();
                return Some(Difference {
                    harness: text(harness),
                    envoy: text(envoy),
                });
            }
        }
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            writeln!(f, "{}", segment.cause)?;
            for line in &segment.lines {
                writeln!(f, "  {line}")?;
            }
            segment.client.write(f, "client")?;
            segment.server.write(f, "server")?;
        }
        writeln!(f, "metrics")?;
        self.metrics
            .iter()
            .try_for_each(|metric| writeln!(f, "  {metric}"))
    }
}

impl Arrived {
    fn write(&self, f: &mut fmt::Formatter<'_>, who: &str) -> fmt::Result {
        if self.connected {
            writeln!(f, "  → {who} is connected")?;
        }
        if !self.bytes.is_empty() {
            writeln!(f, "  → {who} receives {}", self.bytes.escape_ascii())?;
        }
        if self.end {
            writeln!(f, "  → {who} sees FIN")?;
        }
        if self.reset {
            writeln!(f, "  → {who} sees RST")?;
        }
        Ok(())
    }
}
