//! This proxy's node: the labels and the frame of this workload, and native exchange filters.

use peer_exchange::{Frame, HEADER_LEN, Locality, Metadata, Struct, Style};
use prost::Message as _;

use crate::config::ConfigError;
use crate::host::Host;
use crate::host::attributes::{Attributes, Roots, path};
use crate::host::envoy;
use crate::labels::Workload;

/// The ending of the names of native exchange filters, in Istio's proxy and in Envoy contrib.
const NATIVE_EXCHANGE: &str = "metadata_exchange";

/// The node of the bootstrap, read once per plugin.
#[derive(Debug, Default)]
pub(crate) struct LocalNode {
    node: envoy::Node,
}

impl LocalNode {
    /// Reads the whole node message: tens of KiB, most of it the list of extensions. Also returns
    /// the root of the attributes of the proxy's configuration in this host.
    pub(crate) fn read<H: Host>(host: &H) -> (Self, Roots) {
        for roots in [Roots::Xds, Roots::Legacy] {
            let Some(raw) = Attributes::new(host, roots).bytes(path::NODE) else {
                continue;
            };
            match envoy::Node::decode(raw.as_slice()) {
                Ok(node) => return (Self { node }, roots),
                Err(error) => log::warn!("decoding {} failed: {error}", roots.name(path::NODE)),
            }
        }
        log::warn!("the host has no node: this workload's labels are unknown");
        (Self::default(), Roots::Xds)
    }

    pub(crate) fn id(&self) -> &str {
        &self.node.id
    }

    /// The name of a native exchange filter that is compiled into this proxy.
    pub(crate) fn native_exchange(&self) -> Option<&str> {
        let mut names = self
            .node
            .extensions
            .iter()
            .map(|extension| extension.name.as_str());
        names.find(|name| name.ends_with(NATIVE_EXCHANGE))
    }

    /// The labels of this workload. Unlike a peer's, its plain `app` and `version` win over the
    /// qualified ones (Istio's rule).
    pub(crate) fn workload(&self) -> Workload {
        let metadata = self
            .node
            .metadata
            .as_ref()
            .map(Metadata::from)
            .unwrap_or_default();
        let plain = |name, qualified: &str| match metadata.label(name) {
            "" => qualified.to_owned(),
            value => value.to_owned(),
        };
        Workload {
            workload: metadata.workload_name.clone(),
            canonical_service: metadata.canonical_name().to_owned(),
            canonical_revision: metadata.canonical_revision().to_owned(),
            namespace: metadata.namespace.clone(),
            principal: String::new(),
            app: plain("app", metadata.app()),
            version: plain("version", metadata.version()),
            cluster: metadata.cluster_id.clone(),
        }
    }

    /// This workload's frame. Metadata is left out if the payload would have more than `max` bytes,
    /// because receivers close connections with a longer one.
    ///
    /// # Errors
    /// `additional_labels` make it longer.
    pub(crate) fn frame(
        &self,
        additional_labels: &[String],
        max: u32,
    ) -> Result<Vec<u8>, ConfigError> {
        let nothing = Struct::default();
        let locality = self.node.locality.as_ref();
        let node = peer_exchange::Node {
            id: &self.node.id,
            metadata: self.node.metadata.as_ref().unwrap_or(&nothing),
            locality: Locality {
                region: locality.map_or("", |locality| &locality.region),
                zone: locality.map_or("", |locality| &locality.zone),
            },
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let payload = |frame: &[u8]| frame.len().saturating_sub(HEADER_LEN);
        let with_labels = |labels: &[String]| node.frame(Style::of(node.metadata), labels).encode();
        let frame = with_labels(additional_labels);
        if payload(&frame) <= max {
            return Ok(frame);
        }
        if payload(&with_labels(&[])) <= max {
            return Err(ConfigError::FrameTooLong {
                found: payload(&frame),
                accepted: max,
            });
        }
        let reduced = node.frame(Style::Modern, &[]).encode();
        let (sent, without) = match payload(&reduced) <= max {
            true => (reduced, "additional_labels and EXCHANGE_KEYS"),
            false => (Frame::new(nothing, "").encode(), "any metadata"),
        };
        log::error!(
            "the frame of this node has a payload of {} bytes, more than the {max} that peers accept; \
             it is sent without {without}",
            payload(&frame),
        );
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use peer_exchange::Value;

    use super::*;

    fn node<const N: usize>(metadata: [(&str, Value); N]) -> LocalNode {
        LocalNode {
            node: envoy::Node {
                metadata: Some(Struct::from_iter(metadata)),
                ..envoy::Node::default()
            },
        }
    }

    fn payload(frame: &[u8]) -> u32 {
        u32::try_from(frame.len() - HEADER_LEN).expect("a short frame")
    }

    #[test]
    fn labels_that_make_the_frame_too_long_are_refused() {
        let role = Struct::from_iter([("role", "primary")]);
        let node = node([("LABELS", role.into())]);
        let labels = ["role".to_owned()];
        let whole = node.frame(&labels, u32::MAX).expect("no limit");
        let max = payload(&whole);
        assert_eq!(node.frame(&labels, max).as_ref(), Ok(&whole));
        let refused = node.frame(&labels, max - 1).expect_err("one byte too long");
        let message = refused.to_string();
        assert!(message.contains(&format!("has {max} bytes")), "{message}");
        assert!(
            message.contains(&format!("more than {};", max - 1)),
            "{message}"
        );
    }

    #[test]
    fn a_node_that_makes_the_frame_too_long_is_sent_in_part() {
        let node = node([
            ("WORKLOAD_NAME", "w".into()),
            ("LONG", "l".into()),
            ("EXCHANGE_KEYS", "WORKLOAD_NAME,LONG".into()),
        ]);
        let frame = |max| node.frame(&[], max).expect("no label is too long");
        let whole = frame(u32::MAX);
        assert_eq!(frame(payload(&whole)), whole);
        let reduced = frame(payload(&whole) - 1);
        assert!(payload(&reduced) < payload(&whole));
        assert_eq!(frame(payload(&reduced)), reduced);
        let empty = Frame::new(Struct::default(), "").encode();
        assert_eq!(frame(payload(&reduced) - 1), empty);
    }
}
