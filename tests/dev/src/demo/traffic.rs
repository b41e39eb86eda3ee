//! The traffic of ratings-v2, except to MongoDB.

use std::net::SocketAddr;
use std::time::Duration;

use super::interrupt::Interrupt;
use mesh::databases::{MariaDb, Postgres};
use mesh::error::Result;
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::process;
use mesh::progress::step;
use mesh::report::Check;
use mesh::{Counts, Mesh};

/// The number of times that the demo waits for a report of an open connection.
const INTERVALS: usize = 3;
/// The number of rows that `pgbench --initialize` creates per unit of scale.
const PGBENCH_ROWS: &str = "100000";

/// Runs pgbench through `address`.
pub(super) fn load_postgresql(postgresql: &Postgres, address: SocketAddr) -> Result<Check> {
    step("ratings-v2", "loads postgresql with pgbench");
    let pgbench = |arguments: &[&str]| {
        let mut command = postgresql.client("pgbench", address);
        command.args(arguments);
        process::run("pgbench", command)
    };
    pgbench(&["--initialize", "--quiet"])?;
    let output = pgbench(&["--client=8", "--transactions=50", "--no-vacuum"])?;
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let label = "number of transactions actually processed: ";
    let done = output
        .lines()
        .find_map(|line| line.strip_prefix(label))
        .unwrap_or_default();
    let rows = postgresql.query(address, "select count(*) from pgbench_accounts")?;
    Ok(Check::new(
        "postgresql did all of pgbench's work",
        done == "400/400" && rows == PGBENCH_ROWS,
        format!("{done} transactions, {rows} rows"),
    ))
}

/// Writes and reads ratings through `address`. The server sends first.
pub(super) fn load_mysqldb(mysqldb: &MariaDb, address: SocketAddr) -> Result<Check> {
    step(
        "ratings-v2",
        "writes ratings to mysqldb and reads them back",
    );
    let create = "create or replace table test.ratings (id int primary key, rating int)";
    mysqldb.query(address, "create database if not exists test")?;
    mysqldb.query(address, create)?;
    mysqldb.query(address, "insert into test.ratings values (1, 5), (2, 4)")?;
    let sum = mysqldb.query(address, "select sum(rating) from test.ratings")?;
    Ok(Check::new(
        "mysqldb returned the written ratings",
        sum == "9",
        format!("sum {sum}"),
    ))
}

/// Checks that the counts of a service's open connections grow.
pub(super) fn watch_open_connection(
    mesh: &Mesh,
    service: &str,
    reporting_duration: Duration,
    interrupt: &Interrupt,
) -> Result<Check> {
    step(
        "ratings-v2",
        &format!("continues to read from {service} over its open connections"),
    );
    let mut moves: Vec<Counts> = Vec::new();
    let limit = Duration::from_secs(10) + 10 * reporting_duration;
    let seen = poll::until("the counts of an open connection growing", limit, || {
        interrupt.check()?;
        let now = mesh.reported(Reporter::Destination, service)?;
        if now.open() > 0 && moves.last().is_none_or(|last| last.received < now.received) {
            moves.push(now);
        }
        let received: Vec<_> = moves
            .iter()
            .map(|counts| counts.received.to_string())
            .collect();
        let received = received.join(" → ");
        Ok(if moves.len() > INTERVALS {
            Look::Found(received)
        } else {
            Look::NotYet(received)
        })
    });
    let what = format!("{service}: an open connection is reported before it is closed");
    match seen {
        Ok(received) => Ok(Check::new(what, true, format!("received bytes {received}"))),
        Err(error) if error.is_timeout() => Ok(Check::new(what, false, error.to_string())),
        Err(error) => Err(error),
    }
}
