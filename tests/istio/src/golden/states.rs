//! The installations.

use crate::istiod::Proxy;

/// The value of the label `tcp-peer-stats`, which names a file of `workload/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Exchange,
    Telemetry,
}

/// One installation.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) proxy: Proxy,
    /// The overlay, a TrafficExtension, or nothing.
    pub(super) installed: Installed,
    /// The label of the pods whose configuration is in the file.
    pub(super) label: Label,
    /// The mode of the PeerAuthentication, if it is not PERMISSIVE.
    pub(super) mode: Option<&'static str>,
}

/// What is installed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Installed {
    Nothing,
    Overlay(&'static str),
    /// The TrafficExtension of the component, in the place of the plugin.
    TrafficExtension,
}

const fn state(proxy: Proxy, installed: Installed, label: Label) -> State {
    State {
        proxy,
        installed,
        label,
        mode: None,
    }
}

const fn exchange(proxy: Proxy, overlay: &'static str) -> State {
    state(proxy, Installed::Overlay(overlay), Label::Exchange)
}

const fn telemetry(proxy: Proxy, overlay: &'static str) -> State {
    state(proxy, Installed::Overlay(overlay), Label::Telemetry)
}

const fn nothing(proxy: Proxy) -> State {
    state(proxy, Installed::Nothing, Label::Exchange)
}

const fn extension(proxy: Proxy) -> State {
    state(proxy, Installed::TrafficExtension, Label::Telemetry)
}

const fn under(mode: &'static str, state: State) -> State {
    State {
        mode: Some(mode),
        ..state
    }
}

use Proxy::{Native, Stock};

/// All installations: what the pages recommend for each kind of proxy, and nothing. The Telemetry
/// of the overlays `…-instead-of-native` adds Istio's stats filter, so these need Istio's own proxy.
pub(super) const STATES: &[State] = &[
    nothing(Stock),
    exchange(Stock, "exchange"),
    exchange(Stock, "uninstall"),
    telemetry(Stock, "telemetry-only"),
    extension(Stock),
    under("STRICT", nothing(Stock)),
    under("STRICT", exchange(Stock, "exchange")),
    under("DISABLE", nothing(Stock)),
    under("DISABLE", exchange(Stock, "exchange")),
    nothing(Native),
    exchange(Native, "exchange"),
    exchange(Native, "exchange-instead-of-native"),
    exchange(Native, "uninstall"),
    telemetry(Native, "telemetry-only"),
    telemetry(Native, "telemetry-instead-of-native"),
    extension(Native),
    under("STRICT", nothing(Native)),
    under("STRICT", exchange(Native, "exchange-instead-of-native")),
];

impl State {
    /// The name of the file.
    pub(super) fn file(&self) -> String {
        let proxy = match self.proxy {
            Stock => "stock",
            Native => "native",
        };
        let installed = match self.installed {
            Installed::Nothing => "nothing",
            Installed::Overlay(overlay) => overlay,
            Installed::TrafficExtension => "traffic-extension",
        };
        let mode = self.mode.map(|mode| format!(".{}", mode.to_lowercase()));
        format!("{proxy}.{installed}{}.json", mode.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mesh::workspace;

    use super::*;

    #[test]
    fn every_overlay_has_a_file_of_its_own() {
        let files: BTreeSet<_> = STATES.iter().map(State::file).collect();
        assert_eq!(files.len(), STATES.len());
        let overlays = workspace::root().join("envoy-config/istio/overlays");
        for entry in std::fs::read_dir(overlays).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let file = format!("native.{name}.json");
            assert!(files.contains(&file), "{file}");
        }
    }
}
