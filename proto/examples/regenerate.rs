//! Generates `src/generated/peer_exchange.rs` from `src/peer_exchange.proto`.

#[path = "../tests/generate/mod.rs"]
mod generate;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    generate::into(generate::checked_in())
}
