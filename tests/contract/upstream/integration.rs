//! istio/istio's integration tests.

use mesh::Builder;
use mesh::Workload;
use mesh::apps::{self, App};
use mesh::labels::{OPENED, Reporter};
use mesh::testing::Result;

use super::becomes;
use crate::pair::{Pair, greet};

/// Release 1.7, Bookinfo with MongoDB: its query finds one series.
#[test]
fn bookinfos_mongodb_is_found_by_istios_query() -> Result {
    let server = Workload::bookinfo("mongodb", "v1");
    let app = App::start(apps::hello)?;
    let shape = |mesh: Builder, service| mesh.service(service);
    let pair = Pair::between(
        "upstream-mongodb",
        Workload::ratings_v2(),
        server,
        app,
        shape,
    )?;
    greet(pair.connect()?)?;
    let query = [
        ("reporter", "destination"),
        ("request_protocol", "tcp"),
        ("destination_service_name", "mongodb"),
        ("destination_canonical_revision", "v1"),
        ("destination_canonical_service", "mongodb"),
        ("destination_app", "mongodb"),
        ("destination_version", "v1"),
        ("destination_workload_namespace", "default"),
        ("destination_service_namespace", "default"),
        ("source_app", "ratings"),
        ("source_version", "v2"),
        ("source_workload", "ratings-v2"),
        ("source_workload_namespace", "default"),
    ];
    becomes(&pair, Reporter::Destination, OPENED, &query, 1.0)
}
