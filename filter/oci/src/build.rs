//! Builds a layout from the source tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use oci_spec::image::MediaType;

use crate::error::{Context, Result};
use crate::image::{self, Provenance};
use crate::layout::Layout;
use crate::module::Module;
use crate::revision::Revision;
use crate::signature::{self, Key};
use crate::{cargo, media_type, sbom, store};

/// The file with the module next to the layout, for Envoy's `local` and `remote` code sources.
const MODULE: &str = "tcp_peer_stats.wasm";
const SBOM: &str = "tcp_peer_stats.cdx.json";

/// The suffix of the tag of the artifact where a layout has both variants.
pub(crate) const ARTIFACT_SUFFIX: &str = "-artifact";

/// The variants in a layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Variants {
    /// An OCI image, which all registries and tools support: tag VERSION
    Compat,
    /// An OCI artifact with the bare module as a layer: tag VERSION
    Artifact,
    /// Both: tags VERSION and VERSION-artifact
    #[default]
    Both,
}

/// The options of a build.
#[derive(Debug)]
pub struct Options {
    /// The variants to build.
    pub variants: Variants,
    /// The key that signs them.
    pub key: Option<Key>,
    /// The URL of the sources. By default it is the package's `repository`.
    pub source: Option<String>,
    /// The output folder. It holds the layout and the target folder of the build.
    pub output: PathBuf,
}

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    /// The layout.
    pub layout: Layout,
    /// The module as a file. The file next to it has its digest for `sha256sum --check`.
    pub module: PathBuf,
    /// The SBOM as a file.
    pub sbom: PathBuf,
    /// The origin of the images.
    pub provenance: Provenance,
}

impl Options {
    /// The default output folder: `target/oci` in the repository.
    #[must_use]
    pub fn output() -> PathBuf {
        cargo::root().join("target/oci")
    }
}

/// Compiles the filter and writes the layout.
///
/// # Errors
/// The filter does not compile, or something cannot be written.
pub fn build(options: &Options) -> Result<Built> {
    let metadata = cargo::metadata()?;
    let mut release = cargo::release(&metadata)?;
    release.source = options.source.clone().or(release.source);
    let revision = Revision::of(cargo::root());
    let provenance = Provenance {
        release,
        revision: revision.id,
        created: revision.time,
    };
    let compiled = cargo::compile(&metadata, &options.output.join("build"))?;
    let module = Module::read(&compiled.path)?;
    let rust = cargo::rust_version()?;
    let sbom = sbom::cyclone_dx(&metadata, &compiled.packages, &module, &provenance, &rust);
    let sbom = format!("{sbom:#}\n").into_bytes();
    let layout = assemble(options, &module, &provenance, &sbom)?;

    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        let file = options.output.join(name);
        fs::write(&file, bytes).context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    };
    let checksum = format!("{}  {MODULE}\n", module.sha256());
    write(&format!("{MODULE}.sha256"), checksum.as_bytes())?;
    Ok(Built {
        layout,
        module: write(MODULE, module.bytes())?,
        sbom: write(SBOM, &sbom)?,
        provenance,
    })
}

/// Writes the layout of a module.
pub(crate) fn assemble(
    options: &Options,
    module: &Module,
    provenance: &Provenance,
    sbom: &[u8],
) -> Result<Layout> {
    let mut layout = Layout::create(&options.output.join("layout"))?;
    let version = &provenance.release.version;
    let mut images = BTreeMap::new();
    if options.variants != Variants::Artifact {
        images.insert(version.clone(), image::compat(&layout, module, provenance)?);
    }
    if options.variants != Variants::Compat {
        let tag = match options.variants {
            Variants::Both => format!("{version}{ARTIFACT_SUFFIX}"),
            _ => version.clone(),
        };
        images.insert(tag, image::artifact(&layout, module, provenance)?);
    }
    for (tag, image) in &images {
        let subject = layout.tag(tag, image)?;
        let digest = subject.digest().to_string();
        let mut about = store::manifest(
            layout.put(MediaType::EmptyJSON, b"{}")?,
            vec![layout.put(media_type::CYCLONE_DX, sbom)?],
        )?;
        about.set_artifact_type(Some(media_type::CYCLONE_DX.into()));
        about.set_subject(Some(subject));
        layout.tag(&store::companion(&digest, "sbom"), &about)?;
        if let Some(key) = &options.key {
            let signature = signature::sign(&layout, key, &digest)?;
            layout.tag(&store::companion(&digest, "sig"), &signature)?;
        }
    }
    Ok(layout)
}
