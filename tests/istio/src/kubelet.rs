//! The part of the kubelet: runs the containers of pods as the API server has them.
//!
//! A pod has a network namespace. A container has a mount namespace, in which the file system is
//! that of this machine with a layer of its own on top, the files of its image, and the pod's
//! volumes. Images themselves are not used: `image.rs` names the programs that stand for them, and
//! containers of other images are not run. Their place is taken by programs that the caller starts
//! in the pod's network.

pub mod container;
mod environment;
mod fields;
mod image;
mod launch;
mod pod;
mod quantity;
mod spec;
mod status;
mod volumes;

pub use self::launch::Kubelet;
pub use self::pod::Pod;
pub use self::spec::{Container, Metadata, PodSpec};
