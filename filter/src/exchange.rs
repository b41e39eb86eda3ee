//! The exchange: reading the peer's frame and writing our own.

mod opening;
mod reader;
pub(crate) mod refused;

pub(crate) use opening::Opening;
