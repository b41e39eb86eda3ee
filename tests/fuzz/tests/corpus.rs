//! Every law over its corpus: what the fuzzer found worth keeping, and what once broke a law.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;
use std::path::Path;

use fuzz_laws::LAWS;

#[test]
fn the_laws_hold_for_the_corpus() {
    for (name, law) in LAWS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("targets/corpus")
            .join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            law(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 5, "{inputs} inputs in {}", folder.display());
    }
}
