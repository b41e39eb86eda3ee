//! The end by a signal.

use std::process;

use envoy_process::folder;

/// Removes the folders of this run when the user or the system ends the command. Its Envoys end with
/// it: see [`envoy_process::process::Process`].
pub(crate) fn leave_nothing_behind() {
    // The handler can be set once, and one is enough.
    let _is_set = ctrlc::set_handler(|| {
        folder::remove_all();
        process::exit(EXIT_CODE);
    });
}

/// The code with which a shell reports a program that SIGINT ended.
const EXIT_CODE: i32 = 128 + 2;
