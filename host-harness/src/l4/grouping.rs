//! How the next proxy sees what a proxy sends: in one event, or in several.

use std::collections::VecDeque;

use super::segment::{Segment, Toward};

/// How the next proxy sees what a proxy sends. Real Envoys have all of these: it depends on when the
/// second one reads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Grouping {
    /// As the first proxy writes it: bytes and the end of its half are one event, bytes and the
    /// closing of the socket are two.
    #[default]
    AsWritten,
    /// Bytes and the end behind them are two events.
    EndsApart,
    /// All that is in transit is one event.
    Together,
}

impl Grouping {
    /// Adds a segment to the events in transit to a proxy.
    pub(super) fn send(
        self,
        in_transit: &mut VecDeque<(usize, Toward, Segment)>,
        (node, toward, segment): (usize, Toward, Segment),
    ) {
        match (self, segment) {
            (Self::EndsApart, Segment::Data { bytes, end: true }) if !bytes.is_empty() => {
                in_transit.push_back((node, toward, Segment::Data { bytes, end: false }));
                let (bytes, end) = (Vec::new(), true);
                in_transit.push_back((node, toward, Segment::Data { bytes, end }));
            }
            (Self::Together, segment) => {
                let mut latest = in_transit.iter_mut().rev();
                let latest = latest.find(|(to, other, _)| (*to, *other) == (node, toward));
                match (latest, segment) {
                    (
                        Some((_, _, Segment::Data { bytes, end })),
                        Segment::Data {
                            bytes: more,
                            end: last,
                        },
                    ) => {
                        bytes.extend(more);
                        *end |= last;
                    }
                    (Some((_, _, Segment::Data { end, .. })), Segment::Close) => *end = true,
                    (_, segment) => in_transit.push_back((node, toward, segment)),
                }
            }
            (_, segment) => in_transit.push_back((node, toward, segment)),
        }
    }
}
