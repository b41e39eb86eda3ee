//! Links the .wasm without the padding of its addresses.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name, value| env::var(name).is_ok_and(|actual| actual == value);
    // The compiler pads each address and index to five bytes for the linker. The linker keeps the
    // padding, a fifth of the module, unless it is told to remove it. It refuses to do so in a
    // module with debug information, which names places by their offset.
    if is("CARGO_CFG_TARGET_FAMILY", "wasm") && is("DEBUG", "false") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
