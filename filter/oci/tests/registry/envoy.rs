//! The module that an agent pulls, run in real Envoys.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::labels::{CLOSED, METRICS, OPENED, RECEIVED, Reporter, SENT};
use mesh::registry::Access;
use mesh::{Mesh, Service};
use mesh::{Scratch, Workload};

use crate::agent;
use crate::fixture::{PLAIN, Result, name, push, registry};

#[test]
fn the_module_of_each_variant_counts_in_envoy() -> Result {
    let scratch = Scratch::new("oci-envoy")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    for (image, _digest) in push(&PLAIN, &name(&registry, ":1"))? {
        let fetched = agent::fetch(&image, None)?;
        let scratch = Scratch::new(&format!("oci-{}", fetched.variant))?;
        let wasm = scratch.path().join("pulled.wasm");
        fs::write(&wasm, fetched.module)?;
        let app = App::start(apps::echo)?;
        let service = Service::new(Workload::bookinfo("app", "v1"), 7000, app.address());
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm).service(service);
        counts(&mesh.start(&scratch)?)?;
    }
    Ok(())
}

/// Opens one connection with seven bytes in each direction, and checks the metrics of both sides.
fn counts(mesh: &Mesh) -> Result {
    let mut stream = TcpStream::connect(mesh.address("app")?)?;
    stream.write_all(b"payload")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    assert_eq!(answer, b"payload");
    drop(stream);
    for reporter in Reporter::BOTH {
        let metrics = mesh.all_closed(reporter, "app")?;
        let labels = mesh.labels(reporter, "app")?;
        for metric in METRICS {
            let series = metrics.one(metric, &[("reporter", reporter.as_str())])?;
            assert_eq!(series.labels, labels, "{metric} of {reporter}");
            let expected = match metric {
                OPENED | CLOSED => 1.0,
                RECEIVED | SENT => 7.0,
                other => return Err(format!("{other} is new").into()),
            };
            assert_eq!(series.value, expected, "{metric} of {reporter}");
        }
    }
    Ok(())
}
