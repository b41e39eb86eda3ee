//! The same work with and without the filter at either end: the same answers, and every byte
//! counted.

use std::net::SocketAddr;
use std::process::Command;

use mesh::databases::{MariaDb, Postgres, Redis};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::process;
use mesh::testing::{LIMIT, Result};
use mesh::{Filter, Service};
use mesh::{Scratch, Workload, available};
use serde_json::json;

use crate::fixture::{builder, same_bytes};

/// Plays the work without the mesh and through it, with the filter at neither, either and both
/// ends.
fn same_everywhere(
    name: &str,
    database: SocketAddr,
    work: impl Fn(SocketAddr) -> Result<String>,
) -> Result {
    let direct = work(database)?;
    assert!(!direct.is_empty(), "{name} answers nothing");
    // Clients that are installed before their servers only listen.
    let receive = json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "mode": "receive" },
    });
    let listening = Filter::Configured(receive);
    for (client, server) in [
        (Filter::Absent, Filter::Absent),
        (listening, Filter::Absent),
        (Filter::Absent, Filter::Default),
        (Filter::Default, Filter::Default),
    ] {
        let scratch = Scratch::new(&format!("{name}-everywhere"))?;
        let service = Service::new(Workload::bookinfo(name, "v1"), 7000, database);
        let mesh = builder()?
            .client_filter(client.clone())
            .service(service.filter(server.clone()))
            .start(&scratch)?;
        let answers = work(mesh.address(name)?)?;
        assert_eq!(answers, direct, "{name}, {client:?}, {server:?}");
        poll::until("both ends having seen the same", LIMIT, || {
            let [near, far] = Reporter::BOTH.map(|reporter| mesh.seen(reporter, name));
            let (near, far) = (near?, far?);
            Ok(if near == far && near.open() == 0 {
                Look::Found(())
            } else {
                Look::NotYet(format!("{near:?}, {far:?}"))
            })
        })?;
        let ends = [(Reporter::Source, client), (Reporter::Destination, server)];
        for (reporter, filter) in ends {
            if filter != Filter::Absent {
                mesh.settled(reporter, name)?;
            }
        }
        same_bytes(&mesh, name)?;
    }
    Ok(())
}

fn said(name: &str, command: Command) -> Result<String> {
    Ok(String::from_utf8(process::run(name, command)?.stdout)?)
}

/// Simple, prepared and pipelined, with the same random numbers every time.
#[test]
fn postgresql() -> Result {
    let scratch = Scratch::new("postgresql-everywhere")?;
    let database = Postgres::start(&scratch)?;
    let script = scratch.path().join("pipeline.sql");
    std::fs::write(&script, PIPELINE)?;
    same_everywhere("postgresql", database.address(), |address| {
        let bench = |arguments: &[&str]| {
            let mut pgbench = database.client("pgbench", address);
            pgbench.args(arguments);
            process::run("pgbench", pgbench)
        };
        bench(&["--initialize", "--scale=1", "--quiet"])?;
        let load = [
            "--client=4",
            "--transactions=50",
            "--no-vacuum",
            "--random-seed=7",
        ];
        for protocol in ["simple", "extended", "prepared"] {
            bench(&[load.as_slice(), &["--protocol", protocol]].concat())?;
        }
        let file = format!("--file={}", script.display());
        bench(&[load.as_slice(), &["--protocol=prepared", &file]].concat())?;
        Ok(database.query(address, SUMS)?)
    })
}

const PIPELINE: &str = "\\set aid random(1, 100000)
\\startpipeline
insert into pgbench_history (tid, bid, aid, delta) values (1, 1, :aid, 1);
select abalance from pgbench_accounts where aid = :aid;
select repeat('x', 10000);
\\endpipeline
";

const SUMS: &str = "select count(*), sum(abalance) from pgbench_accounts;
select count(*), sum(delta), sum(aid) from pgbench_history;
select repeat('y', 1000000)";

/// Twenty connections that pipeline, and what they left behind.
#[test]
fn redis() -> Result {
    let scratch = Scratch::new("redis-everywhere")?;
    let Some(database) = available(Redis::start(&scratch))? else {
        return Ok(());
    };
    same_everywhere("redis", database.address(), |address| {
        let ask = |arguments: &[&str]| {
            let mut client = database.client("redis-cli", address);
            client.args(arguments);
            said("redis-cli", client)
        };
        let mut load = database.client("redis-benchmark", address);
        // Whole pipelines only: at the end of a broken one the tool drops the answers on their way,
        // and the two ends of the mesh rightly disagree about how many bytes there were.
        load.args(["-q", "-n", "4800", "-c", "20", "-P", "16", "-d", "300"]);
        load.args(["-t", "set,get,incr,lpush,lrange_100"]);
        ask(&["flushall"])?;
        process::run("redis-benchmark", load)?;
        Ok([
            ask(&["dbsize"])?,
            ask(&["llen", "mylist"])?,
            ask(&["lrange", "mylist", "0", "99"])?,
        ]
        .concat())
    })
}

/// The server speaks first.
#[test]
fn mariadb() -> Result {
    let scratch = Scratch::new("mariadb-everywhere")?;
    let Some(database) = available(MariaDb::start(&scratch))? else {
        return Ok(());
    };
    same_everywhere("mariadb", database.address(), |address| {
        let mut answers = String::new();
        for statement in [
            "create or replace database shop",
            "create table shop.orders (id int primary key, note text)",
            "insert into shop.orders select seq, repeat('x', 1000) from shop.seq_1_to_2000",
            "update shop.orders set note = concat(note, id) where id % 7 = 0",
            "select count(*), sum(length(note)), sum(crc32(note)) from shop.orders",
            "select * from shop.orders",
        ] {
            let mut client = database.client("mariadb", address);
            client.args(["--skip-column-names", "--batch", "--execute", statement]);
            answers += &said("mariadb", client)?;
        }
        Ok(answers)
    })
}
