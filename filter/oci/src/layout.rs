//! An OCI image layout: a folder of content-addressed blobs, and an index with the tags of
//! manifests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use oci_spec::image::{
    ANNOTATION_REF_NAME, Descriptor, ImageIndex, ImageIndexBuilder, ImageManifest, MediaType,
    OciLayoutBuilder, SCHEMA_VERSION,
};
use serde::Serialize;

use crate::error::{Context, Error, Result};
use crate::store::{self, Manifest, Store};
use crate::{digest, index};

const MARKER: &str = "oci-layout";
const INDEX: &str = "index.json";

/// An OCI image layout.
#[derive(Debug)]
pub struct Layout {
    dir: PathBuf,
    index: ImageIndex,
}

impl Layout {
    /// Creates an empty layout. A layout that exists in `dir` is deleted.
    ///
    /// # Errors
    /// The folder cannot be created, or has other content than a layout.
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
            index: ImageIndexBuilder::default()
                .schema_version(SCHEMA_VERSION)
                .media_type(MediaType::ImageIndex)
                .manifests(Vec::new())
                .build()?,
        };
        let marker = OciLayoutBuilder::default().image_layout_version("1.0.0");
        layout.write_json(MARKER, &marker.build()?)?;
        Ok(layout)
    }

    /// Opens a layout.
    ///
    /// # Errors
    /// There is no layout in `dir`, or it cannot be read.
    pub fn open(dir: &Path) -> Result<Self> {
        let no_layout = |reason: String| Error::NotALayout {
            path: dir.to_owned(),
            reason,
        };
        let file = dir.join(INDEX);
        if dir.is_file() {
            return Err(no_layout("it is a file instead of a folder".into()));
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

    /// The references of its images for [`Store::manifest`]: the tag of each, or the digest of one
    /// without a tag.
    ///
    /// # Errors
    /// There is no image.
    pub fn references(&self) -> Result<Vec<String>> {
        let images = self.images()?.into_iter();
        Ok(images.map(|image| reference(image).to_owned()).collect())
    }

    /// Adds a blob.
    pub(crate) fn put(&self, media_type: impl Into<MediaType>, bytes: &[u8]) -> Result<Descriptor> {
        let descriptor = store::describe(media_type, bytes)?;
        let file = self.path(descriptor.digest().as_ref())?;
        fs::write(&file, bytes).context(|| format!("cannot write {}", file.display()))?;
        Ok(descriptor)
    }

    /// Adds a blob that is a JSON document.
    pub(crate) fn put_json(
        &self,
        media_type: impl Into<MediaType>,
        document: &impl Serialize,
    ) -> Result<Descriptor> {
        self.put(media_type, &self.json("a blob", document)?)
    }

    /// Adds a manifest under a tag.
    pub(crate) fn tag(&mut self, tag: &str, manifest: &ImageManifest) -> Result<Descriptor> {
        let descriptor = self.put_json(MediaType::ImageManifest, manifest)?;
        let mut entry = descriptor.clone();
        let annotation = (ANNOTATION_REF_NAME.to_owned(), tag.to_owned());
        entry.set_annotations(Some(HashMap::from([annotation])));
        entry.set_artifact_type(manifest.artifact_type().clone());
        let mut entries = self.index.manifests().clone();
        entries.push(entry);
        self.index.set_manifests(entries);
        self.write_json(INDEX, &self.index)?;
        Ok(descriptor)
    }

    /// The images, in the order of the index. If several images for several platforms share a tag
    /// or have none, the result has the one that an agent would select from an image index of them.
    ///
    /// # Errors
    /// There is no image.
    pub(crate) fn images(&self) -> Result<Vec<&Descriptor>> {
        let (images, _) = self.split();
        let mut taken: Vec<&Descriptor> = Vec::new();
        for &entry in &images {
            let tag = tag(entry);
            if taken.iter().any(|image| self::tag(image) == tag) {
                continue;
            }
            let group = images.iter().copied().filter(|each| self::tag(each) == tag);
            let is_index =
                group.clone().count() > 1 && group.clone().any(|each| each.platform().is_some());
            let name = tag.map_or_else(|| self.dir.display().to_string(), str::to_owned);
            match tag {
                _ if is_index => taken.push(index::linux_amd64(&name, group)?),
                Some(_) => taken.push(entry),
                None => taken.extend(group),
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

    /// Everything else that the index lists: signatures, SBOMs and other referrers of an image.
    pub(crate) fn companions(&self) -> Vec<&Descriptor> {
        self.split().1
    }

    fn split(&self) -> (Vec<&Descriptor>, Vec<&Descriptor>) {
        let entries = self.index.manifests().iter();
        entries.partition(|entry| match tag(entry) {
            Some(tag) => !store::is_companion(tag),
            None => !index::is_attestation(entry) && !self.has_subject(entry),
        })
    }

    /// Whether a manifest is a referrer of another one.
    fn has_subject(&self, entry: &Descriptor) -> bool {
        let manifest = self.blob(entry).ok();
        let manifest =
            manifest.and_then(|bytes| serde_json::from_slice::<ImageManifest>(&bytes).ok());
        manifest.is_some_and(|manifest| manifest.subject().is_some())
    }

    fn path(&self, digest: &str) -> Result<PathBuf> {
        Ok(self
            .dir
            .join("blobs/sha256")
            .join(digest::parse(digest)?.digest()))
    }

    fn read(&self, digest: &str, descriptor: Option<&Descriptor>) -> Result<Vec<u8>> {
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
        // A `Value` sorts the keys of objects; annotations are hash maps, whose order differs from
        // run to run.
        serde_json::to_value(document)
            .and_then(|document| serde_json::to_vec(&document))
            .map_err(|error| Error::NotALayout {
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
        // Some tools write the whole name of an image as the tag, so a colon does not imply a
        // digest.
        if let Some(manifest) = listed.find(|each| self::reference(each) == reference) {
            return Ok(Some(Manifest {
                bytes: self.blob(manifest)?,
                media_type: Some(manifest.media_type().clone()),
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

    fn blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        self.read(descriptor.digest().as_ref(), Some(descriptor))
    }
}

/// The tag of an entry of a layout's index.
pub(crate) fn tag(entry: &Descriptor) -> Option<&str> {
    let annotations = entry.annotations().as_ref()?;
    annotations.get(ANNOTATION_REF_NAME).map(String::as_str)
}

/// The reference of an entry in its layout: its tag, or without one its digest.
pub(crate) fn reference(entry: &Descriptor) -> &str {
    tag(entry).unwrap_or_else(|| entry.digest().as_ref())
}
