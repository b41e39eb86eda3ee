//! Every invariant over its corpus: inputs that reach new code, and inputs that once broke an
//! invariant.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::path::Path;

use fuzz::INVARIANTS;

#[test]
fn the_invariants_hold_for_the_corpus() {
    for (name, assert) in INVARIANTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("targets/corpus")
            .join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            assert(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 5, "{inputs} inputs in {}", folder.display());
    }
}
