//! Compiled modules in a folder, for the next process.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use wasmtime::{Engine, Module};

/// The environment variable with the folder's path. Without it, nothing is stored.
const FOLDER: &str = "HOST_HARNESS_MODULES";

/// A smaller module compiles in the time that a file takes.
const SMALLEST: usize = 32 << 10;

/// The module of these bytes: read from the folder, or compiled and stored there.
///
/// # Errors
/// The bytes are not a module that wasmtime compiles.
pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Module> {
    let folder = env::var_os(FOLDER).filter(|folder| !folder.is_empty());
    match folder {
        Some(folder) if bytes.len() >= SMALLEST => compile_in(Path::new(&folder), engine, bytes),
        _ => Module::new(engine, bytes),
    }
}

fn compile_in(folder: &Path, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Module> {
    let file = folder.join(name(engine, bytes));
    if let Some(module) = read(&file, engine, bytes) {
        return Ok(module);
    }
    let module = Module::new(engine, bytes)?;
    // Without the file, the next process compiles the module again.
    let _stored = write(&file, bytes, &module.serialize()?);
    Ok(module)
}

fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    bytes.hash(&mut hasher);
    format!("{:016x}.compiled", hasher.finish())
}

/// The stored module. `None`: there is none, it is of other bytes with the same hash, or wasmtime
/// does not accept it.
#[allow(unsafe_code)]
fn read(file: &Path, engine: &Engine, bytes: &[u8]) -> Option<Module> {
    let content = fs::read(file).ok()?;
    let compiled = content.strip_prefix(bytes)?;
    // SAFETY: `write` has stored what wasmtime serialized, in a folder that the user has named for
    // that. wasmtime refuses modules of its other versions and of other configurations.
    unsafe { Module::deserialize(engine, compiled) }.ok()
}

/// Stores the bytes of a module and what they compile to. The file is complete as soon as it has
/// its name: other processes read it.
fn write(file: &Path, bytes: &[u8], compiled: &[u8]) -> io::Result<()> {
    let incomplete: PathBuf = file.with_extension(std::process::id().to_string());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&incomplete, [bytes, compiled].concat())?;
    fs::rename(&incomplete, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that returns a number.
    fn returning(number: u32) -> Vec<u8> {
        let text = format!(r#"(module (func (export "number") (result i32) i32.const {number}))"#);
        text.into_bytes()
    }

    fn number(engine: &Engine, module: &Module) -> i32 {
        let mut store = wasmtime::Store::new(engine, ());
        let instance = wasmtime::Instance::new(&mut store, module, &[]).unwrap();
        let function = instance.get_typed_func::<(), i32>(&mut store, "number");
        function.unwrap().call(&mut store, ()).unwrap()
    }

    fn folder(name: &str) -> PathBuf {
        let folder = format!("host-harness-cache-{name}-{}", std::process::id());
        env::temp_dir().join(folder)
    }

    #[test]
    fn a_stored_module_is_the_one_that_was_compiled() {
        let (folder, engine) = (folder("stored"), Engine::default());
        for bytes in [returning(7), returning(8)] {
            let file = folder.join(name(&engine, &bytes));
            assert!(read(&file, &engine, &bytes).is_none());
            compile_in(&folder, &engine, &bytes).unwrap();
        }
        for expected in [7, 8] {
            let bytes = returning(expected);
            let stored = read(&folder.join(name(&engine, &bytes)), &engine, &bytes);
            assert_eq!(number(&engine, &stored.unwrap()), expected.cast_signed());
        }
        let files = fs::read_dir(&folder).unwrap().count();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(files, 2);
    }

    #[test]
    fn a_file_of_other_bytes_or_without_a_module_is_replaced() {
        let (folder, engine) = (folder("replaced"), Engine::default());
        let bytes = returning(7);
        let file = folder.join(name(&engine, &bytes));
        let other = Module::new(&engine, returning(8)).unwrap();
        let other = [returning(8), other.serialize().unwrap()].concat();
        fs::create_dir_all(&folder).unwrap();
        for content in [other, [bytes.as_slice(), b"nothing"].concat()] {
            fs::write(&file, content).unwrap();
            let module = compile_in(&folder, &engine, &bytes).unwrap();
            assert_eq!(number(&engine, &module), 7);
            assert!(read(&file, &engine, &bytes).is_some());
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
