//! The PeerAuthentication of the namespace.

use serde_json::json;

use super::waits::LIMIT;
use super::{Bench, CLUSTER, NAMESPACE, PORT};
use crate::cluster::until;
use crate::error::Result;
use crate::suite::{clusters, listeners};

const NAME: &str = "mode";

/// The mode of a PeerAuthentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::suite) enum Mode {
    Permissive,
    Strict,
    Disable,
}

impl Bench<'_> {
    /// Sets the PeerAuthentication of the namespace, and waits until the first server and the
    /// client have it.
    pub(in crate::suite) fn authenticate(&self, mode: Mode) -> Result<()> {
        let kubectl = self.kubectl();
        if mode == Mode::Permissive {
            let object = ["peerauthentication", NAME, "--ignore-not-found"];
            kubectl.run(&[&["delete", "--namespace", NAMESPACE], &object[..]].concat())?;
        } else {
            let object = json!({
                "apiVersion": "security.istio.io/v1",
                "kind": "PeerAuthentication",
                "metadata": { "name": NAME },
                "spec": { "mtls": { "mode": mode.name() } },
            });
            kubectl.apply(NAMESPACE, &object.to_string())?;
        }
        let Some(server) = self.servers.first() else {
            return Ok(());
        };
        until(&format!("the chains of {}", mode.name()), LIMIT, || {
            let chains = listeners::inbound(&server.pod, PORT.target)?;
            let tls = chains
                .iter()
                .filter(|chain| chain.transport.as_deref() == Some("tls"));
            let tls = tls.count();
            let is_in_force = match mode {
                Mode::Permissive => tls > 0 && tls < chains.len(),
                Mode::Strict => tls > 0 && tls == chains.len(),
                Mode::Disable => tls == 0 && !chains.is_empty(),
            };
            Ok(is_in_force.then_some(()))
        })?;
        // Clients follow with a push of their own.
        let what = format!("the client's transport under {}", mode.name());
        until(&what, LIMIT, || {
            let modes = clusters::tls_modes(self.client(), CLUSTER)?;
            let wanted = mode != Mode::Disable;
            let are_set = !modes.is_empty() && modes.iter().all(|tls| *tls == wanted);
            Ok(are_set.then_some(()))
        })
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Permissive => "PERMISSIVE",
            Self::Strict => "STRICT",
            Self::Disable => "DISABLE",
        }
    }
}
