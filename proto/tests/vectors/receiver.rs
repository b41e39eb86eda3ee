use serde_json::Value as Json;

use crate::check::{FormatError, Mismatch, Verdict, compare, show_bytes};
use crate::fields::Fields;
use crate::json;
use crate::stream::{State, Stream};
use peer_exchange::{HEADER_LEN, MAGIC, Metadata};

/// Vectors shorter than this are split at every position, longer ones near their boundaries and at
/// `STRIDES` places between them.
const ALL_SPLITS_BELOW: usize = 4096;
const STRIDES: usize = 256;

/// The bytes of a vector and their expected result.
struct Expected {
    bytes: Vec<u8>,
    /// The state after the bytes.
    state: State,
    /// The state after the end of the stream; `None` if it does not end.
    end: Option<State>,
    outcome: Outcome,
    steps: Vec<Step>,
}

/// The expected values in a vector. A value that is `None` follows from the state.
#[derive(Default)]
struct Outcome {
    consumed: Option<usize>,
    rest: Option<Vec<u8>>,
    fields: Option<Json>,
    /// The node id; `Some(None)` if the frame has none.
    node_id: Option<Option<String>>,
    /// The peer's label values, without certificates and fallbacks.
    labels: Vec<(String, String)>,
}

struct Step {
    bytes: Vec<u8>,
    state: State,
    released: Option<Vec<u8>>,
}

/// Checks a receiver vector for every split of its bytes.
pub(crate) fn check(vector: &Fields<'_>) -> Verdict {
    Ok(Expected::read(vector)?.check())
}

impl Expected {
    fn read(vector: &Fields<'_>) -> Result<Self, FormatError> {
        let bytes = vector.bytes("hex")?;
        // The result of a decoder that compares prefixes and has a limit. The other fields describe
        // a decoder that does not.
        for field in ["fail_fast", "cap_result"] {
            if let Some(state) = optional_state(vector, field)? {
                let (outcome, steps) = (Outcome::default(), Vec::new());
                return Ok(Self {
                    bytes,
                    state,
                    end: None,
                    outcome,
                    steps,
                });
            }
        }
        let state = state(vector, "expect")?;
        let end = match optional_state(vector, "final")? {
            Some(end) => Some(end),
            None if vector.optional_bool("end_stream")? != Some(true) => None,
            None if state == State::NeedMore => Some(State::Aborted),
            None => Some(state),
        };
        let outcome = Outcome::read(vector)?;
        let steps = vector
            .children("steps")?
            .iter()
            .map(Step::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            bytes,
            state,
            end,
            outcome,
            steps,
        })
    }

    fn check(&self) -> Result<(), Mismatch> {
        self.check_pieces("in one piece", [self.bytes.as_slice()])?;
        self.check_pieces("byte by byte", self.bytes.chunks(1))?;
        for position in self.split_positions() {
            let (head, tail) = self.bytes.split_at_checked(position).unwrap_or_default();
            self.check_pieces(&format!("split at byte {position}"), [head, tail])?;
        }
        self.check_steps()
    }

    fn check_pieces<'a>(
        &self,
        split: &str,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(), Mismatch> {
        let mut stream = Stream::default();
        pieces.into_iter().for_each(|piece| stream.feed(piece));
        compare(
            format!("state, {split}"),
            &self.state,
            &stream.state,
            State::to_string,
        )?;
        if let Some(end) = &self.end {
            stream.end();
            compare(
                format!("state at the end, {split}"),
                end,
                &stream.state,
                State::to_string,
            )?;
        }
        self.check_bytes(split, &stream)?;
        self.outcome.check(split, &stream)
    }

    /// Every byte is either consumed or released.
    fn check_bytes(&self, split: &str, stream: &Stream) -> Result<(), Mismatch> {
        let len = self.bytes.len();
        let consumed = match stream.state {
            State::Ok | State::NoMetadata | State::BadProtobuf => self.frame_len(),
            State::NotMagic => 0,
            State::Aborted if len < HEADER_LEN => 0,
            State::Aborted | State::NeedMore => len,
            State::TooLarge => HEADER_LEN,
        };
        let rest = match stream.state {
            State::TooLarge => &[],
            _ => self.bytes.get(consumed..).unwrap_or_default(),
        };
        compare(
            format!("consumed, {split}"),
            &consumed,
            &stream.consumed,
            usize::to_string,
        )?;
        compare(format!("rest, {split}"), rest, &stream.released, show_bytes)
    }

    fn check_steps(&self) -> Result<(), Mismatch> {
        let mut stream = Stream::default();
        for (index, step) in self.steps.iter().enumerate() {
            stream.feed(&step.bytes);
            let what = format!("state after steps[{index}]");
            compare(what, &step.state, &stream.state, State::to_string)?;
            let released = std::mem::take(&mut stream.released);
            if let Some(expected) = &step.released {
                let what = format!("bytes released by steps[{index}]");
                compare(what, expected.as_slice(), &released, show_bytes)?;
            }
        }
        Ok(())
    }

    fn split_positions(&self) -> Vec<usize> {
        let len = self.bytes.len();
        if len < ALL_SPLITS_BELOW {
            return (0..=len).collect();
        }
        let boundaries = [MAGIC.len(), HEADER_LEN, self.frame_len(), len];
        let near = |boundary: &usize| boundary.saturating_sub(16)..=(boundary + 16).min(len);
        let stride = (0..len).step_by(len / STRIDES);
        stride.chain(boundaries.iter().flat_map(near)).collect()
    }

    /// The length of the frame by its header, header included.
    fn frame_len(&self) -> usize {
        let length = self.bytes.get(MAGIC.len()..HEADER_LEN).unwrap_or_default();
        length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte))
            + HEADER_LEN
    }
}

