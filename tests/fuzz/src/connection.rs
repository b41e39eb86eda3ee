//! Whole connections, on two proxies.

use conservation::{
    Case, Connection, End, Extra, Host, Mode, Payload, Piece, Proxy, Security, Server, Step,
    play_alone,
};

use crate::source::Source;

const MAX_STEPS: usize = 24;

/// For any sequence of events, every byte is conserved and every count is the reference's.
pub fn connection(input: &[u8]) {
    let mut source = Source::new(input);
    let case = Case {
        security: source.one_of(&[
            Security::Mesh,
            Security::Plain,
            Security::Foreign,
            Security::ServerOnly,
        ]),
        host: source.one_of(&[Host::Unlisted, Host::Listed]),
        workers: usize::from(source.byte() % 3) + 1,
        outbound: proxy(&mut source),
        inbound: proxy(&mut source),
        connections: connections(&mut source),
    };
    if let Err(problem) = play_alone(&case) {
        panic!("{problem}");
    }
}

fn proxy(source: &mut Source<'_>) -> Proxy {
    let switches = source.byte();
    let is = |bit: u8| switches & 1 << bit != 0;
    let extras = [
        Extra::None,
        Extra::Everything,
        Extra::Names,
        Extra::Labels,
        Extra::Dropped,
        Extra::OnlyAtClose,
        Extra::Tight,
    ];
    Proxy {
        filter: !is(0),
        advertise_alpn: !is(1),
        port_excluded: is(2),
        native_exchange: is(3),
        exchange_keys: is(4),
        legacy: is(5),
        knows_offer: !is(6),
        mode: source.one_of(&[Mode::Auto, Mode::On, Mode::Receive, Mode::Off]),
        max_frame_bytes: source.maybe(|source| u32::from(source.short()) + 1),
        proof_seconds: source.maybe(|source| source.byte().into()),
        extra: source.one_of(&extras),
    }
}

fn connections(source: &mut Source<'_>) -> Vec<Connection> {
    let mut connections = Vec::new();
    while connections.is_empty() || !source.is_empty() && connections.len() < 3 {
        let to = source.one_of(&[Server::First, Server::OtherAddress, Server::OtherCluster]);
        let replacement = source.maybe(proxy);
        let greeting = source.maybe(pieces).unwrap_or_default();
        let polite = source.yes();
        let overlaps = source.yes();
        let mut steps = Vec::new();
        while !source.is_empty() && steps.len() < MAX_STEPS && source.byte() != 0xff {
            steps.push(step(source));
        }
        connections.push(Connection {
            to,
            replacement,
            overlaps,
            greeting,
            steps,
            polite,
        });
    }
    connections
}

fn step(source: &mut Source<'_>) -> Step {
    let by = source.one_of(&[End::Client, End::Server]);
    match source.byte() % 8 {
        0 => Step::Reset(by),
        1 => Step::Wait(source.short() % 2_500),
        2 => Step::write_and_end(by, []),
        _ => Step::Write {
            by,
            pieces: pieces(source),
            chunk: source.byte().into(),
            end: source.byte() % 8 == 1,
        },
    }
}

fn pieces(source: &mut Source<'_>) -> Vec<Piece> {
    let count = usize::from(source.byte() % 3) + 1;
    (0..count).map(|_| piece(source)).collect()
}

fn piece(source: &mut Source<'_>) -> Piece {
    match source.byte() % 6 {
        0 => {
            let length = source.byte().into();
            Piece::Bytes(source.bytes(length).to_vec())
        }
        1 => Piece::Bulk(source.short() % 4_096),
        2 => Piece::Magic(usize::from(source.byte() % 5)),
        3 => Piece::Header(u32::from(source.short()).rotate_left(source.byte().into())),
        4 => Piece::Frame(source.one_of(&Payload::ALL)),
        _ => Piece::Cut(source.one_of(&Payload::ALL), source.byte().into()),
    }
}
