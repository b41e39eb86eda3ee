use super::*;
use crate::host::fake::FakeHost;

const LIFE: Duration = Duration::from_secs(60);

fn server(cluster: &str, address: &str) -> Server {
    Server::new(cluster, address)
}

fn a() -> Server {
    server("outbound|1||a", "10.0.0.1:1")
}

fn take(host: &FakeHost, server: &Server) -> bool {
    Proofs::new(&host, LIFE).take(server)
}

fn record(host: &FakeHost) {
    let recorded = Proofs::new(&host, LIFE).record(&a());
    assert_eq!(recorded, Ok(()));
}

#[test]
fn a_proof_belongs_to_a_cluster_and_an_address() {
    let host = FakeHost::default();
    record(&host);
    assert!(!take(&host, &server("outbound|1||b", "10.0.0.1:1")));
    assert!(!take(&host, &server("outbound|1||a", "10.0.0.1:2")));
    assert!(take(&host, &a()));
}

#[test]
fn a_proof_is_taken_once() {
    let host = FakeHost::default();
    for _ in 0..2 {
        record(&host);
        assert!(take(&host, &a()));
        assert!(!take(&host, &a()));
    }
}

#[test]
fn a_proof_ends() {
    for (seconds, valid) in [(59, true), (60, false), (61, false)] {
        let host = FakeHost::default();
        record(&host);
        host.now.set(Duration::from_secs(seconds));
        assert_eq!(take(&host, &a()), valid, "{seconds}");
    }
}

#[test]
fn a_proof_longer_than_the_configured_life_is_none() {
    let host = FakeHost::default();
    host.now.set(LIFE);
    record(&host);
    host.now.set(Duration::ZERO);
    assert!(!take(&host, &a()), "the clock went back");
}

#[test]
fn a_life_of_zero_proves_nothing() {
    let host = FakeHost::default();
    record(&host);
    assert!(!Proofs::new(&&host, Duration::ZERO).take(&a()));
    assert!(take(&host, &a()));
    let recorded = Proofs::new(&&host, Duration::ZERO).record(&a());
    assert_eq!(recorded, Ok(()));
    assert!(!take(&host, &a()));
}

#[test]
fn a_proof_that_another_vm_took_is_none() {
    let host = FakeHost::default();
    record(&host);
    host.cas_mismatches.set(1);
    assert!(!take(&host, &a()));
}

#[test]
fn a_host_that_fails_has_no_proof() {
    let host = FakeHost::default();
    record(&host);
    for call in 1..=3 {
        let call = host.hostcalls.get() + call;
        host.fail_only.set(Some((call, Status(10))));
        assert!(!take(&host, &a()));
    }
    assert!(take(&host, &a()));
}

#[test]
fn a_server_with_a_name_that_is_too_long_has_no_proof() {
    let host = FakeHost::default();
    for (length, proven) in [(MAX_NAME, true), (MAX_NAME + 1, false)] {
        let server = server(&"a".repeat(length - 2), "b");
        assert_eq!(Proofs::new(&&host, LIFE).record(&server), Ok(()));
        assert_eq!(take(&host, &server), proven);
    }
}

#[test]
fn other_bytes_prove_nothing() {
    let host = FakeHost::default();
    for bytes in [&b"x"[..], &[0; 8], b"01234567outbound|1||", &[0xff; 40]] {
        assert_eq!((&host).set_shared_data(&a().key(), bytes, 0), Ok(()));
        assert!(!take(&host, &a()), "{bytes:?}");
    }
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
