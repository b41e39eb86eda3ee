//! What the applications and the metrics of two sidecars show.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use host_harness::Series;
use host_harness::scenario::{End, Scenario, Side, Stage, StageError, Step};

/// The number of bytes that are shown.
const SHOWN: usize = 100;

/// The first four bytes of a frame.
const MAGIC: [u8; 4] = [0x3d, 0x23, 0x04, 0x67];

/// The observation of a program in one host.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Observation {
    /// After each step: what each application has received so far.
    pub steps: Vec<Vec<String>>,
    /// The filters' metrics at the end.
    pub metrics: Vec<String>,
}

/// Whether the effects of this step are observed. What both applications do at once may come before
/// the handshake of the connection is complete, so nothing waits for that.
pub(super) fn is_observed(scenario: &Scenario, at: usize) -> bool {
    let following = at.checked_add(1).and_then(|next| scenario.steps.get(next));
    !matches!(following, Some(Step::AtOnce(_)))
        || !matches!(scenario.steps.get(at), Some(Step::Connect(_)))
}

/// What each application of these connections has received so far.
pub(super) fn received(
    stage: &mut dyn Stage,
    connections: &[String],
) -> Result<Vec<String>, StageError> {
    let mut lines = Vec::new();
    for connection in connections {
        for end in [End::Client, End::Server] {
            let bytes = without_frames(&stage.received(connection, end)?);
            let ended = match stage.ended(connection, end)? {
                true => ", and the end",
                false => "",
            };
            lines.push(format!(
                "{connection}: the {end} has {}{ended}",
                show(&bytes)
            ));
        }
    }
    Ok(lines)
}

/// The bytes; of many the first ones, the number and a hash.
fn show(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        None => format!("{:?}", bytes.escape_ascii().to_string()),
        Some(first) => {
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            format!(
                "\"{}…\", {} bytes with hash {:x}",
                first.escape_ascii(),
                bytes.len(),
                hasher.finish()
            )
        }
    }
}

/// The filters' series that are not zero, sorted.
pub(super) fn metrics(
    scenario: &Scenario,
    stage: &mut dyn Stage,
) -> Result<Vec<String>, StageError> {
    let mut lines = Vec::new();
    for side in [Side::Outbound, Side::Inbound] {
        if scenario.sidecar(side).is_some_and(|spec| spec.filter) {
            let series = stage.series(side)?;
            lines.extend(series.into_iter().filter_map(|series| line(side, series)));
        }
    }
    lines.sort();
    Ok(lines)
}

fn line(side: Side, mut series: Series) -> Option<String> {
    series.labels.sort();
    let is_own = series.name.starts_with("istio_tcp_") && series.value > 0;
    is_own.then(|| format!("{side}: {series}"))
}

/// The bytes with each frame as `<frame>`: the order of the fields in a frame may differ.
fn without_frames(bytes: &[u8]) -> Vec<u8> {
    let mut rest = bytes;
    let mut shown = Vec::new();
    while let Some(start) = rest.windows(MAGIC.len()).position(|window| window == MAGIC) {
        let (before, frame) = rest.split_at(start);
        let header: Option<[u8; 4]> = frame.get(4..8).and_then(|length| length.try_into().ok());
        let payload = header.map_or(0, u32::from_be_bytes) as usize;
        shown.extend_from_slice(before);
        shown.extend_from_slice(b"<frame>");
        rest = frame.get(8 + payload..).unwrap_or_default();
    }
    shown.extend_from_slice(rest);
    shown
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.steps.iter().zip(1..).last();
        if let Some((step, number)) = step {
            writeln!(f, "  after step {number}")?;
            step.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        self.metrics
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_shown_without_its_content() {
        let bytes = b"a\x3d\x23\x04\x67\0\0\0\x02xyb";
        assert_eq!(without_frames(bytes), b"a<frame>b");
        assert_eq!(without_frames(b"=#b"), b"=#b");
    }
}
