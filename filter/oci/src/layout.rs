//! An OCI image layout: a folder of blobs named by what they hold, and an index that gives some of them tags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use oci_client::manifest::{
    ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE, OciDescriptor, OciImageIndex, OciImageManifest,
};
use serde::Serialize;
use serde_json::json;

use crate::error::{Context, Error, Result};
use crate::store::{self, Store};
use crate::{digest, media_type};

/// What a layout calls a tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";

/// An OCI image layout.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
    index: OciImageIndex,
}

/// A manifest of a layout.
#[derive(Clone, Debug)]
pub(crate) struct Tagged {
    pub(crate) tag: String,
    pub(crate) manifest: OciDescriptor,
}

impl Layout {
    /// Makes an empty layout in place of what `dir` holds.
    ///
    /// # Errors
    /// The folder cannot be made, or holds something that is no layout.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let in_the_way = dir.exists() && !dir.join(MARKER).is_file();
        if in_the_way && fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::NotALayout {
                path: dir.to_owned(),
                reason: "it has no file oci-layout".into(),
            });
        }
        let blobs = dir.join("blobs/sha256");
        let cleared = match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&blobs),
        };
        cleared.context(|| format!("cannot create {}", blobs.display()))?;
        let layout = Self {
            dir: dir.to_owned(),
            index: OciImageIndex {
                schema_version: 2,
                media_type: Some(OCI_IMAGE_INDEX_MEDIA_TYPE.into()),
                manifests: Vec::new(),
                artifact_type: None,
                annotations: None,
            },
        };
        layout.write_json(MARKER, &json!({ "imageLayoutVersion": "1.0.0" }))?;
        Ok(layout)
    }

    /// Opens a layout.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let no_layout = |reason: String| Error::NotALayout {
            path: dir.to_owned(),
            reason,
        };
        let file = dir.join(INDEX);
        if !dir.join(MARKER).is_file() {
            return Err(no_layout("it has no file oci-layout".into()));
        }
        let text = fs::read(&file).context(|| format!("cannot read {}", file.display()))?;
        let index = serde_json::from_slice(&text).map_err(|error| no_layout(error.to_string()))?;
        Ok(Self {
            dir: dir.to_owned(),
            index,
        })
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The tags of its images.
    ///
    /// # Errors
    /// There is none.
    pub fn tags(&self) -> Result<Vec<String>> {
        let images = self.images()?.into_iter();
        Ok(images.map(|image| image.tag).collect())
    }

    /// Adds a blob.
    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Result<OciDescriptor> {
        let descriptor = store::describe(media_type, bytes);
        let file = self.path(&descriptor.digest);
        fs::write(&file, bytes).context(|| format!("cannot write {}", file.display()))?;
        Ok(descriptor)
    }

    /// Adds a blob that is a JSON document.
    pub(crate) fn put_json(
        &self,
        media_type: &str,
        document: &impl Serialize,
    ) -> Result<OciDescriptor> {
        self.put(media_type, &self.json("a blob", document)?)
    }

    /// Adds a manifest under a tag.
    pub(crate) fn tag(&mut self, tag: &str, manifest: &OciImageManifest) -> Result<OciDescriptor> {
        let descriptor = self.put_json(media_type::MANIFEST, manifest)?;
        self.index.manifests.push(ImageIndexEntry {
            media_type: descriptor.media_type.clone(),
            digest: descriptor.digest.clone(),
            size: descriptor.size,
            platform: None,
            annotations: Some(BTreeMap::from([(REF_NAME.to_owned(), tag.to_owned())])),
            artifact_type: manifest.artifact_type.clone(),
        });
        self.write_json(INDEX, &self.index)?;
        Ok(descriptor)
    }

    /// Every manifest that has a tag, in the order of the index.
    pub(crate) fn tagged(&self) -> impl DoubleEndedIterator<Item = Tagged> {
        self.index.manifests.iter().filter_map(|entry| {
            let tag = entry.annotations.as_ref()?.get(REF_NAME)?.clone();
            let manifest = OciDescriptor {
                media_type: entry.media_type.clone(),
                digest: entry.digest.clone(),
                size: entry.size,
                ..OciDescriptor::default()
            };
            Some(Tagged { tag, manifest })
        })
    }

    /// The images among them.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn images(&self) -> Result<Vec<Tagged>> {
        let images: Vec<_> = self
            .tagged()
            .filter(|tagged| store::is_image(&tagged.tag))
            .collect();
        if images.is_empty() {
            return Err(Error::NotALayout {
                path: self.dir.clone(),
                reason: "its index names no image".into(),
            });
        }
        Ok(images)
    }

    fn path(&self, digest: &str) -> PathBuf {
        // A digest has one colon; what else a hostile index says stays below this folder.
        let name = digest.strip_prefix("sha256:").unwrap_or(digest);
        self.dir.join("blobs/sha256").join(name.replace('/', "_"))
    }

    fn json(&self, what: &str, document: &impl Serialize) -> Result<Vec<u8>> {
        serde_json::to_vec(document).map_err(|error| Error::NotALayout {
            path: self.dir.clone(),
            reason: format!("{what} cannot be written: {error}"),
        })
    }

    fn write_json(&self, name: &str, document: &impl Serialize) -> Result<()> {
        let file = self.dir.join(name);
        fs::write(&file, self.json(name, document)?)
            .context(|| format!("cannot write {}", file.display()))
    }
}

impl Store for Layout {
    fn manifest(&self, tag: &str) -> Result<Option<Vec<u8>>> {
        let found = self.tagged().find(|tagged| tagged.tag == tag);
        found.map(|tagged| self.blob(&tagged.manifest)).transpose()
    }

    fn blob(&self, descriptor: &OciDescriptor) -> Result<Vec<u8>> {
        let file = self.path(&descriptor.digest);
        let bytes = fs::read(&file).context(|| format!("cannot read {}", file.display()))?;
        digest::check(&file.display().to_string(), &bytes, &descriptor.digest)?;
        Ok(bytes)
    }
}
