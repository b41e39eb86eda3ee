//! Cases that once failed, and cases at the limits.
#![allow(clippy::panic, reason = "a failed expectation of a test")]

use End::{Client, Server};
use conservation::{
    Case, Connection, End, Host, Mode, Payload, Piece, Proxy, Security, Server as To, Step,
    play_alone,
};

#[track_caller]
fn holds(case: Case) {
    if let Err(problem) = play_alone(&case) {
        panic!("{problem}");
    }
}

fn connection<const N: usize>(steps: [Step; N]) -> Connection {
    Connection::from(Vec::from(steps))
}

fn query() -> Step {
    Step::write(Client, ["query".into()])
}

/// The filter closed the connection in the callback of the upstream's last bytes. The next callback
/// was for a deleted context, and the SDK panicked.
#[test]
fn an_oversized_frame_comes_with_the_servers_end() {
    let last = Step::write_and_end(Server, [Piece::Header(u32::MAX)]);
    holds(Case {
        inbound: without_filter(),
        ..Case::new([connection([query(), last]), connection([query()])])
    });
}

/// No result was counted.
#[test]
fn no_exchange_is_attempted_beside_a_native_exchange_filter() {
    let beside_native = || Proxy {
        native_exchange: true,
        ..Proxy::default()
    };
    holds(Case {
        outbound: beside_native(),
        inbound: beside_native(),
        ..Case::new([connection([Step::Reset(Client)])])
    });
}

#[test]
fn both_applications_send_bytes_like_frames() {
    let frames = || {
        [
            Piece::Frame(Payload::Metadata),
            Piece::Frame(Payload::Garbage),
            Piece::Magic(3),
        ]
    };
    for (chunk, mode) in [(0, Mode::Auto), (1, Mode::On), (7, Mode::Auto)] {
        let write = |by| Step::Write {
            by,
            pieces: frames().into(),
            chunk,
            end: true,
        };
        let proxy = || Proxy {
            mode,
            ..Proxy::default()
        };
        holds(Case {
            outbound: proxy(),
            inbound: proxy(),
            ..Case::new([connection([write(Client), write(Server)])])
        });
    }
}

#[test]
fn a_client_without_filter_sends_a_frame_cut_at_any_byte() {
    for payload in Payload::ALL {
        for length in 0..payload.frame().len() {
            let cut = Step::write_and_end(Client, [Piece::Cut(payload, length)]);
            holds(Case {
                outbound: without_filter(),
                ..Case::new([connection([cut])])
            });
        }
    }
}

#[test]
fn a_client_without_filter_announces_lengths_around_the_limit() {
    for length in [0, 1, 63, 64, 65, 1 << 16, u32::MAX] {
        let header = Step::write(Client, [Piece::Header(length), Piece::Bulk(100)]);
        holds(Case {
            security: Security::Foreign,
            outbound: without_filter(),
            inbound: Proxy {
                max_frame_bytes: Some(64),
                ..Proxy::default()
            },
            ..Case::new([connection([header])])
        });
    }
}

/// The end of a cut frame and the bytes after it make a field of another wire type. Receivers skip
/// it, but the reference classified the frame as malformed.
#[test]
fn a_cut_frame_ends_in_a_field_of_another_wire_type() {
    let last = vec![25, 0, 0, 0, 0, 0, 0, 0, 0];
    let frame = [Piece::Cut(Payload::Metadata, 165), Piece::Bytes(last)];
    holds(Case {
        outbound: Proxy {
            port_excluded: true,
            ..Proxy::default()
        },
        ..Case::new([connection([Step::write(Client, frame)])])
    });
}

/// The end of a cut frame and the bytes after it make a varint of more than 64 bits. Receivers ignore
/// the surplus bits, but the reference classified the frame as malformed.
#[test]
fn a_cut_frame_ends_in_a_varint_of_more_than_64_bits() {
    let last = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    let middle = Piece::Header(0x388a_af80);
    let frame = [
        Piece::Cut(Payload::Metadata, 159),
        middle,
        Piece::Bytes(last),
    ];
    holds(Case::new([connection([Step::write(Client, frame)])]));
}

/// A client whose configuration lists no cluster.
fn unlisted(connections: impl IntoIterator<Item = Connection>) -> Case {
    Case {
        host: Host::Unlisted,
        ..Case::new(connections)
    }
}

fn without_filter() -> Proxy {
    Proxy {
        filter: false,
        ..Proxy::default()
    }
}

/// A query and its answer. The next connection is opened later.
fn exchange() -> Connection {
    connection([
        query(),
        Step::write(Server, ["answer".into()]),
        Step::Wait(1),
    ])
}

