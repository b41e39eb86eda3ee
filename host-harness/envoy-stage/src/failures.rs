//! What Envoy says about a filter that failed: in its log and in its counters.

use envoy_process::Envoy;
use host_harness::scenario::StageError;
use host_harness::{FailureKind, FilterFailure};

/// The counter of event loops that did not respond for the watchdog's `megamiss_timeout`.
const STUCK: &str = "watchdog_mega_miss";
/// The time after which the watchdog counts an event loop as stuck. Long, as a worker on a busy
/// machine may not run for seconds.
pub(crate) const STUCK_AFTER: &str = "5s";
/// The counter of VMs that `FAIL_RELOAD` could not start again.
const RELOAD_FAILURE: &str = ".vm_reload_failure";

/// Returns the failures of an Envoy's filter so far.
pub(crate) fn of(envoy: &mut Envoy) -> Result<Vec<FilterFailure>, StageError> {
    if let Err(ended) = envoy.check() {
        let failure = FilterFailure::new(FailureKind::Host, "", ended.to_string());
        return Ok(vec![failure]);
    }
    let log = envoy.log_text().map_err(StageError::new)?;
    let mut failures = in_log(&log);
    let counters = "/stats?filter=watchdog_mega_miss%7Cvm_reload_failure";
    match envoy.get(counters) {
        Ok(stats) => failures.extend(in_stats(&stats, &log)),
        // The main thread has a VM too, whose root context has ticks.
        Err(error) => {
            let reason = format!("Envoy's admin interface does not answer: {error}");
            failures.push(FilterFailure::new(FailureKind::Hang, "", reason));
        }
    }
    Ok(failures)
}

/// Whether a filter of one of these Envoys has failed. An Envoy whose log or counters cannot be read
/// counts as one without failures.
pub(crate) fn any<'a>(envoys: impl IntoIterator<Item = &'a mut Envoy>) -> bool {
    let mut all = envoys.into_iter();
    all.any(|envoy| of(envoy).is_ok_and(|failures| !failures.is_empty()))
}

/// The failures in a log. A function that failed in the VM of each thread is one.
pub(crate) fn in_log(log: &str) -> Vec<FilterFailure> {
    let mut failures: Vec<FilterFailure> = Vec::new();
    let mut lines = log.lines().peekable();
    let mut own = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(message) = filter_line(line) {
            own.push(message.to_owned());
        }
        let Some((callback, reason)) = failed_function(line) else {
            continue;
        };
        let mut backtrace = Vec::new();
        while let Some(frame) = lines.next_if(|line| !line.starts_with('[')) {
            if frame.starts_with(' ') {
                backtrace.push(frame.trim().to_owned());
            }
        }
        let is_known = |known: &FilterFailure| known.callback == callback;
        if !failures.iter().any(is_known) {
            let failure = FilterFailure::new(FailureKind::Trap, callback, reason);
            failures.push(failure.backtrace(backtrace).log(&own));
        }
    }
    failures
}

/// The failures in the text of `/stats`.
fn in_stats(stats: &str, log: &str) -> Vec<FilterFailure> {
    let counters = stats.lines().filter_map(|line| line.split_once(": "));
    let counted: Vec<_> = counters
        .filter(|(_, value)| value.trim() != "0")
        .map(|(name, _)| name)
        .collect();
    let own: Vec<_> = log.lines().filter_map(filter_line).collect();
    let mut failures = Vec::new();
    let stuck = counted
        .iter()
        .find(|name| name.starts_with("server.") && name.ends_with(STUCK));
    if let Some(name) = stuck {
        let reason = format!("Envoy's event loop has not responded for {STUCK_AFTER} ({name})");
        failures.push(FilterFailure::new(FailureKind::Hang, "", reason).log(&own));
    }
    if let Some(name) = counted.iter().find(|name| name.ends_with(RELOAD_FAILURE)) {
        let reason = format!("Envoy could not load the filter again ({name})");
        failures.push(FilterFailure::new(FailureKind::Host, "", reason).log(&own));
    }
    failures
}

/// The message of a filter: `[…][wasm] [file:line] wasm log <plugin> <vm>: <message>`. A root context
/// has neither plugin nor VM.
fn filter_line(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("] wasm log")?;
    Some(rest.split_once(": ")?.1)
}

/// The function and the reason: `[…][error][wasm] [file:line] Function: <name> failed: <reason>`.
fn failed_function(line: &str) -> Option<(&str, &str)> {
    let (head, rest) = line.split_once("] Function: ")?;
    if !head.starts_with('[') || head.contains("] wasm log") {
        return None;
    }
    rest.split_once(" failed: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[2026-01-01 00:00:00.000][7][info][wasm] [source/context.cc:1] wasm log: hello: you
[2026-01-01 00:00:00.001][8][info][wasm] [source/context.cc:1] wasm log scenario: a] Function: f failed: x
[2026-01-01 00:00:00.002][8][error][wasm] [source/wasm_vm.cc:38] Function: proxy_on_log failed: Uncaught RuntimeError: unreachable
Proxy-Wasm plugin in-VM backtrace:
  0:  0x5a - deep
  1:  0x6f - proxy_on_log
[2026-01-01 00:00:00.003][9][error][wasm] [source/wasm_vm.cc:38] Function: proxy_on_log failed: Uncaught RuntimeError: unreachable
[2026-01-01 00:00:00.003][9][error][wasm] [source/wasm_vm.cc:38] Function: proxy_on_tick failed: Uncaught RangeError
";

    #[test]
    fn a_log_has_a_failure_for_each_function_with_backtrace_and_last_lines() {
        let [log, tick] = &in_log(LOG)[..] else {
            panic!("{:?}", in_log(LOG));
        };
        assert_eq!(log.callback, "proxy_on_log");
        assert_eq!(log.reason, "Uncaught RuntimeError: unreachable");
        assert_eq!(
            log.backtrace,
            ["0:  0x5a - deep", "1:  0x6f - proxy_on_log"]
        );
        assert_eq!(log.log, ["hello: you", "a] Function: f failed: x"]);
        assert_eq!(
            (tick.callback.as_str(), tick.backtrace.len()),
            ("proxy_on_tick", 0)
        );
    }

    #[test]
    fn counters_tell_a_stuck_worker_and_a_failed_reload() {
        let stats = "server.worker_0.watchdog_mega_miss: 0\nworkers.watchdog_mega_miss: 0\n\
                     wasm.scenario.vm_reload_failure: 0\n";
        assert_eq!(in_stats(stats, LOG), []);
        let kinds = |stats: &str| -> Vec<_> {
            let failures = in_stats(stats, LOG).into_iter();
            failures.map(|failure| failure.kind).collect()
        };
        assert_eq!(
            kinds(&stats.replace("0.watchdog_mega_miss: 0", "0.watchdog_mega_miss: 1")),
            [FailureKind::Hang]
        );
        assert_eq!(
            kinds(&stats.replace("failure: 0", "failure: 2")),
            [FailureKind::Host]
        );
    }
}
