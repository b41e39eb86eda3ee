//! Byte conservation: random cases on two proxies with the filter linked in, compared with a
//! reference that is written from the tables of the documentation and not from the code.
//!
//! A [`Case`] has everything that a run depends on: the transport between the proxies, their
//! configurations, and the events of the two applications. [`play`] plays it step by step on the
//! rig and on the reference. After every chunk both must have delivered the same bytes and ends,
//! and at the end both must have the same counts. Independently of the reference, each application
//! must receive the bytes that the other one sent.
//!
//! `cargo test -p conservation` plays some thousand cases, `cargo run -p conservation -- --cases
//! 1000000` any number.

mod campaign;
mod case;
mod disagreement;
mod generate;
mod invariant;
mod model;
mod play;
mod report;
mod servers;
mod setup;
mod wire;

pub use campaign::{Finding, Problem, Tally, play_alone, play_random};
pub use case::{Case, Connection, End, Extra, Host, Mode, Piece, Proxy, Security, Server, Step};
pub use disagreement::{Bytes, Disagreement};
pub use generate::case;
pub use play::play;
pub use wire::Payload;
