//! The checked-in code equals the code that is generated from the `.proto` file.
#![cfg(not(target_arch = "wasm32"))]

mod generate;

#[test]
fn generated_code_is_current() {
    let fresh = tempfile::tempdir().unwrap();
    generate::into(fresh.path()).unwrap();

    let read = |folder: &std::path::Path| std::fs::read(folder.join("peer_exchange.rs")).unwrap();
    assert!(
        read(fresh.path()) == read(&generate::checked_in()),
        "src/generated/ differs from the code for src/peer_exchange.proto: \
         run `cargo run -p peer-exchange --example regenerate`"
    );
}
