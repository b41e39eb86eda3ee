//! `stat_prefix`, `field_separator`, `value_separator`.

use mesh::labels::{METRICS, Reporter};
use mesh::testing::Result;
use serde_json::{Value, json};

use super::{Reported, at_intervals, exchanged};
use crate::pair::{Pair, at, db, web};

/// Late Istio ignores it; Istio 1.7 names the metrics by it, and so does this filter.
#[test]
fn stat_prefix_names_the_metrics() -> Result {
    let reported = Reported::with("prefix", json!({ "stat_prefix": "mesh" }))?;
    for reporter in Reporter::BOTH {
        for metric in METRICS {
            let renamed = metric.replace("istio_", "mesh_");
            assert_eq!(reported.labels(reporter, &renamed)?, &exchanged(reporter));
            assert_eq!(reported.by(reporter).named(metric).count(), 0, "{metric}");
        }
    }
    Ok(())
}

/// With expressions in the bootstrap that fit.
#[test]
fn separators_stand_between_labels_and_values() -> Result {
    let configuration = at_intervals(json!({ "field_separator": "||", "value_separator": "==>" }));
    let pair = Pair::start("separators", |mesh, service| {
        let client = |bootstrap: &mut Value| {
            web(bootstrap);
            extract_otherwise(bootstrap);
        };
        let server = |bootstrap: &mut Value| {
            db(bootstrap);
            extract_otherwise(bootstrap);
        };
        mesh.configuration(configuration)
            .edit_client(client)
            .service(service.edit(server))
    })?;
    Reported::of(pair)?.is_exchanged_but(|_, _, _| {})
}

fn extract_otherwise(bootstrap: &mut Value) {
    let tags = at(bootstrap, "/stats_config/stats_tags").as_array_mut();
    for tag in tags.unwrap() {
        let label = tag["tag_name"].as_str().unwrap();
        tag["regex"] = json!(format!(r"({label}==>(.*?)\|\|)"));
    }
}