fn replaced_by(proxy: Proxy, connection: Connection) -> Connection {
    Connection {
        replacement: Some(proxy),
        ..connection
    }
}

#[test]
fn a_server_loses_its_filter_and_regains_it() {
    for lost in [
        without_filter(),
        Proxy {
            mode: Mode::Off,
            ..Proxy::default()
        },
        Proxy {
            mode: Mode::Receive,
            ..Proxy::default()
        },
    ] {
        holds(unlisted([
            exchange(),
            exchange(),
            replaced_by(lost, exchange()),
            exchange(),
            replaced_by(Proxy::default(), exchange()),
            exchange(),
        ]));
    }
}

#[test]
fn a_server_without_filter_ends_without_an_answer() {
    let ends = Step::write_and_end(Server, []);
    holds(unlisted([
        exchange(),
        replaced_by(without_filter(), connection([query(), ends])),
        connection([query(), Step::Reset(Server)]),
        exchange(),
        exchange(),
    ]));
}

#[test]
fn a_proof_ends() {
    for seconds in [0, 1, 2] {
        for wait in [999, 1_000, 1_001, 1_999, 2_000] {
            let outbound = Proxy {
                proof_seconds: Some(seconds),
                ..Proxy::default()
            };
            let then = |next: Connection| {
                let mut steps = next.steps;
                steps.insert(0, Step::Wait(wait));
                Connection::from(steps)
            };
            holds(Case {
                outbound,
                ..unlisted([
                    exchange(),
                    then(exchange()),
                    then(exchange()),
                    replaced_by(without_filter(), then(exchange())),
                ])
            });
        }
    }
}

#[test]
fn both_sides_speak_at_once() {
    let cut = Step::write(Server, [Piece::Magic(2)]);
    let rest = Step::write(Server, ["answer".into()]);
    for proxy in [Proxy::default(), without_filter()] {
        let at_once = connection([cut.clone(), query(), rest.clone()]);
        holds(unlisted([
            exchange(),
            replaced_by(proxy, at_once),
            exchange(),
            exchange(),
        ]));
    }
}

#[test]
fn a_greeting_without_a_frame_gets_none() {
    let greeted = || Connection {
        greeting: vec!["220 ready".into()],
        ..exchange()
    };
    let offer_unknown = || Proxy {
        knows_offer: false,
        ..Proxy::default()
    };
    for server in [without_filter(), offer_unknown(), Proxy::default()] {
        holds(unlisted([
            greeted(),
            exchange(),
            replaced_by(server, greeted()),
            exchange(),
            greeted(),
        ]));
    }
}

#[test]
fn a_client_that_offers_another_protocol_gets_no_frame_first() {
    holds(Case {
        outbound: Proxy {
            advertise_alpn: false,
            ..Proxy::default()
        },
        ..unlisted([exchange(), exchange()])
    });
}

#[test]
fn a_proof_belongs_to_an_address_and_a_cluster() {
    for to in [To::OtherAddress, To::OtherCluster] {
        let other = Connection { to, ..exchange() };
        holds(unlisted([
            exchange(),
            replaced_by(without_filter(), other.clone()),
            exchange(),
            other,
        ]));
    }
}

#[test]
fn the_vms_of_a_proxy_share_their_proofs() {
    holds(Case {
        workers: 2,
        ..unlisted([
            exchange(),
            exchange(),
            replaced_by(without_filter(), exchange()),
            exchange(),
            exchange(),
        ])
    });
}

/// Connections that the server accepted before it lost its filter show frames afterwards.
#[test]
fn older_connections_do_not_let_a_server_get_a_second_frame() {
    let late = |at_once: &[Step]| Connection {
        overlaps: true,
        ..Connection::from([at_once, &[Step::write(Server, ["answer".into()])]].concat())
    };
    // Opened with the filter; its query and answer come after the loss.
    let older = late(&[Step::Wait(1), Step::Wait(1), Step::Wait(1), query()]);
    let first = connection([Step::Wait(1), Step::Wait(1)]);
    let lost = replaced_by(without_filter(), late(&[query()]));
    holds(unlisted([
        exchange(),
        first,
        older.clone(),
        older,
        lost,
        exchange(),
        exchange(),
    ]));
}

/// Connections that are opened before the server answers the first.
#[test]
fn a_server_that_loses_its_filter_gets_one_frame() {
    let beside = |connection| Connection {
        overlaps: true,
        ..connection
    };
    for lost in [without_filter(), Proxy::default()] {
        let mut connections = vec![exchange(), replaced_by(lost, exchange())];
        connections.extend((0..5).map(|_| beside(exchange())));
        connections.extend([exchange(), exchange()]);
        holds(unlisted(connections));
    }
}
