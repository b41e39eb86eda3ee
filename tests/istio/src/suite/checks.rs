//! The table of the checks.

use super::bench::Bench;
use super::{
    control, envoy_gateway, exchange, faults, gateway, killed, lost, manifests, other_clients,
    plugin, pods, rollout, scraping, services, signature, upgrade, walk_through,
};
use crate::error::Result;

/// The files for Envoy Gateway.
pub(super) const ENVOY_GATEWAY: &str = "envoy-gateway";

/// A named check. It returns the counts that it found.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// What of `envoy-config/istio` it is about, or another folder, or [`ENVOY_GATEWAY`].
    pub(super) overlay: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn(&mut Bench<'_>) -> Result<String>,
}

/// All checks, in the order in which they run.
pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "exchange",
        overlay: "overlays/exchange",
        about: "overlays/exchange as installed: every connection counted on both sides, all labels right",
        run: exchange::installed,
    },
    Check {
        name: "exchange-strict",
        overlay: "overlays/exchange",
        about: "the same under a PeerAuthentication STRICT",
        run: exchange::strict,
    },
    Check {
        name: "exchange-disable",
        overlay: "overlays/exchange",
        about: "the same under DISABLE: counted without names, no frame",
        run: exchange::disable,
    },
    Check {
        name: "exchange-permissive-again",
        overlay: "overlays/exchange",
        about: "the same after STRICT and DISABLE",
        run: exchange::permissive_again,
    },
    Check {
        name: "exchange-switched",
        overlay: "overlays/exchange",
        about: "PERMISSIVE, STRICT, DISABLE and back under traffic: no frame at an application",
        run: exchange::switched,
    },
    Check {
        name: "plaintext-client",
        overlay: "overlays/exchange",
        about: "a client outside of the mesh: counted by the server, no frame",
        run: exchange::plaintext,
    },
    Check {
        name: "server-first",
        overlay: "overlays/exchange",
        about: "a server that sends first: complete on both sides from the second connection",
        run: exchange::server_first,
    },
    Check {
        name: "own-tls",
        overlay: "overlays/exchange",
        about: "an application with TLS of its own, through the mesh and from outside: as without",
        run: exchange::own_tls,
    },
    Check {
        name: "headless",
        overlay: "overlays/exchange",
        about: "a headless Service: every connection counted on both sides",
        run: services::headless,
    },
    Check {
        name: "service-entry",
        overlay: "overlays/exchange",
        about: "a server outside of the mesh with a ServiceEntry: counted by the client under its host",
        run: services::entry,
    },
    Check {
        name: "passthrough",
        overlay: "overlays/exchange",
        about: "a destination without a Service: uncounted, or counted as PassthroughCluster by a patch",
        run: services::passthrough,
    },
    Check {
        name: "black-hole",
        overlay: "overlays/exchange",
        about: "the same under REGISTRY_ONLY: refused, counted as BlackHoleCluster by that patch",
        run: services::black_hole,
    },
    Check {
        name: "rule-plaintext",
        overlay: "overlays/exchange",
        about: "a DestinationRule without TLS: counted without names, no frame",
        run: exchange::rule_plaintext,
    },
    Check {
        name: "rule-mutual",
        overlay: "overlays/exchange",
        about: "a DestinationRule with mutual TLS: complete as without a rule",
        run: exchange::rule_mutual,
    },
    Check {
        name: "one-of-two-pods",
        overlay: "overlays/exchange",
        about: "a second pod without the filter behind the same Service: untouched",
        run: pods::one_of_two,
    },
    Check {
        name: "pod-replaced",
        overlay: "overlays/exchange",
        about: "the pod replaced by one without the filter, at another address: untouched",
        run: pods::replaced,
    },
    Check {
        name: "address-reused",
        overlay: "overlays/exchange",
        about: "the pod replaced by one without the filter, at the same address: at most one frame, counted",
        run: pods::address_reused,
    },
    Check {
        name: "filter-lost",
        overlay: "overlays/exchange",
        about: "the server's EnvoyFilter deleted first: one frame, counted",
        run: lost::one_after_another,
    },
    Check {
        name: "filter-lost-at-once",
        overlay: "overlays/exchange",
        about: "the same with 20 connections at once",
        run: lost::at_once,
    },
    Check {
        name: "uninstall",
        overlay: "overlays/uninstall",
        about: "overlays/uninstall, then delete, under traffic: no frame, nothing counted afterwards",
        run: lost::uninstall,
    },
    Check {
        name: "patches-dropped",
        overlay: "overlays/exchange",
        about: "somebody else's EnvoyFilter makes istiod drop all patches: one frame, counted",
        run: control::patches_dropped,
    },
    Check {
        name: "istiod-restarted",
        overlay: "overlays/exchange",
        about: "istiod killed and started again: connections go on, everything counted",
        run: control::istiod_restarted,
    },
    Check {
        name: "rolled-out",
        overlay: "overlays/exchange",
        about: "pods with and without the filter replace each other under traffic: none fails, no frame",
        run: control::rolled_out,
    },
    Check {
        name: "scaled",
        overlay: "overlays/exchange",
        about: "three servers, then three others in their place under load: both sides agree for each pair",
        run: rollout::scaled,
    },
    Check {
        name: "open-connections",
        overlay: "overlays/exchange",
        about: "servers first, then clients, and back, with connections of every stage open: none fails, no frame",
        run: rollout::open_connections,
    },
    Check {
        name: "upgrade",
        overlay: "overlays/exchange",
        about: "another module under load, with connections open before and beyond the drain time: each and its bytes counted once, no frame",
        run: upgrade::module,
    },
    Check {
        name: "vm-killed",
        overlay: "overlays/exchange",
        about: "the VM of a server's worker fails: its connections end, new ones pass when it is reloaded, no frame",
        run: killed::reloaded,
    },
    Check {
        name: "gateway-sni",
        overlay: "overlays/exchange",
        about: "a gateway that passes TLS on by its SNI: counted under the gateway's certificate, no frame",
        run: gateway::sni,
    },
    Check {
        name: "gateway-auto-passthrough",
        overlay: "overlays/exchange",
        about: "a client in another network, through a gateway with AUTO_PASSTHROUGH: complete on both sides",
        run: gateway::auto_passthrough,
    },
    Check {
        name: "gateway-shared-address",
        overlay: "overlays/exchange",
        about: "the same with a second server without the filter: one frame at its application, counted",
        run: gateway::shared_address,
    },
    Check {
        name: "client-without-filter",
        overlay: "overlays/exchange",
        about: "a sidecar without the filter beside one with it: counted by its certificate, no frame",
        run: other_clients::without_filter,
    },
    Check {
        name: "denied",
        overlay: "overlays/exchange",
        about: "an AuthorizationPolicy DENY: no byte at the application, one frame without an answer, counted",
        run: other_clients::denied,
    },
    Check {
        name: "scraped",
        overlay: "overlays/exchange",
        about: "the agent's merged metrics at the injected annotations: as Envoy's own",
        run: scraping::merged,
    },
    Check {
        name: "prometheus",
        overlay: "overlays/exchange",
        about: "a Prometheus that reads the annotations: the counts of Envoy, no failing rule",
        run: scraping::prometheus,
    },
    Check {
        name: "manifests",
        overlay: "all",
        about: "all overlays and Bookinfo's files pass the API server and istiod's webhook",
        run: manifests::validated,
    },
    Check {
        name: "faults",
        overlay: "overlays/exchange",
        about: "random faults and changes with connections, by a seed: at most one frame per loss of a filter, counted",
        run: faults::random,
    },
    Check {
        name: "faults-control",
        overlay: "overlays/exchange",
        about: "the same with a native filter that does nothing in its place: connections end after the same events",
        run: faults::control,
    },
    Check {
        name: "plugin-tag",
        overlay: "overlays/telemetry-only",
        about: "overlays/telemetry-only: the agents pull the image by its tag, every connection counted",
        run: plugin::by_tag,
    },
    Check {
        name: "plugin-digest",
        overlay: "overlays/telemetry-only",
        about: "the same with the digest in sha256",
        run: plugin::by_digest,
    },
    Check {
        name: "plugin-tag-moved",
        overlay: "overlays/telemetry-only",
        about: "the tag gets another image: unnoticed until the agent restarts; the digest, or Always and a change, bring it",
        run: plugin::moved,
    },
    Check {
        name: "plugin-upgraded",
        overlay: "overlays/telemetry-only",
        about: "another image under load, with connections open: none fails, each and its bytes counted once",
        run: plugin::upgraded,
    },
    Check {
        name: "plugin-wrong-digest",
        overlay: "overlays/telemetry-only",
        about: "another digest: connections pass uncounted",
        run: plugin::wrong_digest,
    },
    Check {
        name: "plugin-missing-image",
        overlay: "overlays/telemetry-only",
        about: "no such tag: connections pass uncounted",
        run: plugin::missing_image,
    },
    Check {
        name: "plugin-target-port",
        overlay: "overlays/telemetry-only",
        about: "a match on the pods' port instead of the Service's: no filter, nothing counted",
        run: plugin::target_port,
    },
    Check {
        name: "plugin-traffic-extension",
        overlay: "components/traffic-extension",
        about: "a TrafficExtension instead of the WasmPlugin: every connection counted, once",
        run: plugin::traffic_extension,
    },
    Check {
        name: "plugin-reconfigured",
        overlay: "overlays/telemetry-only",
        about: "the plugin's configuration changed three times under load: every connection counted, once",
        run: plugin::reconfigured,
    },
    Check {
        name: "plugin-deleted",
        overlay: "overlays/telemetry-only",
        about: "the plugin deleted while connections are open: none fails, all counted to their end",
        run: plugin::deleted,
    },
    Check {
        name: "plugin-registry-down",
        overlay: "overlays/telemetry-only",
        about: "the registry stopped: connections pass uncounted",
        run: plugin::registry_down,
    },
    Check {
        name: "cosign",
        overlay: "overlays/telemetry-only",
        about: "the image's signature: cosign verifies that of cargo oci, cargo oci verifies that of cosign",
        run: signature::cosign,
    },
    Check {
        name: "envoy-gateway",
        overlay: ENVOY_GATEWAY,
        about: "envoy-config/envoy-gateway under a real Envoy Gateway: a connection is counted under its route",
        run: envoy_gateway::counted,
    },
    Check {
        name: "walk-through",
        overlay: "envoy-config/bookinfo",
        about: "the commands and queries of the walk-throughs in README.md and envoy-config/bookinfo, executed",
        run: walk_through::executed,
    },
    Check {
        name: "golden",
        overlay: "all",
        about: "what istiod configures for every overlay, also on Istio's own proxy: as the files in tests/istio/golden",
        run: manifests::golden,
    },
];
