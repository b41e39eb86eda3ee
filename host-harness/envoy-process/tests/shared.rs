//! Envoys that run one configuration after the other.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::net::TcpStream;

use envoy_process::{Envoy, EnvoyBinary, Result, Scratch};
use serde_json::{Value, json};

struct Pool {
    binary: EnvoyBinary,
    scratch: Scratch,
}

impl Pool {
    fn new() -> Self {
        Self {
            binary: EnvoyBinary::find(None).unwrap(),
            scratch: Scratch::new("shared").unwrap(),
        }
    }

    /// An Envoy of this node with one listener, whose only filter is `filter`.
    fn start(&self, node: &str, listener: &str, filter: Value) -> Result<Envoy> {
        let any = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
        let bootstrap = json!({
            "node": { "id": node, "cluster": "test" },
            "admin": { "address": any },
            "static_resources": {
                "listeners": [{
                    "name": listener,
                    "address": any,
                    "filter_chains": [{ "filters": [filter] }],
                }],
                "clusters": [{ "name": "nobody", "type": "STATIC" }],
            },
        });
        Envoy::start_shared(&self.binary, listener, &bootstrap, 1, self.scratch.path())
    }
}

fn tcp_proxy() -> Value {
    json!({
        "name": "tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "test",
            "cluster": "nobody",
        },
    })
}

fn names(envoy: &Envoy) -> Vec<String> {
    envoy.listeners().unwrap().into_keys().collect()
}

#[test]
fn an_envoy_has_one_user_after_the_other() {
    let pool = Pool::new();
    let start = |node, listener| pool.start(node, listener, tcp_proxy()).unwrap();
    let first = start("a", "first");
    let meanwhile = start("a", "second");
    assert_ne!(first.id(), meanwhile.id(), "both are in use");
    assert_eq!(names(&first), ["first"]);

    let id = first.id();
    let _open = TcpStream::connect(first.listener("first").unwrap()).unwrap();
    drop(first);
    let next = start("a", "third");
    assert_eq!((next.id(), names(&next)), (id, vec!["third".to_owned()]));

    let other = start("b", "fourth");
    assert!(![id, meanwhile.id()].contains(&other.id()), "another node");
}

#[test]
fn a_listener_that_envoy_rejects_is_an_error_with_the_end_of_the_log() {
    let pool = Pool::new();
    let unknown = json!({ "name": "no such filter" });
    let error = pool.start("wrong", "first", unknown).unwrap_err();
    assert!(error.to_string().contains("no such filter"), "{error}");
    let right = pool.start("wrong", "second", tcp_proxy()).unwrap();
    assert_eq!(names(&right), ["second"]);
}
