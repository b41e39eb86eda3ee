//! Istio's standard labels for every kind of connection.
//!
//! One table for each kind, one column for each reporter. No value is empty: an unknown value is
//! `unknown`, an unknown revision is `latest`.

mod mesh;
mod nodes;
mod outside;
mod refused;
