use std::path::{Path, PathBuf};

use oci::{Error, Inspected, Layout, PublicKey, Registry, Store, inspect, is_reference, verify};

use crate::login::Access;
use crate::output;

/// Show the module that an Istio agent would use from an image in a registry or a layout.
///
/// All values are computed from the content: digests are checked, and the module is unpacked.
///
/// An argument that is a folder is a layout. Any other argument is an image if it has a registry
/// (registry.example.com/name, localhost/name, docker.io/team/name) or has a tag or digest
/// (team/name:tag), and does not start like a path (/, ./, ../, ~). Other arguments are errors, and
/// no request is sent.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo oci inspect registry.example.com/mesh/tcp-peer-stats:0.1.0
  cargo oci inspect --verify release.pub registry.example.com/mesh/tcp-peer-stats:0.1.0
  cargo oci inspect --json target/oci/layout | jq -r '.[0].manifest_digest'")]
pub(crate) struct Inspect {
    /// An image, or the folder of a layout
    #[arg(value_name = "REF|LAYOUT")]
    image: String,
    /// Print a JSON array of images
    #[arg(long)]
    json: bool,
    /// Fail unless each image has a signature in cosign's format by this ECDSA P-256 key (PEM)
    #[arg(long, value_name = "PUBLIC_KEY")]
    verify: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<(), Error> {
        let key = self.verify.as_deref().map(PublicKey::read).transpose()?;
        let key = key.as_ref();
        let path = Path::new(&self.image);
        let images = if path.exists() {
            let layout = Layout::open(path)?;
            let references = layout.references()?.into_iter();
            references
                .map(|reference| inspected(&reference, &reference, &layout, key))
                .collect::<Result<_, _>>()?
        } else if !is_reference(&self.image) {
            return Err(Error::NoFolder {
                argument: self.image,
            });
        } else {
            let registry = self.access.registry(&self.image)?;
            vec![pulled(self.image, &registry, key)?]
        };
        if self.json {
            return output::print(format_args!("{:#}", serde_json::json!(images)));
        }
        let mut texts: Vec<_> = images.iter().map(to_text).collect();
        if let Some(key) = &self.verify {
            texts.push(format!("signed by {}", key.display()));
        }
        output::print(texts.join("\n\n"))
    }
}

/// Inspects an image of a registry.
fn pulled(
    argument: String,
    registry: &Registry,
    key: Option<&PublicKey>,
) -> Result<Inspected, Error> {
    let wanted = registry.wanted();
    let image = inspected(&registry.name(wanted), wanted, registry, key);
    image.map_err(|source| match registry.is_repository() {
        true => Error::TakenForImage {
            argument,
            registry: registry.host().to_owned(),
            source: Box::new(source),
        },
        false => source,
    })
}

/// Inspects an image and verifies its signature if there is a key.
fn inspected(
    name: &str,
    reference: &str,
    store: &impl Store,
    key: Option<&PublicKey>,
) -> Result<Inspected, Error> {
    let image = inspect(name, reference, store)?;
    if let Some(key) = key {
        verify(name, reference, store, key)?;
    }
    Ok(image)
}

/// An image for people.
pub(crate) fn to_text(image: &Inspected) -> String {
    let module = &image.module;
    let yes = |is: bool| if is { "there is one" } else { "none" };
    let mut lines = vec![
        format!("image            {}", image.name),
        format!("  variant        {}", image.variant),
        format!("  digest         {}", image.manifest_digest),
        format!("  module         {} bytes", module.size),
        format!("  module sha256  {}", module.sha256),
        format!("  signature      {}", yes(image.has_signature)),
        format!("  SBOM           {}", yes(image.has_sbom)),
    ];
    if let Some(index) = &image.index_digest {
        lines.insert(3, format!("  of the index   {index}"));
    }
    for (name, value) in &image.annotations {
        let name = name.trim_start_matches("org.opencontainers.image.");
        lines.push(format!("  {name:<13}  {value}"));
    }
    lines.join("\n")
}
