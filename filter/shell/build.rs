//! Links the .wasm without the padding of its addresses.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name, value| env::var(name).is_ok_and(|actual| actual == value);
    // The compiler pads each address and index to five bytes; this option of the linker removes the
    // padding. It does not work with debug information, which names places by their offset.
    if is("CARGO_CFG_TARGET_FAMILY", "wasm") && is("DEBUG", "false") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
