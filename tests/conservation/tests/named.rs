//! Cases that once failed, and cases at the limits.
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

/// The filter closed the connection in the callback of the upstream's last bytes. The next callback
/// was for a deleted context, and the SDK panicked.
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

/// The result was `absent`.
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
fn a_client_without_filter_announces_lengths_around_the_limit() {
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
