//! The WASI preview 1 functions of Envoy's C++ host.

use wasmtime::{Caller, Error, Linker};

use super::caller::{StoreData, WasmCaller};
use crate::abi::{LogLevel, length};
use crate::hostcalls::Guest;

const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const EXIST: u32 = 20;
const FAULT: u32 = 21;
const INVAL: u32 = 28;
const NOENT: u32 = 44;
const NOSYS: u32 = 52;
const NOTSUP: u32 = 58;

/// Links WASI under both names that toolchains use.
pub(super) fn link(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        link_supported(linker, module)?;
        link_unsupported(linker, module)?;
    }
    Ok(())
}

fn link_supported(linker: &mut Linker<StoreData>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(module, "fd_write", fd_write)?;
    linker.func_wrap(module, "clock_time_get", clock_time_get)?;
    linker.func_wrap(module, "random_get", random_get)?;
    linker.func_wrap(module, "args_get", |_: u32, _: u32| SUCCESS)?;
    linker.func_wrap(
        module,
        "args_sizes_get",
        |mut caller: Caller<'_, StoreData>, count: u32, size: u32| {
            store_sizes(&mut caller, (count, 0), (size, 0))
        },
    )?;
    linker.func_wrap(module, "environ_get", environ_get)?;
    linker.func_wrap(module, "environ_sizes_get", environ_sizes_get)?;
    linker.func_wrap(module, "fd_fdstat_get", fd_fdstat_get)?;
    linker.func_wrap(module, "sched_yield", || SUCCESS)?;
    linker.func_wrap(
        module,
        "clock_res_get",
        |mut caller: Caller<'_, StoreData>, clock: u32, out: u32| {
            if clock > 1 {
                NOTSUP
            } else {
                store(&mut caller, out, &1_u64.to_le_bytes())
            }
        },
    )?;
    linker.func_wrap(module, "proc_exit", |code: u32| -> wasmtime::Result<()> {
        Err(Error::msg(format!("the module called proc_exit({code})")))
    })?;
    Ok(())
}

/// Functions for files and sockets, of which there are none. The signatures of Envoy's `path_link`
/// and `path_symlink` are wrong, so no module can import them. Results are measured.
fn link_unsupported(linker: &mut Linker<StoreData>, module: &str) -> wasmtime::Result<()> {
    macro_rules! link {
        ($($name:ident($($type:ty),*) = $result:ident;)*) => {
            $(linker.func_wrap(module, stringify!($name), |$(_: $type),*| $result)?;)*
        };
    }
    link! {
        fd_advise(u32, u64, u64, u32) = SUCCESS;
        fd_allocate(u32, u64, u64) = BADF;
        fd_close(u32) = SUCCESS;
        fd_datasync(u32) = BADF;
        fd_fdstat_set_flags(u32, u32) = NOSYS;
        fd_fdstat_set_rights(u32, u64, u64) = BADF;
        fd_filestat_get(u32, u32) = BADF;
        fd_filestat_set_size(u32, u64) = BADF;
        fd_filestat_set_times(u32, u64, u64, u32) = BADF;
        fd_pread(u32, u32, u32, u64, u32) = NOSYS;
        fd_prestat_dir_name(u32, u32, u32) = NOSYS;
        fd_prestat_get(u32, u32) = BADF;
        fd_pwrite(u32, u32, u32, u64, u32) = BADF;
        fd_read(u32, u32, u32, u32) = NOSYS;
        fd_readdir(u32, u32, u32, u64, u32) = EXIST;
        fd_renumber(u32, u32) = BADF;
        fd_seek(u32, u64, u32, u32) = SUCCESS;
        fd_sync(u32) = BADF;
        fd_tell(u32, u32) = BADF;
        path_create_directory(u32, u32, u32) = NOTSUP;
        path_filestat_get(u32, u32, u32, u32, u32) = NOTSUP;
        path_filestat_set_times(u32, u32, u32, u32, u64, u64, u32) = NOTSUP;
        path_open(u32, u32, u32, u32, u32, u64, u64, u32, u32) = NOENT;
        path_readlink(u32, u32, u32, u32, u32, u32) = NOTSUP;
        path_remove_directory(u32, u32, u32) = NOTSUP;
        path_rename(u32, u32, u32, u32, u32, u32) = NOTSUP;
        path_unlink_file(u32, u32, u32) = NOTSUP;
        poll_oneoff(u32, u32, u32, u32) = SUCCESS;
        sock_accept(u32, u32, u32) = NOTSUP;
        sock_recv(u32, u32, u32, u32, u32, u32) = NOTSUP;
        sock_send(u32, u32, u32, u32, u32) = NOTSUP;
        sock_shutdown(u32, u32) = NOTSUP;
    }
    Ok(())
}

