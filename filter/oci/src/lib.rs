//! The filter as an OCI image, in the two forms that an Istio agent takes.
//!
//! [`build`] compiles the filter and writes an OCI image [`Layout`] that is the same bit for bit wherever the same commit is
//! built, [`push`] copies it into a [`Registry`] byte by byte, and [`inspect`] says of either what an agent would take
//! from it. Nothing here knows what the filter does.

mod agent;
mod build;
mod cargo;
mod digest;
mod error;
mod image;
mod index;
mod inspect;
mod layer;
mod layout;
mod media_type;
mod module;
mod push;
mod registry;
mod revision;
mod sbom;
mod signature;
mod store;
#[cfg(test)]
mod tests;

pub use self::agent::Variant;
pub use self::build::{Built, Options, Variants, build};
pub use self::error::{Error, Result};
pub use self::image::{Facts, Release};
pub use self::inspect::{Inspected, inspect};
pub use self::layout::Layout;
pub use self::module::Module;
pub use self::push::{Pushed, push};
pub use self::registry::{Login, Registry, is_reference};
pub use self::signature::Key;
pub use self::store::{Manifest, Store};
