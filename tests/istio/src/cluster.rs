//! A Kubernetes cluster without nodes: etcd, the API server and the controllers, on a bridge in
//! this process's network namespace.

mod kubectl;
mod kubernetes;
mod network;
mod pki;

pub use self::kubectl::Kubectl;
pub(crate) use self::kubectl::{settle, until};
pub use self::kubernetes::Kubernetes;
pub(crate) use self::kubernetes::{API_PORT, NODE};
pub use self::network::{GATEWAY, Host, Network};
