//! Istio's standard labels in every situation.
//!
//! One table a situation, a column a reporter. No value is ever empty: what nobody knows is `unknown`, a revision that
//! nobody knows is `latest`.

mod mesh;
mod nodes;
mod outside;
mod refused;
