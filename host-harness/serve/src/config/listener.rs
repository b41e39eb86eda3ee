//! Listeners, their filter chains and the plugins in them.

use super::cluster::{BUFFER_LIMIT, Cluster};
use super::reader::{Any, ConfigError, Reader, Unknown};
use super::schema::{self, FilterChainMatch, TrafficDirection};
use crate::tls::DownstreamTls;
use host_harness::{Direction, FailurePolicy};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const TLS_INSPECTOR: &str = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const WASM: &str = "envoy.extensions.filters.network.wasm.v3.Wasm";
/// Envoy's default `listener_filters_timeout`.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// Envoy's default `reload_config.backoff.base_interval`.
const RELOAD_BACKOFF: Duration = Duration::from_secs(1);

/// A listener.
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Whether the first bytes decide on the filter chain, and how long they may take.
    pub(crate) inspection: Option<Duration>,
    pub(crate) buffer_limit: usize,
    pub(crate) filter_chains: Vec<Rc<FilterChain>>,
}

/// A filter chain: wasm filters, then tcp_proxy.
pub(crate) struct FilterChain {
    pub(crate) name: String,
    pub(crate) matches: FilterChainMatch,
    pub(crate) tls: Option<DownstreamTls>,
    pub(crate) plugins: Vec<Plugin>,
    pub(crate) cluster: Rc<Cluster>,
}

/// A plugin. Filter chains whose plugins are equal share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plugin {
    pub(crate) direction: Direction,
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) module: String,
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) failure_policy: FailurePolicy,
    pub(crate) capabilities: Option<Vec<String>>,
}

type Clusters = HashMap<String, Rc<Cluster>>;

impl Listener {
    pub(super) fn load(
        listener: schema::Listener,
        path: &str,
        clusters: &Clusters,
        reader: &mut Reader,
    ) -> Result<Self, ConfigError> {
        let address = listener.address.get();
        let mut filter_chains = Vec::new();
        for (index, chain) in listener.filter_chains.into_iter().enumerate() {
            let path = format!("{path}.filter_chains[{index}]");
            let chain =
                FilterChain::load(chain, listener.traffic_direction, &path, clusters, reader)?;
            filter_chains.push(Rc::new(chain));
        }
        if filter_chains.is_empty() {
            return Err(ConfigError::invalid(path, "no filter chain"));
        }
        for (index, filter) in listener.listener_filters.iter().enumerate() {
            known(
                &filter.typed_config,
                &[TLS_INSPECTOR],
                &format!("{path}.listener_filters[{index}]"),
            )?;
        }
        // Envoy adds the inspector by itself to a listener whose matches need it.
        let inspects = !listener.listener_filters.is_empty()
            || filter_chains.iter().any(|chain| !chain.matches.is_any());
        let timeout = listener.listener_filters_timeout;
        Ok(Self {
            name: match listener.name.as_str() {
                "" => address.to_string(),
                name => name.to_owned(),
            },
            address,
            inspection: inspects.then_some(timeout.unwrap_or(INSPECTION_TIMEOUT)),
            buffer_limit: listener
                .per_connection_buffer_limit_bytes
                .unwrap_or(BUFFER_LIMIT),
            filter_chains,
        })
    }
}

impl FilterChain {
    fn load(
        chain: schema::FilterChain,
        direction: TrafficDirection,
        path: &str,
        clusters: &Clusters,
        reader: &mut Reader,
    ) -> Result<Self, ConfigError> {
        let matches = match chain.filter_chain_match {
            Value::Null => FilterChainMatch::default(),
            matches => {
                let path = format!("{path}.filter_chain_match");
                reader.read(matches, &path, Unknown::Refuse)?
            }
        };
        let tls = match &chain.transport_socket {
            Some(socket) => {
                let path = format!("{path}.transport_socket.typed_config");
                DownstreamTls::load(&socket.typed_config, &path, reader)?
            }
            None => None,
        };
        let path = format!("{path}.filters");
        let Some((tcp_proxy, wasm)) = chain.filters.split_last() else {
            return Err(ConfigError::invalid(path, "no filter"));
        };
        let mut plugins = Vec::new();
        for (index, filter) in wasm.iter().enumerate() {
            let path = format!("{path}[{index}].typed_config");
            plugins.push(Plugin::load(
                &filter.typed_config,
                direction,
                &path,
                reader,
            )?);
        }
        let path = format!("{path}[{}].typed_config", wasm.len());
        known(&tcp_proxy.typed_config, &[TCP_PROXY], &path)?;
        let tcp_proxy: schema::TcpProxy =
            reader.any(&tcp_proxy.typed_config, &path, Unknown::Warn)?;
        let cluster = clusters.get(&tcp_proxy.cluster).ok_or_else(|| {
            let reason = format!("there is no cluster {:?}", tcp_proxy.cluster);
            ConfigError::invalid(format!("{path}.cluster"), reason)
        })?;
        Ok(Self {
            name: chain.name,
            matches,
            tls,
            plugins,
            cluster: cluster.clone(),
        })
    }
}

