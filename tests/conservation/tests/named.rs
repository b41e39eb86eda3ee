//! Cases that once were findings, and a few that should never be.
#![allow(clippy::panic, reason = "a failed expectation of a test")]

use End::{Client, Server};
use conservation::{
    Case, Connection, End, Mode, Payload, Piece, Proxy, Security, Step, play_alone,
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

/// The filter closed the connection in the callback of the upstream's last bytes; the callback behind it then met a context that
/// was gone, and the SDK panicked.
#[test]
fn an_oversized_frame_comes_with_the_servers_end() {
    let last = Step::write_and_end(Server, [Piece::Header(u32::MAX)]);
    holds(Case {
        inbound: Proxy {
            filter: false,
            ..Proxy::default()
        },
        ..Case::new([connection([query(), last]), connection([query()])])
    });
}

/// No outcome was counted.
#[test]
fn nothing_happens_beside_a_native_exchange_filter() {
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

/// The outcome was `absent`.
#[test]
fn a_suppressed_exchange_ends_without_an_answer() {
    let answer = Step::write(Server, ["what?".into()]);
    holds(Case {
        inbound: Proxy {
            filter: false,
            ..Proxy::default()
        },
        ..Case::new([
            connection([query(), answer]),
            connection([query(), Step::Reset(Client)]),
        ])
    });
}

#[test]
fn both_applications_talk_in_frames() {
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
fn a_stranger_cuts_a_frame_anywhere() {
    for payload in Payload::ALL {
        for length in 0..payload.frame().len() {
            let cut = Step::write_and_end(Client, [Piece::Cut(payload, length)]);
            holds(Case {
                outbound: Proxy {
                    filter: false,
                    ..Proxy::default()
                },
                ..Case::new([connection([cut])])
            });
        }
    }
}

#[test]
fn a_stranger_announces_every_length_about_the_cap() {
    for length in [0, 1, 63, 64, 65, 1 << 16, u32::MAX] {
        let header = Step::write(Client, [Piece::Header(length), Piece::Bulk(100)]);
        holds(Case {
            security: Security::Foreign,
            outbound: Proxy {
                filter: false,
                ..Proxy::default()
            },
            inbound: Proxy {
                max_frame_bytes: Some(64),
                ..Proxy::default()
            },
            ..Case::new([connection([header])])
        });
    }
}

/// By chance the bytes behind a cut frame make a value of the wrong wire type of its end: receivers skip it, and the reference
/// called the frame malformed.
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
