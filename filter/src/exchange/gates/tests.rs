use super::*;

const DOWNSTREAM_MTLS: Facts = Facts {
    downstream_mtls: true,
    upstream_spiffe: false,
    upstream_supports_exchange: false,
    upstream_refused: false,
};

const UPSTREAM_SPIFFE: Facts = Facts {
    downstream_mtls: false,
    upstream_spiffe: true,
    upstream_supports_exchange: false,
    upstream_refused: false,
};

const UPSTREAM_SUPPORTS: Facts = Facts {
    upstream_supports_exchange: true,
    ..UPSTREAM_SPIFFE
};

const UPSTREAM_REFUSED: Facts = Facts {
    upstream_refused: true,
    ..UPSTREAM_SUPPORTS
};

const PLAINTEXT: Facts = Facts {
    downstream_mtls: false,
    upstream_spiffe: false,
    upstream_supports_exchange: false,
    upstream_refused: false,
};

/// A host on the allow-list without TLS.
const PLAINTEXT_SUPPORTS: Facts = Facts {
    upstream_supports_exchange: true,
    ..PLAINTEXT
};

#[test]
fn frames_are_read_and_written_according_to_the_table() {
    use Mode::{Auto, Off, On, Receive};
    use Reporter::{Destination, Source, Waypoint};
    use WriteGate::{AfterFrame, Closed, Open, Refused, Unconfirmed};

    for (mode, reporter, facts, read, write) in [
        (Auto, Source, PLAINTEXT, false, Closed),
        (Auto, Source, PLAINTEXT_SUPPORTS, false, Closed),
        (Auto, Source, DOWNSTREAM_MTLS, false, Closed),
        (Auto, Source, UPSTREAM_SPIFFE, true, Closed),
        (Auto, Source, UPSTREAM_SUPPORTS, true, Unconfirmed),
        (Auto, Source, UPSTREAM_REFUSED, true, Refused),
        (Auto, Destination, PLAINTEXT, false, Closed),
        (Auto, Destination, UPSTREAM_SUPPORTS, false, Closed),
        (Auto, Destination, DOWNSTREAM_MTLS, true, AfterFrame),
        (Auto, Waypoint, PLAINTEXT, false, Closed),
        (Auto, Waypoint, UPSTREAM_SUPPORTS, false, Closed),
        (Auto, Waypoint, DOWNSTREAM_MTLS, true, AfterFrame),
        (Receive, Source, PLAINTEXT, false, Closed),
        (Receive, Source, UPSTREAM_SPIFFE, true, Closed),
        (Receive, Source, UPSTREAM_SUPPORTS, true, Closed),
        (Receive, Destination, PLAINTEXT, false, Closed),
        (Receive, Destination, DOWNSTREAM_MTLS, true, Closed),
        (Receive, Waypoint, PLAINTEXT, false, Closed),
        (Receive, Waypoint, DOWNSTREAM_MTLS, true, Closed),
        (On, Source, PLAINTEXT, true, Open),
        (On, Source, UPSTREAM_REFUSED, true, Open),
        (On, Destination, PLAINTEXT, true, Open),
        (On, Waypoint, PLAINTEXT, true, Open),
        (Off, Source, UPSTREAM_SUPPORTS, false, Closed),
        (Off, Destination, DOWNSTREAM_MTLS, false, Closed),
        (Off, Waypoint, DOWNSTREAM_MTLS, false, Closed),
    ] {
        let gates = Gates::decide(mode, reporter, facts);
        assert_eq!(
            gates,
            Gates { read, write },
            "{mode:?} {reporter:?} {facts:?}"
        );
    }
}

#[test]
fn a_frame_of_the_peer_opens_only_the_gate_that_waits_for_it() {
    for (before, after, may_write) in [
        (WriteGate::Closed, WriteGate::Closed, [false, false]),
        (WriteGate::Refused, WriteGate::Refused, [false, false]),
        (WriteGate::AfterFrame, WriteGate::Open, [false, true]),
        (WriteGate::Unconfirmed, WriteGate::Unconfirmed, [true, true]),
        (WriteGate::Open, WriteGate::Open, [true, true]),
    ] {
        let mut gates = Gates {
            read: true,
            write: before,
        };
        let [first, then] = may_write;
        assert_eq!(gates.may_write(), first, "{before:?}");
        gates.frame_read();
        assert_eq!(
            (gates.write, gates.may_write()),
            (after, then),
            "{before:?}"
        );
    }
}
