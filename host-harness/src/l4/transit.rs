//! The events between the hops of a path.

use std::collections::VecDeque;

use super::chances::{Chance, Chances};
use super::segment::{Segment, Toward};

/// An event and its receiver: 0 is the client, then the hops, last the server.
pub(super) type Event = (usize, Toward, Segment);

/// Adds what a proxy has sent to another one.
pub(super) fn send(
    in_transit: &mut VecDeque<Event>,
    late: &mut VecDeque<Event>,
    chances: &Chances,
    (node, toward, segment): Event,
) {
    let mut before = late.iter();
    if before.any(|(to, other, _)| (*to, *other) == (node, toward)) {
        return late.push_back((node, toward, segment));
    }
    let segment = match segment {
        Segment::Reset => return in_transit.push_back((node, toward, Segment::Reset)),
        segment => segment,
    };
    let mut latest = in_transit.iter_mut().rev();
    let latest = latest.find(|(to, other, _)| (*to, *other) == (node, toward));
    if let Some((_, _, Segment::Data { bytes, end })) = latest
        && !*end
        && chances.happens(Chance::Together)
    {
        match segment {
            Segment::Data {
                bytes: more,
                end: last,
            } => {
                bytes.extend(more);
                *end = last;
            }
            Segment::Close | Segment::Reset => *end = true,
        }
        return;
    }
    match segment {
        Segment::Data { bytes, end: true }
            if !bytes.is_empty() && chances.happens(Chance::EndApart) =>
        {
            in_transit.push_back((node, toward, Segment::Data { bytes, end: false }));
            let (bytes, end) = (Vec::new(), true);
            let end = (node, toward, Segment::Data { bytes, end });
            match chances.happens(Chance::EndLate) {
                true => late.push_back(end),
                false => in_transit.push_back(end),
            }
        }
        segment => in_transit.push_back((node, toward, segment)),
    }
}

/// Removes the bytes that are lost if a proxy resets a connection in the event in which it has
/// written them.
pub(super) fn lose_unsent(sent: &mut Vec<(Toward, Segment)>, chances: &Chances) {
    for toward in [Toward::Client, Toward::Server] {
        let has = |is_wanted: fn(&Segment) -> bool| {
            let mut sent = sent.iter();
            sent.any(|(to, segment)| *to == toward && is_wanted(segment))
        };
        let is_data = |segment: &Segment| matches!(segment, Segment::Data { .. });
        if has(|segment| *segment == Segment::Reset)
            && has(is_data)
            && chances.happens(Chance::LoseUnsent)
        {
            sent.retain(|(to, segment)| *to != toward || !is_data(segment));
        }
    }
}
