//! CustomResourceDefinitions, and the validation of manifests as in an API server.

mod functions;
mod rules;
mod structure;

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use self::rules::Rules;
use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// The CustomResourceDefinitions of a folder.
#[derive(Debug)]
pub struct Definitions {
    kinds: BTreeMap<(String, String), Kind>,
}

/// One version of a kind.
#[derive(Debug)]
struct Kind {
    schema: Value,
    structure: Validator,
    rules: Rules,
}

impl Definitions {
    /// Reads all definitions in a folder.
    ///
    /// # Errors
    /// A file cannot be read, or a definition cannot be used.
    pub fn read(folder: &Path) -> Result<Self> {
        let read = |source| Error::Read {
            path: folder.to_owned(),
            source,
        };
        let mut kinds = BTreeMap::new();
        for entry in folder.read_dir().map_err(read)? {
            let path = entry.map_err(read)?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            for definition in Manifest::read(&path)? {
                if definition.kind() == "CustomResourceDefinition" {
                    kinds.append(&mut versions(&definition)?);
                }
            }
        }
        Ok(Self { kinds })
    }

    /// Whether there is a definition of a manifest's API group.
    #[must_use]
    pub fn has_group_of(&self, manifest: &Manifest) -> bool {
        let group = |api_version: &str| {
            api_version
                .split_once('/')
                .map(|(group, _)| group.to_owned())
        };
        let wanted = group(manifest.api_version());
        let mut known = self.kinds.keys();
        wanted.is_some() && known.any(|(api_version, _)| group(api_version) == wanted)
    }

    /// Validates a manifest as an API server with these definitions does. Unknown fields, which the
    /// server would drop, are errors.
    ///
    /// # Errors
    /// The manifest is invalid. The message has one line per fault, which begins with the field.
    pub fn check(&self, manifest: &Manifest) -> Result<()> {
        let key = (
            manifest.api_version().to_owned(),
            manifest.kind().to_owned(),
        );
        let kind = self.kinds.get(&key).ok_or_else(|| Error::UnknownKind {
            manifest: manifest.to_string(),
            api_version: key.0.clone(),
            kind: key.1.clone(),
        })?;
        let mut complaints = structure::complaints(&kind.structure, &manifest.document);
        complaints.extend(kind.rules.complaints(&kind.schema, &manifest.document));
        if complaints.is_empty() {
            return Ok(());
        }
        Err(Error::Refused {
            manifest: manifest.to_string(),
            complaints,
        })
    }
}

fn versions(definition: &Manifest) -> Result<BTreeMap<(String, String), Kind>> {
    let kind = definition.text("/spec/names/kind");
    let group = definition.text("/spec/group");
    let versions = definition.document.pointer("/spec/versions");
    let versions = versions.and_then(Value::as_array).into_iter().flatten();
    let mut kinds = BTreeMap::new();
    for version in versions {
        let missing = |what: &str| Error::Definition {
            kind: kind.to_owned(),
            reason: format!("a version has no {what}"),
        };
        let name = version.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| missing("name"))?;
        let schema = version.pointer("/schema/openAPIV3Schema");
        let schema = schema.ok_or_else(|| missing("openAPIV3Schema"))?;
        let unusable = |reason| Error::Definition {
            kind: kind.to_owned(),
            reason,
        };
        let value = Kind {
            structure: structure::validator(schema).map_err(unusable)?,
            rules: Rules::compile(schema).map_err(unusable)?,
            schema: schema.clone(),
        };
        kinds.insert((format!("{group}/{name}"), kind.to_owned()), value);
    }
    Ok(kinds)
}
