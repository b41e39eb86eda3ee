//! Real databases behind real sidecars, with their own clients.

mod everywhere;
mod pool;
mod tls;

use mesh::databases::{MariaDb, Postgres, Redis};
use mesh::labels::Reporter;
use mesh::process;
use mesh::testing::Result;
use mesh::{Mesh, Service};
use mesh::{Scratch, Workload, available};

use crate::fixture::{builder, check, same_bytes};

fn mesh(name: &str, port: u16, scratch: &Scratch, database: std::net::SocketAddr) -> Result<Mesh> {
    let service = Service::new(Workload::bookinfo(name, "v1"), port, database);
    Ok(builder()?.service(service).start(scratch)?)
}

/// Both reporters count exactly what the taps saw, under the labels that belong to the situation.
fn check_both(mesh: &Mesh, service: &str) -> Result {
    for reporter in Reporter::BOTH {
        mesh.settled(reporter, service)?;
        let counts = mesh.seen(reporter, service)?;
        assert!(
            counts.opened > 0 && counts.received > 0 && counts.sent > 0,
            "{counts:?}"
        );
        check(
            mesh,
            service,
            reporter,
            counts,
            &mesh.labels(reporter, service)?,
        )?;
    }
    same_bytes(mesh, service)?;
    Ok(())
}

#[test]
fn postgresql_with_pgbench() -> Result {
    let scratch = Scratch::new("postgresql")?;
    let database = Postgres::start(&scratch)?;
    let mesh = mesh("postgresql", 5432, &scratch, database.address())?;
    let address = mesh.address("postgresql")?;

    let mut load = database.client("pgbench", address);
    load.args(["--initialize", "--scale=1", "--quiet"]);
    process::run("pgbench --initialize", load)?;
    let mut run = database.client("pgbench", address);
    run.args(["--client=4", "--transactions=50", "--no-vacuum"]);
    process::run("pgbench", run)?;
    let mut count = database.client("psql", address);
    count.args(["--no-align", "--tuples-only", "--command"]);
    count.arg("select count(*) from pgbench_accounts; select count(*) from pgbench_history");
    let rows = process::run("psql", count)?;
    assert_eq!(String::from_utf8_lossy(&rows.stdout), "100000\n200\n");
    check_both(&mesh, "postgresql")
}

#[test]
fn redis_with_its_benchmark() -> Result {
    let scratch = Scratch::new("redis")?;
    let Some(database) = available(Redis::start(&scratch))? else {
        return Ok(());
    };
    let mesh = mesh("redis", 6379, &scratch, database.address())?;
    let address = mesh.address("redis")?;

    let mut load = database.client("redis-benchmark", address);
    load.args([
        "-q", "-n", "2000", "-c", "20", "-P", "8", "-d", "512", "-t", "set,get",
    ]);
    process::run("redis-benchmark", load)?;
    let mut set = database.client("redis-cli", address);
    set.args(["set", "key", "value"]);
    assert_eq!(
        String::from_utf8_lossy(&process::run("redis-cli", set)?.stdout).trim(),
        "OK"
    );
    let mut get = database.client("redis-cli", address);
    get.args(["get", "key"]);
    assert_eq!(
        String::from_utf8_lossy(&process::run("redis-cli", get)?.stdout).trim(),
        "value"
    );
    check_both(&mesh, "redis")
}

/// MariaDB sends a greeting before its clients send anything.
#[test]
fn mariadb_speaks_first() -> Result {
    let scratch = Scratch::new("mariadb")?;
    let Some(database) = available(MariaDb::start(&scratch))? else {
        return Ok(());
    };
    let mesh = mesh("mariadb", 3306, &scratch, database.address())?;
    let address = mesh.address("mariadb")?;

    for (statement, answer) in [
        (
            "create database shop; create table shop.orders (id int primary key, note text)",
            "",
        ),
        (
            "insert into shop.orders select seq, repeat('x', 1000) from shop.seq_1_to_500",
            "",
        ),
        (
            "select count(*), sum(length(note)) from shop.orders",
            "500\t500000",
        ),
    ] {
        assert_eq!(database.query(address, statement)?, answer, "{statement}");
    }
    // The server's frame precedes the greeting.
    check_both(&mesh, "mariadb")
}
