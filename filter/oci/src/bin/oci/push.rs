use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use oci::{Error, Layout, Options};

use crate::login::Access;
use crate::output;

/// Copy a layout into a registry, byte for byte.
///
/// The images get the tag of REF, or without one their version; where a layout has both variants,
/// the artifact's tag ends with -artifact. Signatures and SBOMs are pushed with them, with the tags
/// of cosign. An image that `cargo oci inspect` rejects is not pushed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo oci push localhost:5000/mesh/tcp-peer-stats
  cargo oci push --username ci --password-stdin registry.example.com/mesh/tcp-peer-stats:0.1.0 <token")]
pub(crate) struct Push {
    /// The destination, such as registry.example.com/team/name[:tag]
    #[arg(value_name = "REF")]
    reference: String,
    /// The layout; by default the output of `cargo oci build`
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

impl Push {
    pub(crate) fn run(self) -> Result<(), Error> {
        let dir = self
            .layout
            .unwrap_or_else(|| Options::output().join("layout"));
        let layout = Layout::open(&dir)?;
        let registry = self.access.registry(&self.reference)?;
        // The bar is drawn on terminals only.
        let bar = ProgressBar::no_length().with_style(style());
        let pushed = oci::push(&layout, &registry, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        for image in pushed? {
            output::print(format_args!("{}@{}", image.name, image.digest))?;
        }
        Ok(())
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {bytes} of {total_bytes}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
