//! The situations in which instructions are counted.

use std::fmt::{self, Display, Formatter};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::callgrind::{self, Callgrind};
use super::connections::{self, First, WARM_UP};
use super::count::Count;
use super::figures::Instructions;
use crate::bench::{Contestant, Modules};
use crate::soak::{Pair, Setup};
use mesh::error::{Context, Result};
use mesh::{EnvoyBinary, Hop, Scratch};

/// The wait before the count of the filter: six reporting intervals. It defines the metrics of its
/// diagnostics after one. After five it forgets that a connection of the warm-up came without a
/// frame; until then it asks for the client's address on every connection.
const FORGOTTEN: Duration = Duration::from_secs(6 * 15);
/// The wait until both Envoys have closed the last connection.
const REST: Duration = Duration::from_secs(1);

/// The traffic between two sidecars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Situation {
    /// Mutual TLS and the exchange, with a peer that is known.
    MutualTls,
    /// As `MutualTls`; the server writes first.
    ServerFirst,
    /// No TLS.
    Plaintext,
}

impl Situation {
    /// All situations.
    pub const ALL: [Self; 3] = [Self::MutualTls, Self::ServerFirst, Self::Plaintext];

    /// The connection between the two sidecars.
    pub(super) fn hop(self) -> Hop {
        match self {
            Self::MutualTls | Self::ServerFirst => Hop::Mesh,
            Self::Plaintext => Hop::Plaintext,
        }
    }

    fn first(self) -> First {
        match self {
            Self::MutualTls | Self::Plaintext => First::Client,
            Self::ServerFirst => First::Server,
        }
    }

    /// Counts the instructions of this number of connections, by connection, in Envoys with this
    /// number of workers.
    pub(super) fn count(
        self,
        contestant: Contestant,
        binary: &EnvoyBinary,
        modules: &Modules,
        connections: u32,
        workers: u32,
    ) -> Result<Instructions> {
        let scratch = Scratch::new("cost")?;
        let dir = scratch.folder("callgrind")?;
        let counter = Callgrind::new(&dir);
        let binary = counter.wrap(binary)?;
        let (wasm, configuration) = modules.of(contestant);
        let application = connections::serve(self.first())?;
        let pair = Pair::start(
            &binary,
            wasm,
            configuration,
            application,
            Setup {
                workers,
                ..callgrind::setup(self.hop())
            },
        )?;
        let (to, first) = (pair.address(), self.first());
        let what = || "a connection through both sidecars";
        connections::warm_up(WARM_UP * workers, || connections::ask(to, first)).context(what)?;
        thread::sleep(match contestant {
            Contestant::Filter => FORGOTTEN,
            _ => REST,
        });
        let [client, server] = pair.both()?;
        counter.start(client)?;
        counter.start(server)?;
        connections::connect(to, first, connections).context(what)?;
        thread::sleep(REST);
        let each = |counted: Count| counted / i64::from(connections);
        Ok(Instructions {
            client: each(counter.stop(client)?),
            server: each(counter.stop(server)?),
        })
    }
}

impl Display for Situation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MutualTls => "mutual TLS",
            Self::ServerFirst => "mutual TLS, server first",
            Self::Plaintext => "plaintext",
        })
    }
}
