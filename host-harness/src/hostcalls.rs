//! The host functions of the ABI, one implementation for both back ends.
//!
//! A back end expands [`for_each_hostcall`](crate::abi::for_each_hostcall) into its own glue. The
//! function of the same name in one of the modules below reads the arguments from guest memory and
//! acts on the [`Host`](crate::host::Host).

mod buffers;
mod foreign;
mod guest;
mod http;
mod metrics;
mod plugin;
mod properties;
mod shared_data;
mod streams;

pub(crate) use buffers::*;
pub(crate) use foreign::*;
pub(crate) use guest::{Guest, Word};
pub(crate) use http::*;
pub(crate) use metrics::*;
pub(crate) use plugin::*;
pub(crate) use properties::*;
pub(crate) use shared_data::*;
pub(crate) use streams::*;

use crate::abi::{HostResult, Hostcall, Status};
use crate::fault::Answer;

/// Runs a host function for a guest and returns its status. Capability restrictions and fault
/// injection apply here.
pub(crate) fn run<G: Guest>(
    guest: &mut G,
    call: Hostcall,
    function: impl FnOnce(&mut G) -> HostResult,
) -> Status {
    let name = call.name();
    let allowed = guest.host().sandbox.allows(name);
    let answer = guest.host().sandbox.faults.next(call);
    let result = match answer {
        _ if !allowed => {
            let message = format!("Attempted call to restricted proxy-wasm capability: {name}");
            guest.host().process.logs.error(message);
            Err(Status::InternalFailure)
        }
        Some(Answer::Status(status)) => Err(status.into()),
        Some(Answer::Untouched) => Ok(()),
        Some(Answer::Bytes(bytes)) => {
            guest.host().replacement = Some(bytes.to_vec());
            let result = function(guest);
            let mut host = guest.host();
            if host.replacement.take().is_some() {
                host.sandbox.faults.not_injected();
            }
            result
        }
        None => function(guest),
    };
    let status = result.err().unwrap_or(Status::Ok);
    guest.host().trace.hostcall(call, status);
    status
}
