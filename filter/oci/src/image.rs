//! The two variants of an image, from one module.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::error::{Context, Result};
use crate::layer::PLUGIN;
use crate::layout::Layout;
use crate::module::Module;
use crate::{digest, media_type, store};

/// The proxy-wasm ABI that the filter is built for.
const ABI_VERSION: &str = "0.2.1";

/// What a package says of itself.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub description: Option<String>,
    /// An SPDX expression.
    pub license: Option<String>,
    /// Where its sources are, a URL.
    pub source: Option<String>,
}

/// What an image says of itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The package.
    pub release: Release,
    /// The commit it was built from, with `-dirty` behind it if the tree had changes.
    pub revision: Option<String>,
    /// When the commit was made, in RFC 3339. The time of the build is nowhere.
    pub created: Option<String>,
}

impl Facts {
    fn annotations(&self) -> BTreeMap<String, String> {
        let release = &self.release;
        let known = [
            ("created", &self.created),
            ("description", &release.description),
            ("licenses", &release.license),
            ("revision", &self.revision),
            ("source", &release.source),
            ("title", &Some(release.name.clone())),
            ("version", &Some(release.version.clone())),
        ];
        let known = known.into_iter().filter_map(|(key, value)| {
            Some((format!("org.opencontainers.image.{key}"), value.clone()?))
        });
        known.collect()
    }
}

/// An OCI image of one layer, a tar.gz with `plugin.wasm`.
pub(crate) fn compat(layout: &Layout, module: &Module, facts: &Facts) -> Result<OciImageManifest> {
    let archive = archive(module).context(|| "cannot pack the module")?;
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let packed = gzip.write_all(&archive).and_then(|()| gzip.finish());
    let layer = packed.context(|| "cannot compress the module")?;
    // A platform is required, and agents do not look at it: the one of Wasm modules.
    let mut config = json!({
        "architecture": "wasm",
        "os": "wasip1",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest::of(&archive)] },
    });
    if let (Some(created), Some(config)) = (&facts.created, config.as_object_mut()) {
        config.insert("created".into(), json!(created));
    }
    let mut annotations = facts.annotations();
    annotations.insert("module.wasm.image/variant".into(), "compat".into());
    Ok(OciImageManifest {
        config: layout.put_json(media_type::CONFIG, &config)?,
        layers: vec![layout.put(media_type::LAYER, &layer)?],
        annotations: Some(annotations),
        ..store::manifest()
    })
}

/// Two layers: the bare module, and what a host shall know of it.
pub(crate) fn artifact(
    layout: &Layout,
    module: &Module,
    facts: &Facts,
) -> Result<OciImageManifest> {
    let config = json!({ "type": "envoy_proxy", "abi_version": ABI_VERSION });
    Ok(OciImageManifest {
        artifact_type: Some(media_type::MODULE.into()),
        config: layout.put(media_type::EMPTY, b"{}")?,
        layers: vec![
            titled(
                layout.put_json(media_type::MODULE_CONFIG, &config)?,
                "runtime-config.json",
            ),
            titled(layout.put(media_type::MODULE, module.bytes())?, PLUGIN),
        ],
        annotations: Some(facts.annotations()),
        ..store::manifest()
    })
}

/// Names the file that a client makes of a layer.
fn titled(mut layer: OciDescriptor, title: &str) -> OciDescriptor {
    let key = "org.opencontainers.image.title".to_owned();
    layer.annotations = Some(BTreeMap::from([(key, title.to_owned())]));
    layer
}

/// A tar of the module alone, which says nothing of who made it when.
fn archive(module: &Module) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(module.bytes().len() as u64);
    let mut tar = Builder::new(Vec::new());
    tar.append_data(&mut header, PLUGIN, module.bytes())?;
    tar.into_inner()
}
