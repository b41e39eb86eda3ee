//! Byte conservation, proven hard: random cases on two proxies with the filter linked in, held against a law and against
//! a reference that was written from the design's tables and not from the code.
//!
//! A [`Case`] is all that a run depends on: what is between the proxies, how each is configured, and what the two
//! applications do. [`play`] plays it, step by step on the rig and on the reference; after every chunk both must have
//! delivered the same bytes and ends, and at the end both must have counted the same. Beside the reference stands the law:
//! what an application sent is what the other one got.
//!
//! `cargo test -p conservation` plays some thousand cases, `cargo run -p conservation -- --cases 1000000` as many as
//! one likes.

mod campaign;
mod case;
mod disagreement;
mod generate;
mod model;
mod play;
mod report;
mod setup;
mod wire;

pub use campaign::{Finding, Problem, Tally, play_alone, play_random};
pub use case::{Case, Connection, End, Extra, Host, Mode, Piece, Proxy, Security, Step};
pub use disagreement::{Bytes, Disagreement};
pub use generate::case;
pub use play::play;
pub use wire::Payload;
