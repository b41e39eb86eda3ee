use std::path::PathBuf;

use oci::{Built, Error, Key, Options, Variants, inspect};

use crate::output;

/// Build the filter and write it as an OCI image layout.
///
/// The same commit gives the same bytes, wherever and whenever it is built; only a signature differs from run to run.
/// Beside the layout there are the bare module with its SHA-256, and an SBOM of what is in it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo oci build
  cargo oci build --key cosign.key --source https://git.example.com/mesh/tcp-peer-stats")]
pub(crate) struct Build {
    /// The variants to make
    #[arg(long, value_enum, default_value_t)]
    variant: Variants,
    /// Sign them with this ECDSA P-256 key (PKCS#8, PEM), so that cosign can verify them
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where the sources are; without it, what Cargo.toml names as the repository
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// The folder to write to; without it, target/oci
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Build {
    pub(crate) fn run(self) -> Result<(), Error> {
        let output = self.output.unwrap_or_else(Options::output);
        let built = oci::build(&Options {
            variants: self.variant,
            key: self.key.map(|key| Key::read(&key)).transpose()?,
            source: self.source,
            output: std::path::absolute(&output).unwrap_or(output),
        })?;
        print(&built)
    }
}

fn print(built: &Built) -> Result<(), Error> {
    match built.facts.revision.as_deref() {
        None => output::tell("warning: this is no git work tree: the images name no revision"),
        Some(revision) if revision.ends_with("-dirty") => output::tell(format_args!(
            "warning: the tree has changes that are not in a commit: {revision}"
        )),
        Some(_) => {}
    }
    output::print(format_args!("layout  {}", built.layout.dir().display()))?;
    output::print(format_args!("module  {}", built.module.display()))?;
    output::print(format_args!("sbom    {}", built.sbom.display()))?;
    for tag in built.layout.references()? {
        let image = inspect(&tag, &tag, &built.layout)?;
        output::print(format_args!("\n{}", crate::inspect::to_text(&image)))?;
    }
    Ok(())
}
