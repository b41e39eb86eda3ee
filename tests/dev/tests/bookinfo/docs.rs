//! The PromQL queries of the documentation.

use std::fs;

use mesh::prometheus::Prometheus;
use mesh::testing::Result;
use mesh::workspace;

/// The page whose queries must all have a result.
const OBSERVABILITY: &str = "filter/docs/observability.md";
/// Pages whose queries may have no result in a healthy mesh.
const OTHERS: [&str; 2] = ["filter/docs/operations.md", "filter/docs/unknown-labels.md"];

/// The faults of the documentation's queries with the current data.
pub(crate) fn faults(prometheus: &Prometheus) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for query in queries(OBSERVABILITY)? {
        let answer = prometheus.query(&query)?;
        if !answer.iter().any(|series| series.value > 0.0) {
            faults.push(format!("no data: {query}"));
        }
    }
    for document in OTHERS {
        for query in queries(document)? {
            // A query that Prometheus cannot parse is an error.
            prometheus.query(&query)?;
        }
    }
    Ok(faults)
}

pub(crate) fn observability() -> Result<String> {
    Ok(fs::read_to_string(workspace::root().join(OBSERVABILITY))?)
}

/// The queries of a page, one per line, without comments.
fn queries(document: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(workspace::root().join(document))?;
    let blocks = text.split("```promql\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let queries = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(queries.map(str::to_owned).collect())
}

#[test]
fn every_document_has_queries() -> Result {
    assert!(queries(OBSERVABILITY)?.len() >= 10);
    for document in OTHERS {
        assert!(!queries(document)?.is_empty(), "{document}");
    }
    Ok(())
}
