//! The filter as an OCI image, in the two variants that an Istio agent accepts.
//!
//! [`build`] compiles the filter and writes a reproducible OCI image [`Layout`]: the same commit
//! gives the same bytes on every machine. [`push`] copies a layout into a [`Registry`], byte for
//! byte. [`inspect`] shows the module that an agent would use from a layout or a registry, and
//! [`verify`] checks its signature.
//!
//! `oci-spec`, `oci-client`, `http-auth`, `tar`, `flate2`, `cargo_metadata`, `ring` and `rustls` do
//! most of the work. The modules `registry`, `registry::docker`, `agent`, `sbom` and `signature`
//! state why their part is own code.

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
pub use self::image::{Provenance, Release};
pub use self::inspect::{Inspected, inspect};
pub use self::layout::Layout;
pub use self::module::Module;
pub use self::push::{Pushed, push};
pub use self::registry::{Login, Registry, is_reference};
pub use self::signature::{Key, PublicKey, verify};
pub use self::store::{Manifest, Store};