impl Plugin {
    fn load(
        any: &Any,
        direction: TrafficDirection,
        path: &str,
        reader: &mut Reader,
    ) -> Result<Self, ConfigError> {
        known(any, &[WASM], path)?;
        let schema::Wasm { config } = reader.any(any, path, Unknown::Warn)?;
        let path = format!("{path}.config");
        let direction = match direction {
            TrafficDirection::Inbound => Direction::Inbound,
            TrafficDirection::Outbound => Direction::Outbound,
            TrafficDirection::Unspecified => {
                let reason = "its listener needs traffic_direction INBOUND or OUTBOUND";
                return Err(ConfigError::unsupported(path, reason));
            }
        };
        let failure_policy = failure_policy(&config);
        let module = config.vm_config.code.local.and_then(|file| file.filename);
        let module = module.ok_or_else(|| {
            let reason = "want code.local.filename";
            ConfigError::unsupported(format!("{path}.vm_config"), reason)
        })?;
        let configuration = bytes(config.configuration, &format!("{path}.configuration"))?;
        let vm_path = format!("{path}.vm_config.configuration");
        Ok(Self {
            direction,
            name: config.name,
            root_id: config.root_id,
            vm_id: config.vm_config.vm_id,
            module,
            configuration,
            vm_configuration: bytes(config.vm_config.configuration, &vm_path)?,
            failure_policy,
            capabilities: config
                .capability_restriction_config
                .map(|restriction| restriction.allowed_capabilities.into_keys().collect()),
        })
    }
}

impl FilterChainMatch {
    fn is_any(&self) -> bool {
        self.transport_protocol.is_empty() && self.application_protocols.is_empty()
    }
}

/// What a plugin reads of its configuration. Envoy: `MessageUtil::anyToBytes`.
fn bytes(any: Option<Any>, path: &str) -> Result<Vec<u8>, ConfigError> {
    let Some(any) = any else {
        return Ok(Vec::new());
    };
    let value = any.fields.get("value");
    match (any.kind.as_str(), value) {
        ("google.protobuf.StringValue", Some(Value::String(text))) => Ok(text.as_bytes().to_vec()),
        ("google.protobuf.StringValue", None) => Ok(Vec::new()),
        ("google.protobuf.Struct", Some(value)) => Ok(value.to_string().into_bytes()),
        _ => Err(ConfigError::unsupported(
            path,
            format!("{}; want a StringValue or a Struct", any.kind),
        )),
    }
}

fn failure_policy(config: &schema::PluginConfig) -> FailurePolicy {
    let backoff = config.reload_config.backoff.base_interval;
    match config.failure_policy {
        schema::FailurePolicy::Open => FailurePolicy::FailOpen,
        schema::FailurePolicy::Closed if config.fail_open => FailurePolicy::FailOpen,
        schema::FailurePolicy::Closed => FailurePolicy::FailClosed,
        schema::FailurePolicy::Reload => FailurePolicy::FailReload {
            backoff: backoff.unwrap_or(RELOAD_BACKOFF),
        },
    }
}

/// Checks that a message has one of these types.
fn known(any: &Any, kinds: &[&str], path: &str) -> Result<(), ConfigError> {
    if kinds.contains(&any.kind.as_str()) {
        return Ok(());
    }
    let reason = format!("{}; want {}", any.kind, kinds.join(" or "));
    Err(ConfigError::unsupported(path, reason))
}
