//! The table of the checks.

use super::bench::Bench;
use super::{
    control, exchange, faults, lost, manifests, other_clients, plugin, pods, scraping,
};
use crate::error::Result;

/// A named check. It returns the counts that it found.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) run: fn(&mut Bench<'_>) -> Result<String>,
}

/// All checks, in the order in which they run.
pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "exchange",
        about: "overlays/exchange as installed: every connection counted on both sides, all labels right",
        run: exchange::installed,
    },
    Check {
        name: "exchange-strict",
        about: "the same under a PeerAuthentication STRICT",
        run: exchange::strict,
    },
    Check {
        name: "exchange-disable",
        about: "the same under DISABLE: counted without names, no frame",
        run: exchange::disable,
    },
    Check {
        name: "exchange-permissive-again",
        about: "the same after STRICT and DISABLE",
        run: exchange::permissive_again,
    },
    Check {
        name: "exchange-switched",
        about: "PERMISSIVE, STRICT, DISABLE and back under traffic: no frame at an application",
        run: exchange::switched,
    },
    Check {
        name: "plaintext-client",
        about: "a client outside of the mesh: counted by the server, no frame",
        run: exchange::plaintext,
    },
    Check {
        name: "server-first",
        about: "a server that sends first: complete on both sides from the second connection",
        run: exchange::server_first,
    },
    Check {
        name: "own-tls",
        about: "an application with TLS of its own, through the mesh and from outside: as without",
        run: exchange::own_tls,
    },
    Check {
        name: "rule-plaintext",
        about: "a DestinationRule without TLS: counted without names, no frame",
        run: exchange::rule_plaintext,
    },
    Check {
        name: "rule-mutual",
        about: "a DestinationRule with mutual TLS: complete as without a rule",
        run: exchange::rule_mutual,
    },
    Check {
        name: "one-of-two-pods",
        about: "a second pod without the filter behind the same Service: untouched",
        run: pods::one_of_two,
    },
    Check {
        name: "pod-replaced",
        about: "the pod replaced by one without the filter, at another address: untouched",
        run: pods::replaced,
    },
    Check {
        name: "address-reused",
        about: "the pod replaced by one without the filter, at the same address: at most one frame, counted",
        run: pods::address_reused,
    },
    Check {
        name: "filter-lost",
        about: "the server's EnvoyFilter deleted first: one frame, counted",
        run: lost::one_after_another,
    },
    Check {
        name: "filter-lost-at-once",
        about: "the same with 20 connections at once",
        run: lost::at_once,
    },
    Check {
        name: "uninstall",
        about: "overlays/uninstall, then delete, under traffic: no frame, nothing counted afterwards",
        run: lost::uninstall,
    },
    Check {
        name: "patches-dropped",
        about: "somebody else's EnvoyFilter makes istiod drop all patches: one frame, counted",
        run: control::patches_dropped,
    },
    Check {
        name: "istiod-restarted",
        about: "istiod killed and started again: connections go on, everything counted",
        run: control::istiod_restarted,
    },
    Check {
        name: "rolled-out",
        about: "pods with and without the filter replace each other under traffic: none fails, no frame",
        run: control::rolled_out,
    },
    Check {
        name: "client-without-filter",
        about: "a sidecar without the filter beside one with it: counted by its certificate, no frame",
        run: other_clients::without_filter,
    },
    Check {
        name: "denied",
        about: "an AuthorizationPolicy DENY: no byte at the application, one frame without an answer, counted",
        run: other_clients::denied,
    },
    Check {
        name: "scraped",
        about: "the agent's merged metrics at the injected annotations: as Envoy's own",
        run: scraping::merged,
    },
    Check {
        name: "prometheus",
        about: "a Prometheus that reads the annotations: the counts of Envoy, no failing rule",
        run: scraping::prometheus,
    },
    Check {
        name: "manifests",
        about: "all overlays and Bookinfo's files pass the API server and istiod's webhook",
        run: manifests::validated,
    },
    Check {
        name: "faults",
        about: "random faults and changes with connections, by a seed: at most one frame per loss of a filter, counted",
        run: faults::random,
    },
    Check {
        name: "plugin-tag",
        about: "overlays/telemetry-only: the agents pull the image by its tag, every connection counted",
        run: plugin::by_tag,
    },
    Check {
        name: "plugin-digest",
        about: "the same with the digest in sha256",
        run: plugin::by_digest,
    },
    Check {
        name: "plugin-wrong-digest",
        about: "another digest: connections pass uncounted",
        run: plugin::wrong_digest,
    },
    Check {
        name: "plugin-missing-image",
        about: "no such tag: connections pass uncounted",
        run: plugin::missing_image,
    },
    Check {
        name: "plugin-target-port",
        about: "a match on the pods' port instead of the Service's: no filter, nothing counted",
        run: plugin::target_port,
    },
    Check {
        name: "plugin-traffic-extension",
        about: "a TrafficExtension instead of the WasmPlugin: every connection counted, once",
        run: plugin::traffic_extension,
    },
    Check {
        name: "plugin-registry-down",
        about: "the registry stopped: connections pass uncounted",
        run: plugin::registry_down,
    },
];
