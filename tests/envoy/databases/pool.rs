//! Connections that stay open over many reporting intervals.

use mesh::Scratch;
use mesh::databases::{Mongo, MongoClient};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};

use super::{check_both, mesh};

/// How many scrapes have to show more than the one before.
const INTERVALS: u32 = 4;

/// A driver's pool: what it moves shows with every interval, and its connections stay open.
#[test]
fn a_drivers_pool_is_counted_while_it_is_open() -> Result {
    let scratch = Scratch::new("pool")?;
    let database = Mongo::start(&scratch)?;
    let mesh = mesh("mongodb", 27017, &scratch, database.address())?;
    let mut client = MongoClient::start(&scratch, mesh.address("mongodb")?)?;
    for reporter in Reporter::BOTH {
        let mut last = mesh.reported(reporter, "mongodb")?;
        for _ in 0..INTERVALS {
            last = poll::until("the counts growing", LIMIT, || {
                let now = mesh.reported(reporter, "mongodb")?;
                let grown = now.received > last.received && now.sent > last.sent;
                Ok(if grown {
                    Look::Found(now)
                } else {
                    Look::NotYet(format!("{now:?}"))
                })
            })?;
            client.check()?;
        }
        assert!(last.open() > 0, "{last:?}");
    }
    client.rest()?;
    for reporter in Reporter::BOTH {
        mesh.settled(reporter, "mongodb")?;
        let counts = mesh.reported(reporter, "mongodb")?;
        assert!(counts.open() > 0, "{counts:?}");
    }
    client.finish()?;
    check_both(&mesh, "mongodb")
}
