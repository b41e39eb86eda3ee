//! The two variants of an image of one module.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use oci_spec::image::{
    ANNOTATION_CREATED, ANNOTATION_DESCRIPTION, ANNOTATION_LICENSES, ANNOTATION_REVISION,
    ANNOTATION_SOURCE, ANNOTATION_TITLE, ANNOTATION_VERSION, Arch, Config, Descriptor,
    ImageConfiguration, ImageManifest, MediaType, Os, RootFs,
};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::error::{Context, Result};
use crate::layer::PLUGIN;
use crate::layout::Layout;
use crate::module::Module;
use crate::{digest, media_type, store};

/// The proxy-wasm ABI that the filter is built for.
const ABI_VERSION: &str = "0.2.1";

/// The description of a package, from its manifest.
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
    /// The URL of its sources.
    pub source: Option<String>,
}

/// The origin of an image: its annotations.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The package.
    pub release: Release,
    /// The commit, with the suffix `-dirty` if the work tree had changes.
    pub revision: Option<String>,
    /// The time of the commit, in RFC 3339. The time of the build is not recorded: images are
    /// reproducible.
    pub created: Option<String>,
}

impl Provenance {
    fn annotations(&self) -> HashMap<String, String> {
        let release = &self.release;
        let known = [
            (ANNOTATION_CREATED, self.created.clone()),
            (ANNOTATION_DESCRIPTION, release.description.clone()),
            (ANNOTATION_LICENSES, release.license.clone()),
            (ANNOTATION_REVISION, self.revision.clone()),
            (ANNOTATION_SOURCE, release.source.clone()),
            (ANNOTATION_TITLE, Some(release.name.clone())),
            (ANNOTATION_VERSION, Some(release.version.clone())),
        ];
        let known = known.into_iter();
        known
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }
}

/// An OCI image of one layer, a tar.gz with `plugin.wasm`.
pub(crate) fn compat(
    layout: &Layout,
    module: &Module,
    provenance: &Provenance,
) -> Result<ImageManifest> {
    let archive = archive(module).context(|| "cannot pack the module")?;
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    let packed = gzip.write_all(&archive).and_then(|()| gzip.finish());
    let layer = packed.context(|| "cannot compress the module")?;
    // The specification requires a platform. Agents ignore it: this is the one of Wasm modules.
    let platform = (Arch::Wasm, Os::Other("wasip1".into()));
    let mut config = configuration(platform, digest::of(&archive));
    config.set_created(provenance.created.clone());
    let mut annotations = provenance.annotations();
    annotations.insert("module.wasm.image/variant".into(), "compat".into());
    let mut manifest = store::manifest(
        layout.put_json(MediaType::ImageConfig, &config)?,
        vec![layout.put(MediaType::ImageLayerGzip, &layer)?],
    )?;
    manifest.set_annotations(Some(annotations));
    Ok(manifest)
}

/// An image configuration with one layer and no settings.
pub(crate) fn configuration((architecture, os): (Arch, Os), diff_id: String) -> ImageConfiguration {
    let mut layers = RootFs::default();
    layers.diff_ids_mut().push(diff_id);
    let mut config = ImageConfiguration::default();
    config.set_architecture(architecture).set_os(os);
    config.set_config(Some(Config::default()));
    config.set_rootfs(layers);
    config
}

/// An OCI artifact of two layers: the bare module and its runtime configuration.
pub(crate) fn artifact(
    layout: &Layout,
    module: &Module,
    provenance: &Provenance,
) -> Result<ImageManifest> {
    let config = json!({ "type": "envoy_proxy", "abi_version": ABI_VERSION });
    let config = layout.put_json(media_type::MODULE_CONFIG, &config)?;
    let module = layout.put(media_type::MODULE, module.bytes())?;
    let layers = vec![
        titled(config, "runtime-config.json"),
        titled(module, PLUGIN),
    ];
    let mut manifest = store::manifest(layout.put(MediaType::EmptyJSON, b"{}")?, layers)?;
    manifest.set_artifact_type(Some(media_type::MODULE.into()));
    manifest.set_annotations(Some(provenance.annotations()));
    Ok(manifest)
}

/// Sets the name of the file that a client writes a layer to.
fn titled(mut layer: Descriptor, title: &str) -> Descriptor {
    let annotation = (ANNOTATION_TITLE.to_owned(), title.to_owned());
    layer.set_annotations(Some(HashMap::from([annotation])));
    layer
}

/// A tar of the module, without an owner and a time: the same module gives the same bytes.
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
