//! The checked-in messages are those that the `.proto` file gives.
#![cfg(not(target_arch = "wasm32"))]

mod generate;

#[test]
fn generated_code_is_current() {
    let fresh = tempfile::tempdir().unwrap();
    generate::into(fresh.path()).unwrap();

    let read = |folder: &std::path::Path| std::fs::read(folder.join("peer_exchange.rs")).unwrap();
    assert!(
        read(fresh.path()) == read(&generate::checked_in()),
        "src/generated/ is not what src/peer_exchange.proto gives: \
         run `cargo run -p peer-exchange --example regenerate`"
    );
}