impl Outcome {
    fn read(vector: &Fields<'_>) -> Result<Self, FormatError> {
        let mut outcome = Self {
            consumed: vector.optional_size("consumed")?,
            rest: vector.optional_bytes("rest_hex")?,
            ..Self::default()
        };
        let Some(decoded) = vector.child("decoded")? else {
            return Ok(outcome);
        };
        if let Some(fields) = decoded.object("struct")? {
            // Converted there and back: all numbers become doubles, as on the wire.
            outcome.fields = Some(json::from_struct(&json::to_struct(fields)));
        }
        if decoded.has("peer_id") {
            outcome.node_id = Some(decoded.optional_string("peer_id")?.map(str::to_owned));
        }
        let peer = decoded.child("peer")?;
        if let Some(labels) = peer.map(|peer| peer.child("modern")).transpose()?.flatten() {
            for name in labels.names() {
                outcome
                    .labels
                    .push((name.clone(), labels.string(name)?.to_owned()));
            }
        }
        Ok(outcome)
    }

    fn check(&self, split: &str, stream: &Stream) -> Result<(), Mismatch> {
        if stream.state == State::NeedMore {
            return Ok(());
        }
        if let Some(consumed) = &self.consumed {
            compare(
                format!("consumed, {split}"),
                consumed,
                &stream.consumed,
                usize::to_string,
            )?;
        }
        if let Some(rest) = &self.rest {
            compare(
                format!("rest, {split}"),
                rest.as_slice(),
                &stream.released,
                show_bytes,
            )?;
        }
        let Some(frame) = &stream.frame else {
            return Ok(());
        };
        if let Some(fields) = &self.fields {
            let got = json::from_struct(&frame.fields);
            compare(format!("struct, {split}"), fields, &got, Json::to_string)?;
        }
        if let Some(node_id) = &self.node_id {
            let got = frame.node_id().map(str::to_owned);
            compare(format!("peer_id, {split}"), node_id, &got, |id| {
                format!("{id:?}")
            })?;
        }
        let metadata = frame.metadata().unwrap_or_default();
        for (name, expected) in &self.labels {
            let got = label(&metadata, name);
            compare(
                format!("label {name}, {split}"),
                expected.as_str(),
                got,
                str::to_owned,
            )?;
        }
        Ok(())
    }
}

impl Step {
    fn read(step: &Fields<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            bytes: step.bytes("feed_hex")?,
            state: state(step, "state")?,
            released: step.optional_bytes("app_bytes_released_hex")?,
        })
    }
}

/// The value of a peer's label, by its name in the files.
fn label<'a>(peer: &'a Metadata, name: &str) -> &'a str {
    let (value, fallback) = match name {
        "workload" => (peer.workload_name.as_str(), "unknown"),
        "workload_namespace_if_no_san" => (peer.namespace.as_str(), "unknown"),
        "app" => (peer.app(), "unknown"),
        "version" => (peer.version(), "unknown"),
        "canonical_service" => (peer.canonical_name(), "unknown"),
        "canonical_revision" => (peer.canonical_revision(), "latest"),
        "cluster" => (peer.cluster_id.as_str(), "unknown"),
        _ => ("", "(no label of that name)"),
    };
    if value.is_empty() { fallback } else { value }
}

fn state(fields: &Fields<'_>, name: &str) -> Result<State, FormatError> {
    fields.required(name, optional_state(fields, name)?)
}

fn optional_state(fields: &Fields<'_>, name: &str) -> Result<Option<State>, FormatError> {
    fields.read(name, State::NAMES, |json| State::named(json.as_str()?))
}
