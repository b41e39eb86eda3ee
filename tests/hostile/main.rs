//! Peers that mean harm, in front of real Envoys.
//!
//! Every case says what a peer sends and what must come of it: the bytes that pass, how the exchange
//! ends, and under which labels the connection is counted. After every case the whole exposition is
//! compared with what all cases so far amount to: a series too many, a label that a peer slipped in
//! or a byte too few is a failure. A bystander talks all the while, and Envoy's memory has a bound.

mod bystander;
mod case;
mod ledger;
mod lengths;
mod memory;
mod metadata;
mod multitude;
mod siege;
mod slow;
mod stream;
mod wire;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;
