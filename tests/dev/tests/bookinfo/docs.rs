//! What the documentation tells people to ask Prometheus.

use std::fs;

use mesh::prometheus::Prometheus;
use mesh::testing::Result;
use mesh::workspace;

/// Every query of it shows something.
const OBSERVABILITY: &str = "filter/docs/observability.md";
/// Queries that a mesh which is well may answer with nothing.
const OTHERS: [&str; 2] = ["filter/docs/operations.md", "filter/docs/unknown-labels.md"];

/// What is wrong with what the documentation's queries show now.
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
            // One that Prometheus cannot read is an error.
            prometheus.query(&query)?;
        }
    }
    Ok(faults)
}

pub(crate) fn observability() -> Result<String> {
    Ok(fs::read_to_string(workspace::root().join(OBSERVABILITY))?)
}

/// One a line, but for comments.
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