/// Logs standard output as info and standard error as error, without a trailing newline.
fn fd_write(
    mut caller: Caller<'_, StoreData>,
    file: u32,
    vectors: u32,
    count: u32,
    written: u32,
) -> u32 {
    let level = match file {
        1 => LogLevel::Info,
        2 => LogLevel::Error,
        _ => return BADF,
    };
    let Some(bytes) = gather(&mut WasmCaller(&mut caller), vectors, count) else {
        return FAULT;
    };
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if !bytes.is_empty() {
        let text = String::from_utf8_lossy(&bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        WasmCaller(&mut caller).host().log(level, line);
    }
    store(&mut caller, written, &length.to_le_bytes())
}

fn gather(guest: &mut impl Guest, vectors: u32, count: u32) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for index in 0..count {
        let entry = u64::from(vectors) + u64::from(index) * 8;
        let address = word(guest, entry)?;
        let length = word(guest, entry + 4)?;
        bytes.extend(guest.read(address, length)?);
    }
    Some(bytes)
}

fn word(guest: &mut impl Guest, address: u64) -> Option<u64> {
    let bytes = guest.read(address, 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?).into())
}

/// Returns the time of the virtual clock, as real and as monotonic time.
fn clock_time_get(mut caller: Caller<'_, StoreData>, clock: u32, _: u64, out: u32) -> u32 {
    if clock > 1 {
        return NOTSUP;
    }
    let now = WasmCaller(&mut caller).host().process.clock.now();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    store(&mut caller, out, &nanoseconds.to_le_bytes())
}

/// Returns random bytes, the same in every run.
fn random_get(mut caller: Caller<'_, StoreData>, out: u32, length: u32) -> u32 {
    const LIMIT: u32 = 64 * 1024;
    if length > LIMIT {
        return INVAL;
    }
    let bytes = WasmCaller(&mut caller).host().random.bytes(length as usize);
    store(&mut caller, out, &bytes)
}

/// Standard output and standard error are open for writing; no other file is open.
fn fd_fdstat_get(mut caller: Caller<'_, StoreData>, file: u32, out: u32) -> u32 {
    if file != 1 && file != 2 {
        return BADF;
    }
    let mut stat = [0; 24];
    stat[8] = 64;
    store(&mut caller, out, &stat)
}

/// Writes the VM's environment variables and an array of pointers to them.
fn environ_get(mut caller: Caller<'_, StoreData>, array: u32, buffer: u32) -> u32 {
    let variables: Vec<_> = WasmCaller(&mut caller)
        .host()
        .sandbox
        .environment()
        .collect();
    let (mut array, mut buffer) = (array, buffer);
    for variable in variables {
        let stored = store(&mut caller, array, &buffer.to_le_bytes());
        if stored != SUCCESS {
            return stored;
        }
        let stored = store(&mut caller, buffer, &variable);
        if stored != SUCCESS {
            return stored;
        }
        array = array.wrapping_add(4);
        buffer = buffer.wrapping_add(length(variable.len()));
    }
    SUCCESS
}

fn environ_sizes_get(mut caller: Caller<'_, StoreData>, count: u32, size: u32) -> u32 {
    let variables: Vec<_> = WasmCaller(&mut caller)
        .host()
        .sandbox
        .environment()
        .collect();
    let total = variables.iter().map(Vec::len).sum();
    let sizes = (length(variables.len()), length(total));
    store_sizes(&mut caller, (count, sizes.0), (size, sizes.1))
}

/// Writes two numbers, each to its address.
fn store_sizes(caller: &mut Caller<'_, StoreData>, first: (u32, u32), second: (u32, u32)) -> u32 {
    match store(caller, first.0, &first.1.to_le_bytes()) {
        SUCCESS => store(caller, second.0, &second.1.to_le_bytes()),
        error => error,
    }
}

fn store(caller: &mut Caller<'_, StoreData>, address: u32, bytes: &[u8]) -> u32 {
    match WasmCaller(caller).write(address.into(), bytes) {
        Some(()) => SUCCESS,
        None => FAULT,
    }
}
