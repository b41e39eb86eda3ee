//! Databases whose clients ask for TLS inside the connection.

use std::fs;

use mesh::databases::Postgres;
use mesh::labels::{OPENED, Reporter};
use mesh::mesh_ca::MeshCa;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Mesh};
use mesh::{Scratch, available, process};

use super::mesh;

/// Length of the record: header, alert, type, tag.
const CLOSE_NOTIFY: u64 = 5 + 2 + 1 + 16;

/// Eight bytes ask, one byte answers, then comes a handshake: payload to the filter, all of it.
#[test]
fn postgresql_upgrades_to_tls() -> Result {
    let scratch = Scratch::new("postgresql-tls")?;
    let ca = MeshCa::create(&scratch.folder("database-ca")?)?;
    let Some(database) = available(Postgres::start_with_tls(
        &scratch,
        &ca.issue_for_host("localhost")?,
    ))?
    else {
        return Ok(());
    };
    let mesh = mesh("postgresql", 5432, &scratch, database.address())?;
    let root = scratch.path().join("root.pem");
    fs::copy(ca.root(), &root)?;
    let client = |program: &str| -> Result<_> {
        let mut client = database.client(program, mesh.address("postgresql")?);
        client
            .env("PGSSLMODE", "verify-ca")
            .env("PGSSLROOTCERT", &root);
        Ok(client)
    };
    for arguments in [
        ["--initialize", "--scale=1", "--quiet"].as_slice(),
        &[
            "--client=4",
            "--transactions=50",
            "--no-vacuum",
            "--protocol=prepared",
        ],
    ] {
        let mut pgbench = client("pgbench")?;
        process::run("pgbench", {
            pgbench.args(arguments);
            pgbench
        })?;
    }
    let mut ask = client("psql")?;
    ask.args(["--no-align", "--tuples-only", "--command"]);
    ask.arg("select ssl, count(*) from pg_stat_ssl join pg_stat_activity using (pid) where pid = pg_backend_pid() group by ssl; select count(*) from pgbench_history");
    let said = process::run("psql", ask)?;
    assert_eq!(String::from_utf8_lossy(&said.stdout), "t|1\n200\n");
    for reporter in Reporter::BOTH {
        check_all_but_farewells(&mesh, reporter)?;
    }
    Ok(())
}

/// The server answers the end with a `close_notify` that the client does not wait for: whether it
/// passes the sidecar before the client's reset is chance. All else is exact.
fn check_all_but_farewells(mesh: &Mesh, reporter: Reporter) -> Result {
    poll::until("equal counts", LIMIT, || {
        let seen = mesh.seen(reporter, "postgresql")?;
        let reported = mesh.reported(reporter, "postgresql")?;
        let farewells = seen.sent.abs_diff(reported.sent);
        let same = Counts {
            sent: seen.sent,
            ..reported
        } == seen;
        let few = farewells % CLOSE_NOTIFY == 0 && farewells <= CLOSE_NOTIFY * seen.opened;
        Ok(if same && few && seen.opened > 0 && seen.open() == 0 {
            Look::Found(())
        } else {
            Look::NotYet(format!("seen {seen:?}, reported {reported:?}"))
        })
    })?;
    let metrics = mesh.sidecar(reporter, "postgresql")?.metrics()?;
    let opened = metrics.one(OPENED, &[("reporter", reporter.as_str())])?;
    assert_eq!(opened.labels, mesh.labels(reporter, "postgresql")?);
    Ok(())
}
