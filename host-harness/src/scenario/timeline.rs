//! A record of everything that happens in a scenario, in its order.

mod entry;
mod page;
mod record;
mod watched;

pub use entry::{Action, Entry, Timeline};
