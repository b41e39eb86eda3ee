//! Database servers behind the sidecars.

mod mariadb;
mod mongo;
mod postgres;
mod redis;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::error::{Context, Result};

pub use self::mariadb::MariaDb;
pub use self::mongo::{Mongo, MongoClient};
pub use self::postgres::Postgres;
pub use self::redis::Redis;

/// Returns a loopback address that is free now, for servers that do not support port 0.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .context(|| "cannot find a free port on 127.0.0.1")
}
