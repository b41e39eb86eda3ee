//! Envoy's `tls_inspector` and its choice of a filter chain.

use crate::config::FilterChain;
use crate::stream::Inspected;
use rustls::server::Acceptor;
use std::rc::Rc;

/// The first byte of a TLS handshake record.
const HANDSHAKE: u8 = 22;
/// Envoy's largest ClientHello.
const MAX_CLIENT_HELLO: usize = 16 * 1024;

/// What the first bytes of a connection say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inspection {
    RawBuffer,
    Tls {
        /// The ALPN protocols that the client offers, in its order.
        alpn: Vec<Vec<u8>>,
    },
}

impl Inspection {
    /// Looks at as many bytes as it takes. `None` if the connection ends before that.
    pub(crate) async fn of(stream: &mut Inspected) -> Option<Self> {
        loop {
            if stream.look().await.ok()? == 0 {
                return None;
            }
            if let Some(inspection) = Self::from_bytes(stream.seen()) {
                return Some(inspection);
            }
        }
    }

    /// `None` while a ClientHello is incomplete.
    fn from_bytes(mut seen: &[u8]) -> Option<Self> {
        if seen.first() != Some(&HANDSHAKE) || seen.len() > MAX_CLIENT_HELLO {
            return Some(Self::RawBuffer);
        }
        let mut acceptor = Acceptor::default();
        while !seen.is_empty() {
            if acceptor.read_tls(&mut seen).is_err() {
                return Some(Self::RawBuffer);
            }
            match acceptor.accept() {
                Ok(Some(accepted)) => {
                    let hello = accepted.client_hello();
                    let names = hello.alpn().into_iter().flatten();
                    let alpn = names.map(<[u8]>::to_vec).collect();
                    return Some(Self::Tls { alpn });
                }
                Ok(None) => {}
                Err(_) => return Some(Self::RawBuffer),
            }
        }
        None
    }

    /// Envoy's order: the transport protocol, exactly or not at all; then the client's ALPN protocols in its order, then
    /// none. There is no way back from a more specific match. Envoy: `FilterChainManagerImpl::findFilterChain`.
    pub(crate) fn choose(&self, chains: &[Rc<FilterChain>]) -> Option<Rc<FilterChain>> {
        let (transport, alpn) = match self {
            Self::RawBuffer => ("raw_buffer", [].as_slice()),
            Self::Tls { alpn } => ("tls", alpn.as_slice()),
        };
        let of = |transport: &str| -> Vec<_> {
            let chains = chains.iter();
            chains
                .filter(|chain| chain.matches.transport_protocol == transport)
                .collect()
        };
        let mut candidates = of(transport);
        if candidates.is_empty() {
            candidates = of("");
        }
        let with = |name: &Vec<u8>| {
            candidates.iter().find(|chain| {
                let mut names = chain.matches.application_protocols.iter();
                names.any(|wanted| wanted.as_bytes() == name)
            })
        };
        let without = || {
            let mut candidates = candidates.iter();
            candidates.find(|chain| chain.matches.application_protocols.is_empty())
        };
        let chosen = alpn.iter().find_map(with).or_else(without);
        chosen.map(|chain| Rc::clone(chain))
    }
}
