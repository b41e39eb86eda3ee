//! The few messages of Envoy's API that cross the boundary as protobuf.
//!
//! Only the fields that are read or written are declared; protobuf skips the rest.

use peer_exchange::Struct;

/// `envoy.config.core.v3.Node`, the answer to the attribute `xds.node`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Node {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) metadata: Option<Struct>,
    #[prost(message, optional, tag = "4")]
    pub(crate) locality: Option<Locality>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) extensions: Vec<Extension>,
}

/// `envoy.config.core.v3.Locality`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Locality {
    #[prost(string, tag = "1")]
    pub(crate) region: String,
    #[prost(string, tag = "2")]
    pub(crate) zone: String,
}

/// `envoy.config.core.v3.Extension`: one of the extensions compiled into the proxy.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Extension {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// The argument of the foreign function `set_envoy_filter_state`
/// (`source/extensions/common/wasm/ext/set_envoy_filter_state.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SetEnvoyFilterStateArguments {
    #[prost(string, tag = "1")]
    pub(crate) path: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
    /// `LifeSpan`; see [`Self::DOWNSTREAM_CONNECTION`].
    #[prost(int32, tag = "3")]
    pub(crate) span: i32,
}

impl SetEnvoyFilterStateArguments {
    /// The state lives as long as the downstream connection.
    pub(crate) const DOWNSTREAM_CONNECTION: i32 = 2;
}

/// The argument of the foreign function `declare_property`
/// (`source/extensions/common/wasm/ext/declare_property.proto`).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct DeclarePropertyArguments {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bool, tag = "2")]
    pub(crate) readonly: bool,
    /// `WasmType`; see [`Self::PROTOBUF`].
    #[prost(int32, tag = "3")]
    pub(crate) kind: i32,
    /// For a message its type URL.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) schema: Vec<u8>,
    /// `LifeSpan`; see [`Self::DOWNSTREAM_CONNECTION`].
    #[prost(int32, tag = "5")]
    pub(crate) span: i32,
}

impl DeclarePropertyArguments {
    /// The property is a protobuf message.
    pub(crate) const PROTOBUF: i32 = 3;
    /// The property lives as long as the downstream connection.
    pub(crate) const DOWNSTREAM_CONNECTION: i32 = 2;
}
