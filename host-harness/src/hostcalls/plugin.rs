//! Host functions for logging, time and timers.

use std::time::Duration;

use super::{Guest, Word};
use crate::abi::{HostResult, LogLevel};

pub(crate) fn proxy_log(guest: &mut impl Guest, level: u32, data: Word, size: Word) -> HostResult {
    let message = guest.text(data, size)?;
    let level = LogLevel::try_from(level)?;
    let mut host = guest.host();
    host.trace.detail(|| format!("{level}: {message}"));
    host.log(level, message);
    Ok(())
}

pub(crate) fn proxy_get_log_level(guest: &mut impl Guest, level: Word) -> HostResult {
    guest.put(level, &(LogLevel::Trace as u32).to_le_bytes())
}

pub(crate) fn proxy_get_current_time_nanoseconds(guest: &mut impl Guest, time: Word) -> HostResult {
    let now = guest.host().process.clock.now();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    guest.put(time, &nanoseconds.to_le_bytes())
}

pub(crate) fn proxy_set_tick_period_milliseconds(
    guest: &mut impl Guest,
    period: u32,
) -> HostResult {
    let mut host = guest.host();
    host.trace.detail(|| format!("{period} ms"));
    host.set_tick_period(Duration::from_millis(period.into()))
}

/// The status of the last HTTP or gRPC call: OK without a message, as there are no such calls.
pub(crate) fn proxy_get_status(
    guest: &mut impl Guest,
    code: Word,
    data: Word,
    size: Word,
) -> HostResult {
    guest.put(code, &0_u32.to_le_bytes())?;
    guest.hand_over(&[], data, size)
}
