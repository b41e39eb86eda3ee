use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::output::outln;

/// Make a folder with a filter, a scenario, and a test that plays it.
///
/// The filter is a small one in Rust, for `cargo test`. Filters in C++, Go (TinyGo) and other
/// languages need no such folder: all other commands take their `.wasm` with `--wasm`.
#[derive(clap::Args)]
#[command(after_help = "Example:
  harness new my-filter
  cd my-filter
  cargo test")]
pub(crate) struct New {
    /// The folder to make. Its last part is the name of the package.
    folder: PathBuf,
}

/// The files, by their path in the new folder. `{{name}}` is the package, `{{file}}` its name as a
/// file, `{{version}}` the version of the harness.
const FILES: [(&str, &str); 7] = [
    (
        "Cargo.toml",
        include_str!("../template/Cargo.toml.template"),
    ),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    (
        "tests/scenarios.rs",
        include_str!("../template/tests/scenarios.rs"),
    ),
    (
        "scenarios/counts.yaml",
        include_str!("../template/scenarios/counts.yaml"),
    ),
    (
        ".github/workflows/test.yml",
        include_str!("../template/ci.yml"),
    ),
    ("README.md", include_str!("../template/README.md")),
    (".gitignore", include_str!("../template/gitignore")),
];

/// The reason why there is no new folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "{0:?} is no name of a cargo package: use ASCII letters, digits, `-` and `_`, and begin with a letter"
    )]
    Name(String),
    #[error("{0} exists and is not empty: name another folder")]
    NotEmpty(String),
    #[error("{path}: {source}")]
    Write { path: String, source: io::Error },
}

impl New {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let name = package(&self.folder)?;
        let used = fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_some());
        if used {
            return Err(Error::NotEmpty(self.folder.display().to_string()));
        }
        for (path, text) in FILES {
            let text = text
                .replace("{{name}}", &name)
                .replace("{{file}}", &name.replace('-', "_"))
                .replace("{{version}}", env!("CARGO_PKG_VERSION"));
            write(&self.folder.join(path), &text)?;
        }
        let folder = self.folder.display();
        outln!("made {folder}: run `cargo test` in it");
        Ok(ExitCode::SUCCESS)
    }
}

/// The name of the package in a folder.
fn package(folder: &Path) -> Result<String, Error> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    match starts && name.chars().all(is_letter) {
        true => Ok(name.into_owned()),
        false => Err(Error::Name(name.into_owned())),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| Error::Write {
        path: path.display().to_string(),
        source,
    })
}
