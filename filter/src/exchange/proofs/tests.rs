use super::*;
use crate::host::fake::FakeHost;

const LIFE: Duration = Duration::from_secs(60);

fn server(cluster: &str, address: &str) -> Server {
    Server::new(cluster, address)
}

fn a() -> Server {
    server("outbound|1||a", "10.0.0.1:1")
}

fn take(host: &FakeHost, server: Server) -> Option<Taken> {
    Proofs::new(&host, LIFE).take(server)
}

/// A frame comes on a connection that opens now.
fn record(host: &FakeHost) {
    record_since(host, host.now.get());
}

fn record_since(host: &FakeHost, opened_at: Duration) {
    let recorded = Proofs::new(&host, LIFE).record(&a(), opened_at);
    assert_eq!(recorded, Ok(()));
}

fn wait(host: &FakeHost, seconds: u64) {
    host.now.set(host.now.get() + Duration::from_secs(seconds));
}

#[test]
fn a_proof_belongs_to_a_cluster_and_an_address() {
    let host = FakeHost::default();
    record(&host);
    assert_eq!(take(&host, server("outbound|1||b", "10.0.0.1:1")), None);
    assert_eq!(take(&host, server("outbound|1||a", "10.0.0.1:2")), None);
    assert!(take(&host, a()).is_some());
}

#[test]
fn a_proof_is_taken_once() {
    let host = FakeHost::default();
    for _ in 0..2 {
        wait(&host, 1);
        record(&host);
        assert!(take(&host, a()).is_some());
        assert_eq!(take(&host, a()), None);
    }
}

/// It shows the server's filter chain before that, which may have changed since.
#[test]
fn a_frame_of_a_connection_that_was_opened_before_the_last_use_proves_nothing() {
    let host = FakeHost::default();
    let opened_at = host.now.get();
    record(&host);
    wait(&host, 1);
    assert!(take(&host, a()).is_some());
    record_since(&host, opened_at);
    assert_eq!(take(&host, a()), None);
    wait(&host, 1);
    record(&host);
    assert!(take(&host, a()).is_some());
}

#[test]
fn the_answer_to_the_last_frame_is_a_proof() {
    let host = FakeHost::default();
    let proofs = |taken: &Taken, opened_at| {
        let recorded = Proofs::new(&&host, LIFE).record_answer(taken, opened_at);
        assert_eq!(recorded, Ok(()));
    };
    let opened_at = host.now.get();
    record(&host);
    wait(&host, 1);
    let first = take(&host, a()).unwrap();
    proofs(&first, opened_at);
    wait(&host, 1);
    let second = take(&host, a()).unwrap();
    assert_ne!(first, second);
    proofs(&first, opened_at);
    assert_eq!(take(&host, a()), None, "an answer to the frame before");
    proofs(&second, opened_at);
    assert!(take(&host, a()).is_some());
}

#[test]
fn a_proof_ends() {
    for (seconds, valid) in [(59, true), (60, false), (61, false)] {
        let host = FakeHost::default();
        record(&host);
        wait(&host, seconds);
        assert_eq!(take(&host, a()).is_some(), valid, "{seconds}");
    }
}

#[test]
fn a_proof_lasts_from_the_opening_of_its_connection() {
    for (seconds, valid) in [(59, true), (60, false)] {
        let host = FakeHost::default();
        wait(&host, seconds);
        record_since(&host, Duration::ZERO);
        assert_eq!(take(&host, a()).is_some(), valid, "{seconds}");
    }
}

#[test]
fn a_proof_longer_than_the_configured_life_is_none() {
    let host = FakeHost::default();
    host.now.set(LIFE);
    record(&host);
    host.now.set(Duration::ZERO);
    assert_eq!(take(&host, a()), None, "the clock went back");
}

#[test]
fn a_life_of_zero_proves_nothing() {
    let host = FakeHost::default();
    record(&host);
    assert_eq!(Proofs::new(&&host, Duration::ZERO).take(a()), None);
    assert!(take(&host, a()).is_some());
    wait(&host, 1);
    let recorded = Proofs::new(&&host, Duration::ZERO).record(&a(), host.now.get());
    assert_eq!(recorded, Ok(()));
    assert_eq!(take(&host, a()), None);
}

#[test]
fn a_proof_that_another_vm_changes_at_the_same_time_is_none() {
    let host = FakeHost::default();
    record(&host);
    host.cas_mismatches.set(1);
    assert_eq!(take(&host, a()), None);
    assert!(take(&host, a()).is_some());
    wait(&host, 1);
    host.cas_mismatches.set(ATTEMPTS as u32);
    record(&host);
    assert_eq!(take(&host, a()), None);
    host.cas_mismatches.set(1);
    record(&host);
    assert!(take(&host, a()).is_some(), "the second attempt");
}

/// Several servers may have one address, and one of them no filter.
#[test]
fn nothing_is_a_proof_for_a_while_after_a_frame_without_an_answer() {
    let host = FakeHost::default();
    record(&host);
    let taken = take(&host, a());
    host.cas_mismatches.set(1);
    assert_eq!(Proofs::new(&&host, LIFE).refuse(&a()), Ok(()));
    wait(&host, LIFE.as_secs());
    record(&host);
    assert_eq!(take(&host, a()), None);
    let opened_at = host.now.get();
    let answered = taken.map(|taken| Proofs::new(&&host, LIFE).record_answer(&taken, opened_at));
    assert_eq!(answered, Some(Ok(())));
    assert_eq!(take(&host, a()), None, "an answer to an older frame");
    wait(&host, 1);
    record(&host);
    assert!(take(&host, a()).is_some());
}

#[test]
fn a_host_that_fails_has_no_proof() {
    let host = FakeHost::default();
    record(&host);
    for call in 1..=3 {
        let call = host.hostcalls.get() + call;
        host.fail_only.set(Some((call, Status(10))));
        assert_eq!(take(&host, a()), None);
    }
    assert!(take(&host, a()).is_some());
}

#[test]
fn a_server_with_a_name_that_is_too_long_has_no_proof() {
    let host = FakeHost::default();
    for (length, proven) in [(MAX_NAME, true), (MAX_NAME + 1, false)] {
        let server = || server(&"a".repeat(length - 2), "b");
        let recorded = Proofs::new(&&host, LIFE).record(&server(), host.now.get());
        assert_eq!(recorded, Ok(()));
        assert_eq!(take(&host, server()).is_some(), proven);
    }
}

#[test]
fn other_bytes_prove_nothing() {
    let host = FakeHost::default();
    for bytes in [
        &b"x"[..],
        &[0; 8],
        b"0123456701234567outbound|1||",
        &[0xff; 40],
    ] {
        assert_eq!((&host).set_shared_data(&a().key(), bytes, 0), Ok(()));
        assert_eq!(take(&host, a()), None, "{bytes:?}");
    }
    record(&host);
    assert!(take(&host, a()).is_some());
}

/// Servers that share a key take it from each other, so few may.
#[test]
fn servers_spread_over_the_keys() {
    let keys: std::collections::BTreeSet<_> = (0..1000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            server("outbound|1||a", &format!("10.0.{high}.{low}:1")).key()
        })
        .collect();
    assert!(keys.len() > 980, "{}", keys.len());
}

/// Modules of two versions share the data of one VM id while one replaces the other.
#[test]
fn the_key_of_a_server_stays_the_same() {
    assert_eq!(a().key(), "tcp_peer_stats.proofs.4f2e");
}
