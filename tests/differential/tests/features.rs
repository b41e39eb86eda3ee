//! The table of features on the page of the harness.

use std::fs;
use std::path::Path;

use differential::with_table;

// Shows: host-harness/README.md, "`cargo differential --features` writes this table"
#[test]
fn the_page_has_the_current_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("host-harness/README.md")).unwrap();
    let current = with_table(&page).expect("the marks of the table");
    assert!(
        page == current,
        "the table of features is old: run `cargo differential --features`"
    );
}
