use super::*;
use crate::host::fake::FakeHost;

const LIFE: Duration = Duration::from_secs(60);

fn server(cluster: &str, address: &str) -> Server {
    Server::new(cluster, address)
}

fn a() -> Server {
    server("outbound|1||a", "10.0.0.1:1")
}

fn is_fresh(host: &FakeHost, server: Server) -> Option<bool> {
    let found = Proofs::new(&host, LIFE).find(server);
    found.map(|proof| proof.is_fresh)
}

fn record(host: &FakeHost) {
    let recorded = Proofs::new(&host, LIFE).record(&a());
    assert_eq!(recorded, Ok(()));
}

#[test]
fn a_proof_belongs_to_a_cluster_and_an_address() {
    let host = FakeHost::default();
    record(&host);
    assert_eq!(is_fresh(&host, a()), Some(true));
    assert_eq!(is_fresh(&host, server("outbound|1||b", "10.0.0.1:1")), None);
    assert_eq!(is_fresh(&host, server("outbound|1||a", "10.0.0.1:2")), None);
}

#[test]
fn a_proof_ages_and_ends() {
    let host = FakeHost::default();
    record(&host);
    for (seconds, fresh) in [
        (29, Some(true)),
        (30, Some(false)),
        (59, Some(false)),
        (60, None),
    ] {
        host.now.set(Duration::from_secs(seconds));
        assert_eq!(is_fresh(&host, a()), fresh, "{seconds}");
    }
}

#[test]
fn a_proof_longer_than_the_configured_life_is_none() {
    let host = FakeHost::default();
    host.now.set(LIFE);
    record(&host);
    host.now.set(Duration::ZERO);
    assert_eq!(is_fresh(&host, a()), None, "the clock went back");
}

#[test]
fn a_life_of_zero_proves_nothing() {
    let host = FakeHost::default();
    let proofs = |life| Proofs::new(&&host, life).find(a()).is_some();
    record(&host);
    assert!(proofs(LIFE));
    assert!(!proofs(Duration::ZERO));
    let host = FakeHost::default();
    let recorded = Proofs::new(&&host, Duration::ZERO).record(&a());
    assert_eq!(recorded, Ok(()));
    assert_eq!(is_fresh(&host, a()), None);
}

#[test]
fn a_revoked_proof_is_gone_for_all() {
    let host = FakeHost::default();
    record(&host);
    Proofs::new(&&host, LIFE).revoke(&a());
    assert_eq!(is_fresh(&host, a()), None);
}

/// Another VM changes the list between every read and the write.
#[test]
fn a_list_that_always_changes_is_given_up() {
    let host = FakeHost::default();
    host.cas_mismatches.set(1);
    record(&host);
    assert_eq!(is_fresh(&host, a()), Some(true), "a new key has no version");
    host.cas_mismatches.set(ATTEMPTS - 1);
    Proofs::new(&&host, LIFE).revoke(&a());
    assert_eq!(is_fresh(&host, a()), None);
    host.cas_mismatches.set(0);
    record(&host);
    host.cas_mismatches.set(ATTEMPTS);
    Proofs::new(&&host, LIFE).revoke(&a());
    assert_eq!(is_fresh(&host, a()), None, "the whole list");
}

#[test]
fn a_host_that_fails_has_no_proof() {
    let host = FakeHost::default();
    record(&host);
    for call in 1..=2 {
        let call = host.hostcalls.get() + call;
        host.fail_only.set(Some((call, Status(10))));
        assert_eq!(is_fresh(&host, a()), None);
    }
    assert_eq!(is_fresh(&host, a()), Some(true));
}
