//! Random cases.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::case::{Case, Connection, End, Extra, Host, Mode, Piece, Proxy, Security, Server, Step};
use crate::wire::Payload;

/// Any case.
pub fn case() -> impl Strategy<Value = Case> {
    let security = prop_oneof![
        6 => Just(Security::Mesh),
        1 => Just(Security::Plain),
        1 => Just(Security::Foreign),
        1 => Just(Security::ServerOnly),
    ];
    let host = prop_oneof![3 => Just(Host::Unlisted), 1 => Just(Host::Listed)];
    let workers = prop_oneof![2 => Just(1_usize), 1 => 2_usize..4];
    let connections = vec(connection(), 1..6);
    (security, host, workers, proxy(), proxy(), connections).prop_map(
        |(security, host, workers, outbound, inbound, connections)| Case {
            security,
            host,
            workers,
            outbound,
            inbound,
            connections,
        },
    )
}

fn proxy() -> impl Strategy<Value = Proxy> {
    let mode = prop_oneof![
        7 => Just(Mode::Auto),
        2 => Just(Mode::On),
        1 => Just(Mode::Receive),
        1 => Just(Mode::Off),
    ];
    let extra = prop_oneof![
        4 => Just(Extra::None),
        6 => select(vec![
            Extra::Everything, Extra::Names, Extra::Labels, Extra::Dropped, Extra::OnlyAtClose, Extra::Tight,
        ]),
    ];
    let sizes = (rarely(1_u32..400), option::of(0_u16..4));
    let switches = (
        rarely(Just(())),
        prop::bool::weighted(0.7),
        rarely(Just(())),
        rarely(Just(())),
        any::<bool>(),
        rarely(Just(())),
        prop::bool::weighted(0.7),
    );
    (mode, extra, sizes, switches).prop_map(
        |(
            mode,
            extra,
            (max_frame_bytes, proof_seconds),
            (without, advertise_alpn, excluded, native, keys, legacy, knows_offer),
        )| Proxy {
            filter: without.is_none(),
            mode,
            max_frame_bytes,
            advertise_alpn,
            proof_seconds,
            knows_offer,
            port_excluded: excluded.is_some(),
            native_exchange: native.is_some(),
            exchange_keys: keys,
            legacy: legacy.is_some(),
            extra,
        },
    )
}

fn rarely<S: Strategy>(value: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    option::weighted(0.12, value)
}

fn connection() -> impl Strategy<Value = Connection> {
    let greeting = prop_oneof![4 => Just(Vec::new()), 1 => pieces()];
    let to = prop_oneof![
        8 => Just(Server::First),
        1 => Just(Server::OtherAddress),
        1 => Just(Server::OtherCluster),
    ];
    let replacement = option::weighted(0.25, proxy());
    let switches = (prop::bool::weighted(0.3), any::<bool>());
    (to, replacement, greeting, vec(step(), 0..8), switches).prop_map(
        |(to, replacement, greeting, steps, (overlaps, polite))| Connection {
            to,
            replacement,
            overlaps,
            greeting,
            steps,
            polite,
        },
    )
}

fn end() -> impl Strategy<Value = End> {
    select(vec![End::Client, End::Server])
}

fn step() -> impl Strategy<Value = Step> {
    let chunk = prop_oneof![3 => Just(0), 3 => 1_usize..12, 1 => 12_usize..200];
    let write = (end(), pieces(), chunk, prop::bool::weighted(0.15)).prop_map(
        |(by, pieces, chunk, end)| Step::Write {
            by,
            pieces,
            chunk,
            end,
        },
    );
    let half_close = end().prop_map(|by| Step::Write {
        by,
        pieces: Vec::new(),
        chunk: 0,
        end: true,
    });
    prop_oneof![
        12 => write,
        2 => half_close,
        1 => end().prop_map(Step::Reset),
        4 => prop_oneof![
            20 => 0_u16..2500,
            1 => 20_000_u16..=u16::MAX,
        ].prop_map(Step::Wait),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    vec(piece(), 1..4)
}

fn piece() -> impl Strategy<Value = Piece> {
    let payload = || select(Payload::ALL.to_vec());
    prop_oneof![
        4 => vec(any::<u8>(), 1..20).prop_map(Piece::Bytes),
        1 => (0_u16..2000).prop_map(Piece::Bulk),
        2 => (1_usize..5).prop_map(Piece::Magic),
        1 => (0_u32..80).prop_map(Piece::Header),
        1 => any::<u32>().prop_map(Piece::Header),
        3 => payload().prop_map(Piece::Frame),
        2 => (payload(), 1_usize..170).prop_map(|(payload, length)| Piece::Cut(payload, length)),
    ]
}
