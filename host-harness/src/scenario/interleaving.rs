//! Orders of several actions of two applications.

use std::fmt;

/// The longest interleaving; longer ones are not explored.
const LONGEST: usize = 32;

/// The most orders, or pairs of orders in two proxies, that are examined.
const MOST: u64 = 1 << 16;

/// An event at a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Event {
    /// The first proxy sees the client's next action.
    Client = 0,
    /// The last proxy sees the server's next action.
    Server = 1,
    /// The last proxy sees what the first one has sent next.
    Onward = 2,
    /// The first proxy sees what the last one has sent next.
    Back = 3,
}

/// An order of events at one or two proxies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interleaving {
    /// Two bits for each event, the first one in the lowest.
    events: u64,
    length: usize,
}

impl Interleaving {
    /// All orders of so many actions of client and server in one proxy, or in two: the orders in the
    /// two are independent, except that a proxy sees only what the other has sent.
    pub(super) fn all(clients: usize, servers: usize, proxies: usize) -> Vec<Self> {
        if (clients + servers) * proxies > LONGEST {
            return Vec::new();
        }
        let merged = merge_count(clients, servers);
        if merged.saturating_pow(if proxies < 2 { 1 } else { 2 }) > MOST {
            return Vec::new();
        }
        let merges = merges(clients, servers);
        if proxies < 2 {
            let one = |merge: &Vec<bool>| {
                let events = merge.iter().map(|is_client| match is_client {
                    true => Event::Client,
                    false => Event::Server,
                });
                events.collect()
            };
            return merges.iter().map(one).collect();
        }
        let pairs = merges
            .iter()
            .flat_map(|first| merges.iter().map(move |last| (first, last)));
        pairs
            .filter_map(|(first, last)| schedule(first, last))
            .collect()
    }

    pub(super) fn events(self) -> impl Iterator<Item = Event> {
        (0..self.length).map(move |at| match self.events >> (2 * at) & 3 {
            0 => Event::Client,
            1 => Event::Server,
            2 => Event::Onward,
            _ => Event::Back,
        })
    }
}

impl FromIterator<Event> for Interleaving {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut interleaving = Self {
            events: 0,
            length: 0,
        };
        for event in events {
            interleaving.events |= (event as u64) << (2 * interleaving.length);
            interleaving.length += 1;
        }
        interleaving
    }
}

/// The number of [`merges`]: the binomial coefficient.
fn merge_count(clients: usize, servers: usize) -> u64 {
    let all = (clients + servers) as u64;
    let shorter = clients.min(servers) as u64;
    (1..=shorter).fold(1, |count, at| count * (all + 1 - at) / at)
}

/// All orders of two sequences: whether the next item is of the first one.
fn merges(first: usize, second: usize) -> Vec<Vec<bool>> {
    if first == 0 && second == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (is_first, left) in [(true, first), (false, second)] {
        if left > 0 {
            let rest = match is_first {
                true => merges(first - 1, second),
                false => merges(first, second - 1),
            };
            all.extend(rest.into_iter().map(|rest| {
                let head = std::iter::once(is_first);
                head.chain(rest).collect()
            }));
        }
    }
    all
}

/// The events of two proxies, each in its own order (whether the next is of the client); `None` if
/// a proxy would see what the other has not sent.
fn schedule(first: &[bool], last: &[bool]) -> Option<Interleaving> {
    let (mut at_first, mut at_last) = (first.iter().peekable(), last.iter().peekable());
    let (mut onward, mut back) = (0_usize, 0_usize);
    let mut events = Vec::new();
    while at_first.peek().is_some() || at_last.peek().is_some() {
        let event = match (at_first.peek(), at_last.peek()) {
            (Some(true), _) => Event::Client,
            (Some(false), _) if back > 0 => Event::Back,
            (_, Some(false)) => Event::Server,
            (_, Some(true)) if onward > 0 => Event::Onward,
            _ => return None,
        };
        match event {
            Event::Client => onward += 1,
            Event::Server => back += 1,
            Event::Onward => onward -= 1,
            Event::Back => back -= 1,
        }
        match event {
            Event::Client | Event::Back => at_first.next(),
            Event::Server | Event::Onward => at_last.next(),
        };
        events.push(event);
    }
    Some(events.into_iter().collect())
}

impl fmt::Display for Interleaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.events().map(|event| match event {
            Event::Client => "client",
            Event::Server => "server",
            Event::Onward => "client at the last proxy",
            Event::Back => "server at the first proxy",
        });
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_of_one_proxy_and_of_two_are_counted() {
        assert_eq!(Interleaving::all(2, 1, 1).len(), 3);
        // The three of ClientFirst, ServerFirst and Crossing.
        assert_eq!(Interleaving::all(1, 1, 2).len(), 3);
        // Pairs of positions of the server's action, the one in the first proxy not before.
        assert_eq!(Interleaving::all(2, 1, 2).len(), 6);
        assert_eq!(Interleaving::all(20, 20, 1).len(), 0);
    }

    #[test]
    fn an_interleaving_has_its_events() {
        let events = [Event::Server, Event::Client, Event::Back, Event::Onward];
        let interleaving: Interleaving = events.into_iter().collect();
        assert_eq!(interleaving.events().collect::<Vec<_>>(), events);
    }
}
