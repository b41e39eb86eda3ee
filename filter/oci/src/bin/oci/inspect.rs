use std::path::Path;

use oci::{Error, Inspected, Layout, inspect};

use crate::login::Access;

/// Say what an Istio agent would take from an image, in a registry or in a layout.
///
/// Everything it prints is computed from what is there: digests are checked, and the module is unpacked.
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
        let images = if path.is_dir() {
            let layout = Layout::open(path)?;
            let tags = layout.tags()?.into_iter();
            tags.map(|tag| inspect(&tag, &tag, &layout))
                .collect::<Result<_, _>>()?
        } else {
            let registry = self.access.registry(&self.image)?;
            let wanted = registry.wanted();
            vec![inspect(&registry.name(wanted), wanted, &registry)?]
        };
        if self.json {
            println!("{:#}", serde_json::json!(images));
        } else {
            let texts: Vec<_> = images.iter().map(to_text).collect();
            println!("{}", texts.join("\n\n"));
        }
        Ok(())
    }
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
    for (name, value) in &image.annotations {
        let name = name.trim_start_matches("org.opencontainers.image.");
        lines.push(format!("  {name:<13}  {value}"));
    }
    lines.join("\n")
}
