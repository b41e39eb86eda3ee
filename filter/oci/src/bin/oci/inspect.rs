use std::path::Path;

use oci::{Error, Inspected, Layout, Registry, inspect, is_reference};

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
  cargo oci inspect --json target/oci/layout | jq -r '.[0].manifest_digest'")]
pub(crate) struct Inspect {
    /// An image, or the folder of a layout
    #[arg(value_name = "REF|LAYOUT")]
    image: String,
    /// Print a JSON array of images
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Inspect {
    pub(crate) fn run(self) -> Result<(), Error> {
        let path = Path::new(&self.image);
        let images = if path.exists() {
            let layout = Layout::open(path)?;
            let references = layout.references()?.into_iter();
            references
                .map(|reference| inspect(&reference, &reference, &layout))
                .collect::<Result<_, _>>()?
        } else if !is_reference(&self.image) {
            return Err(Error::NoFolder {
                argument: self.image,
            });
        } else {
            let registry = self.access.registry(&self.image)?;
            vec![pulled(self.image, &registry)?]
        };
        if self.json {
            return output::print(format_args!("{:#}", serde_json::json!(images)));
        }
        let texts: Vec<_> = images.iter().map(to_text).collect();
        output::print(texts.join("\n\n"))
    }
}

/// Inspects an image of a registry.
fn pulled(argument: String, registry: &Registry) -> Result<Inspected, Error> {
    let wanted = registry.wanted();
    let image = inspect(&registry.name(wanted), wanted, registry);
    image.map_err(|source| match registry.is_repository() {
        true => Error::TakenForImage {
            argument,
            registry: registry.host().to_owned(),
            source: Box::new(source),
        },
        false => source,
    })
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
