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
use crate::store::{self, Manifest, Store};
use crate::{digest, index, media_type};

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

/// A manifest that a layout lists.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) tag: Option<String>,
    pub(crate) manifest: OciDescriptor,
}

impl Listed {
    fn new(entry: &ImageIndexEntry) -> Self {
        Self {
            tag: tag(entry).map(str::to_owned),
            manifest: index::descriptor(entry),
        }
    }

    /// What finds it in its layout: its tag, or without one its digest.
    pub(crate) fn reference(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.manifest.digest)
    }
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
        if dir.is_file() {
            return Err(no_layout("it is a file and no folder".into()));
        }
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

    /// What finds its images, [`Store::manifest`]'s argument: the tag of each, or the digest of one without a tag.
    ///
    /// # Errors
    /// There is none.
    pub fn references(&self) -> Result<Vec<String>> {
        let images = self.images()?.into_iter();
        Ok(images.map(|image| image.reference().to_owned()).collect())
    }

    /// Adds a blob.
    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Result<OciDescriptor> {
        let descriptor = store::describe(media_type, bytes);
        let file = self.path(&descriptor.digest)?;
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

    /// The images, in the order of the index. Of several that share a tag or have none, and are for several platforms, it is
    /// the one that an agent would take if the layout's index were an image's.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn images(&self) -> Result<Vec<Listed>> {
        let (images, _) = self.split();
        let mut taken: Vec<Listed> = Vec::new();
        for entry in &images {
            let tag = tag(entry);
            if taken.iter().any(|image| image.tag.as_deref() == tag) {
                continue;
            }
            let group = images.iter().copied().filter(|each| self::tag(each) == tag);
            let is_index =
                group.clone().count() > 1 && group.clone().any(|each| each.platform.is_some());
            let name = tag.map_or_else(|| self.dir.display().to_string(), str::to_owned);
            match tag {
                _ if is_index => taken.push(Listed::new(index::linux_amd64(&name, group)?)),
                Some(_) => taken.push(Listed::new(entry)),
                None => taken.extend(group.map(Listed::new)),
            }
        }
        if taken.is_empty() {
            return Err(Error::NotALayout {
                path: self.dir.clone(),
                reason: "its index names no image".into(),
            });
        }
        Ok(taken)
    }

    /// Everything else that the index lists: signatures, SBOMs, and what else belongs to an image.
    pub(crate) fn companions(&self) -> Vec<Listed> {
        let (_, companions) = self.split();
        companions.into_iter().map(Listed::new).collect()
    }

    fn split(&self) -> (Vec<&ImageIndexEntry>, Vec<&ImageIndexEntry>) {
        let entries = self.index.manifests.iter();
        entries.partition(|entry| match tag(entry) {
            Some(tag) => !store::is_companion(tag),
            None => !index::is_attestation(entry) && !self.has_subject(entry),
        })
    }

    /// Whether a manifest is a referrer of another one.
    fn has_subject(&self, entry: &ImageIndexEntry) -> bool {
        let manifest = self.blob(&Listed::new(entry).manifest).ok();
        let manifest =
            manifest.and_then(|bytes| serde_json::from_slice::<OciImageManifest>(&bytes).ok());
        manifest.is_some_and(|manifest| manifest.subject.is_some())
    }

    fn path(&self, digest: &str) -> Result<PathBuf> {
        Ok(self.dir.join("blobs/sha256").join(digest::digits(digest)?))
    }

    fn read(&self, digest: &str, descriptor: Option<&OciDescriptor>) -> Result<Vec<u8>> {
        let file = self.path(digest)?;
        let name = file.display().to_string();
        let unreadable = || format!("cannot read {name}");
        if let Some(descriptor) = descriptor {
            let size = fs::metadata(&file).context(unreadable)?.len();
            digest::check_size(&name, size, descriptor)?;
        }
        let bytes = fs::read(&file).context(unreadable)?;
        digest::check(&name, &bytes, digest)?;
        Ok(bytes)
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
    fn manifest(&self, reference: &str) -> Result<Option<Manifest>> {
        let mut listed = self.images()?.into_iter().chain(self.companions());
        // Some tools take the whole name of an image for a tag, with the colon that a digest has too.
        if let Some(Listed { manifest, .. }) = listed.find(|each| each.reference() == reference) {
            return Ok(Some(Manifest {
                bytes: self.blob(&manifest)?,
                media_type: Some(manifest.media_type),
            }));
        }
        if !reference.contains(':') {
            return Ok(None);
        }
        Ok(Some(Manifest {
            bytes: self.read(reference, None)?,
            media_type: None,
        }))
    }

    fn blob(&self, descriptor: &OciDescriptor) -> Result<Vec<u8>> {
        self.read(&descriptor.digest, Some(descriptor))
    }
}

fn tag(entry: &ImageIndexEntry) -> Option<&str> {
    let annotations = entry.annotations.as_ref()?;
    annotations.get(REF_NAME).map(String::as_str)
}
