//! TLS as the bootstrap's transport sockets say, with rustls.

mod context;
mod facts;
mod schema;
mod verify;

pub(crate) use self::context::{DownstreamTls, UpstreamTls};
pub(crate) use self::facts::facts;
