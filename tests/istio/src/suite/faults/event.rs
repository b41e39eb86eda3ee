//! The events, and what they do to the server's filter.

use fastrand::Rng;

use crate::suite::bench::Mode;

/// What happens. Connections are opened one after another while a configuration changes, while a
/// part of the control plane is away, and while the client learns of other pods; not while a pod or
/// istiod starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Authenticate(Mode),
    FilterLost,
    FilterBack,
    Uninstall,
    PodReplaced,
    PodWithoutFilter,
    IstiodRestarted,
    /// Both proxies refuse listeners whose module is in no file; then they get the right ones.
    ListenerRejected,
    ApiServerAway,
    /// A plugin, in other pods, changes while its registry is away.
    RegistryAway,
    /// A VM of the server fails, and is reloaded.
    VmFailed,
    /// All processors are busy.
    CpuPressure,
}

const EVENTS: [Event; 14] = [
    Event::Authenticate(Mode::Permissive),
    Event::Authenticate(Mode::Strict),
    Event::Authenticate(Mode::Disable),
    Event::FilterLost,
    Event::FilterBack,
    Event::Uninstall,
    Event::PodReplaced,
    Event::PodWithoutFilter,
    Event::IstiodRestarted,
    Event::ListenerRejected,
    Event::ApiServerAway,
    Event::RegistryAway,
    Event::VmFailed,
    Event::CpuPressure,
];

/// What decides whether the server has the filter.
#[derive(Debug)]
pub(super) struct Server {
    /// Whether the EnvoyFilter is there.
    is_configured: bool,
    /// Whether the pod has its label.
    pub(super) has_label: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            is_configured: true,
            has_label: true,
        }
    }
}

impl Server {
    /// Whether an event takes the filter from the server. Another pod has another address, which no
    /// client knows.
    pub(super) fn loses_filter(&mut self, event: Event) -> bool {
        match event {
            Event::FilterLost => {
                let had_filter = self.is_configured && self.has_label;
                self.is_configured = false;
                return had_filter;
            }
            Event::FilterBack | Event::Uninstall | Event::ListenerRejected => {
                self.is_configured = true;
            }
            Event::VmFailed => *self = Self::default(),
            Event::PodReplaced => self.has_label = true,
            Event::PodWithoutFilter => self.has_label = false,
            Event::Authenticate(_)
            | Event::IstiodRestarted
            | Event::ApiServerAway
            | Event::RegistryAway
            | Event::CpuPressure => {}
        }
        false
    }
}

/// Random events.
pub(super) fn random(number: u32, seed: u64) -> impl Iterator<Item = Event> {
    let mut random = Rng::with_seed(seed);
    (0..number).filter_map(move |_| random.choice(EVENTS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Event::{FilterBack, FilterLost, PodWithoutFilter, VmFailed};
    use super::*;
    use crate::suite::{EVENTS as NUMBER, SEED};

    fn losses(events: &[Event]) -> usize {
        let mut server = Server::default();
        let lost = events.iter().filter(|event| server.loses_filter(**event));
        lost.count()
    }

    #[test]
    fn the_default_has_all_events_and_two_losses() {
        let events: Vec<_> = random(NUMBER, SEED).collect();
        assert_eq!(
            events.iter().collect::<BTreeSet<_>>(),
            EVENTS.iter().collect()
        );
        assert_eq!(losses(&events), 2);
    }

    #[test]
    fn a_server_without_the_filter_loses_none() {
        assert_eq!(losses(&[FilterLost, FilterLost]), 1);
        assert_eq!(losses(&[FilterLost, FilterBack, FilterLost]), 2);
        assert_eq!(losses(&[PodWithoutFilter, FilterLost]), 0);
        assert_eq!(losses(&[PodWithoutFilter, VmFailed, FilterLost]), 1);
    }
}
