use std::path::PathBuf;

use oci::{Built, Error, Key, Options, Variants, inspect};

use crate::output;

/// Build the filter and write it as an OCI image layout.
///
/// The same commit gives the same bytes on every machine; only a signature differs from run to run.
/// The output folder also has the bare module with its SHA-256, and an SBOM of the module.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo oci build
  cargo oci build --key cosign.key --source https://git.example.com/mesh/tcp-peer-stats")]
pub(crate) struct Build {
    /// The variants to build
    #[arg(long, value_enum, default_value_t)]
    variant: Variants,
    /// Sign the images for cosign with this ECDSA P-256 key (PKCS#8, PEM)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The URL of the sources; by default the repository in Cargo.toml
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// The output folder; by default target/oci
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
    match built.provenance.revision.as_deref() {
        None => output::report("warning: this is not a git work tree: the images have no revision"),
        Some(revision) if revision.ends_with("-dirty") => output::report(format_args!(
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
