//! Clients whose metadata a recent connection brought.
//!
//! A client writes no frame on its first connection to a server, because it does not know yet that
//! the server reads frames. If such a connection stays open for long, as those of a pool do, its
//! labels would stay incomplete. Another connection from the same IP address with the same principal
//! is the same workload.

use std::cell::Cell;
use std::rc::Rc;

use super::cache::PeerMetadata;
use super::weighted_cache::WeightedCache;

/// After how many reporting intervals without a frame the metadata is not used any more.
const LIFE: u32 = 4;

/// A client: the IP address and the URI SAN of its certificate.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(crate) struct Client {
    ip: String,
    principal: String,
}

/// The metadata of the clients. It is recorded only while a connection needs it, because most
/// connections bring their own.
#[derive(Debug)]
pub(crate) struct KnownClients {
    clients: WeightedCache<Client, KnownClient>,
    /// The reporting interval in which a connection last needed another one's metadata.
    needed: Option<u32>,
}

#[derive(Debug)]
struct KnownClient {
    metadata: Rc<PeerMetadata>,
    /// The reporting interval of the last frame.
    interval: Cell<u32>,
    /// Another frame had other metadata: several workloads share the address, behind a gateway for
    /// example.
    is_ambiguous: Cell<bool>,
}

impl Client {
    /// `address` is an IP address and a port.
    pub(crate) fn new(address: &str, principal: &str) -> Self {
        let ip = address.rsplit_once(':').map_or(address, |(ip, _)| ip);
        Self {
            ip: ip.to_owned(),
            principal: principal.to_owned(),
        }
    }
}

impl KnownClients {
    /// `max_weight`: about how many bytes they take.
    pub(crate) fn new(max_weight: usize) -> Self {
        Self {
            clients: WeightedCache::new(max_weight),
            needed: None,
        }
    }

    /// A connection needs the metadata of another one from the reporting interval `interval` on.
    pub(crate) fn need(&mut self, interval: u32) {
        self.needed = Some(interval);
    }

    /// Whether a connection needs, or recently needed, the metadata of another one.
    pub(crate) fn are_needed(&self, interval: u32) -> bool {
        self.needed
            .is_some_and(|needed| is_recent(needed, interval))
    }

    /// A connection of `client` brought `metadata` in the reporting interval `interval`.
    pub(crate) fn record(&mut self, client: Client, metadata: &Rc<PeerMetadata>, interval: u32) {
        if let Some(known) = self.clients.get(&client)
            && is_recent(known.interval.get(), interval)
        {
            known.interval.set(interval);
            if known.metadata.number != metadata.number {
                known.is_ambiguous.set(true);
            }
            return;
        }
        let known = KnownClient {
            metadata: Rc::clone(metadata),
            interval: Cell::new(interval),
            is_ambiguous: Cell::new(false),
        };
        let weight = metadata
            .weight
            .saturating_add(client.ip.len() + client.principal.len());
        self.clients.insert(client, weight, known);
    }

    /// The metadata of `client`, if all its recent connections brought the same.
    pub(crate) fn find(&self, client: &Client, interval: u32) -> Option<Rc<PeerMetadata>> {
        let known = self.clients.get(client)?;
        (is_recent(known.interval.get(), interval) && !known.is_ambiguous.get())
            .then(|| Rc::clone(&known.metadata))
    }
}

fn is_recent(then: u32, now: u32) -> bool {
    now.wrapping_sub(then) <= LIFE
}

#[cfg(test)]
mod tests {
    use peer_exchange::Metadata;

    use super::*;

    fn metadata(number: u64) -> Rc<PeerMetadata> {
        Rc::new(PeerMetadata {
            is_complete: false,
            number,
            metadata: Metadata::default(),
            weight: 0,
        })
    }

    fn client() -> Client {
        Client::new("10.0.0.1:50000", "spiffe://td/ns/a/sa/b")
    }

    #[test]
    fn a_client_is_known_by_its_ip_address_and_principal() {
        let mut clients = KnownClients::new(1024 * 1024);
        clients.record(client(), &metadata(1), 0);
        let number = |address, principal| {
            let found = clients.find(&Client::new(address, principal), 0);
            found.map(|metadata| metadata.number)
        };
        assert_eq!(number("10.0.0.1:1", "spiffe://td/ns/a/sa/b"), Some(1));
        assert_eq!(number("10.0.0.2:1", "spiffe://td/ns/a/sa/b"), None);
        assert_eq!(number("10.0.0.1:1", "spiffe://td/ns/a/sa/c"), None);
    }

    #[test]
    fn metadata_is_used_for_some_intervals() {
        let mut clients = KnownClients::new(1024 * 1024);
        clients.record(client(), &metadata(1), u32::MAX);
        assert!(clients.find(&client(), LIFE - 1).is_some());
        assert!(clients.find(&client(), LIFE).is_none());
        clients.record(client(), &metadata(1), LIFE - 1);
        assert!(clients.find(&client(), LIFE).is_some());
    }

    #[test]
    fn clients_are_needed_for_some_intervals() {
        let mut clients = KnownClients::new(1024 * 1024);
        assert!(!clients.are_needed(0));
        clients.need(u32::MAX);
        assert!(clients.are_needed(LIFE - 1));
        assert!(!clients.are_needed(LIFE));
    }

    #[test]
    fn several_workloads_behind_one_address_are_unknown() {
        let mut clients = KnownClients::new(1024 * 1024);
        clients.record(client(), &metadata(1), 0);
        clients.record(client(), &metadata(2), 0);
        assert!(clients.find(&client(), 0).is_none());
        clients.record(client(), &metadata(1), 1);
        assert!(clients.find(&client(), 1).is_none());
        clients.record(client(), &metadata(3), LIFE + 2);
        let found = clients.find(&client(), LIFE + 2).expect("the new workload");
        assert_eq!(found.number, 3);
    }
}
