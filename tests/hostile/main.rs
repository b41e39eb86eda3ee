//! Hostile peers in front of real Envoys.
//!
//! Every case has the bytes that a peer sends and the expected outcome: the bytes that pass, the
//! results of the exchange, and the labels of the connection. After every case the whole exposition
//! is compared with the sum of all cases so far, so an additional series, an injected label or a
//! missing byte fails the test. Meanwhile a background connection carries traffic, which must not
//! be disturbed, and Envoy's memory has a bound.

mod background;
mod cardinality;
mod case;
mod expected;
mod lengths;
mod memory;
mod metadata;
mod peer;
mod session;
mod slow;
mod stream;
mod wire;
