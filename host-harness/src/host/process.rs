//! The state that all VMs of one emulated Envoy share.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::shared_data::SharedData;
use crate::clock::Clock;
use crate::log::Logs;
use crate::profile::Profile;
use crate::property::Value;
use crate::stats::Stats;

/// One emulated Envoy process.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) profile: Profile,
    pub(crate) node: Value,
    pub(crate) clock: Clock,
    pub(crate) stats: RefCell<Stats>,
    pub(crate) shared: RefCell<SharedData>,
    pub(crate) logs: Logs,
    /// The names of the clusters.
    pub(crate) clusters: RefCell<BTreeSet<String>>,
}
