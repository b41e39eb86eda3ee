//! The `log` facade on top of the host's log.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::host;

struct HostLogger;

/// Sends everything from `info` on to the host.
pub(crate) fn install() {
    // Fails only when a logger is installed already, which is then this one.
    let _ = log::set_logger(&HostLogger);
    log::set_max_level(LevelFilter::Info);
}

impl Log for HostLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            host::log(level(record.level()), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// proxy-wasm's number of a level.
fn level(level: Level) -> u32 {
    match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    }
}
