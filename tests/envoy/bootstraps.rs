//! The example bootstraps in the supported Envoys.

use std::net::TcpStream;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::testing::Result;
use mesh::{Counts, Mesh, Service};
use mesh::{Scratch, Workload, wasm};
use serde_json::json;

use crate::fixture::{SERVICE, check, round_trip};

/// The oldest and the newest supported release.
const VERSIONS: [&str; 2] = ["1.36.4", "1.40.0"];

// Shows: README.md, "runs on stock Envoy 1.36 to 1.40 with V8"
#[test]
fn the_filter_does_its_work_in_every_supported_envoy() -> Result {
    for version in VERSIONS {
        let scratch = Scratch::new(&format!("envoy-{version}"))?;
        let app = App::start(apps::hello)?;
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
        let mesh = Mesh::builder(&EnvoyBinary::find(Some(version))?, &wasm::build()?)
            .configuration(json!({ "tcp_reporting_duration": "500ms" }))
            .service(service)
            .start(&scratch)?;
        let answer = round_trip(TcpStream::connect(mesh.address(SERVICE)?)?, b"world\n")?;
        assert_eq!(answer, b"hello world\n", "{version}");
        let counts = Counts {
            opened: 1,
            closed: 1,
            received: 6,
            sent: 12,
        };
        for reporter in Reporter::BOTH {
            let labels = mesh.labels(reporter, SERVICE)?;
            check(&mesh, SERVICE, reporter, counts, &labels)?;
        }
    }
    Ok(())
}
