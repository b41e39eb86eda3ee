//! The series: label sets, their metrics, and what the host has not been told yet.

pub(crate) mod diagnostics;
pub(crate) mod extended;
mod pending;
pub(crate) mod selection;
mod table;

pub(crate) use table::{Series, SeriesTable};
