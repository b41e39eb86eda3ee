//! A registry that is strict about the protocol: a request for a manifest must accept its media
//! type, a request for a blob must accept any type, and an index is accepted only after its images.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::content::{Content, digest};
use crate::server::{Request, Response};

/// A strict registry and its content.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strict {
    content: Arc<Mutex<Content>>,
    upload: Arc<Mutex<Vec<u8>>>,
}

impl Strict {
    /// A registry with images, each under a tag.
    pub(crate) fn new(content: &Content, tags: &[(&str, &Value)]) -> Self {
        let mut content = content.clone();
        for (tag, entry) in tags {
            let digest = entry["digest"].as_str().unwrap();
            let bytes = content.blobs[digest].clone();
            let media_type = content.manifests[digest].clone();
            content.blobs.insert((*tag).to_owned(), bytes);
            content.manifests.insert((*tag).to_owned(), media_type);
        }
        Self {
            content: Arc::new(Mutex::new(content)),
            upload: Arc::default(),
        }
    }

    /// A manifest by its tag or digest; `None` if it is missing.
    pub(crate) fn manifest(&self, reference: &str) -> Option<Vec<u8>> {
        let content = self.content.lock().unwrap();
        let is_there = content.manifests.contains_key(reference);
        content.blobs.get(reference).filter(|_| is_there).cloned()
    }

    pub(crate) fn answer(&self, request: &Request) -> Response {
        let path = request.path();
        let Some((_, rest)) = path.split_once("/x/") else {
            return Response::new(200).body("{}");
        };
        match (request.method.as_str(), rest.split_once('/')) {
            ("GET" | "HEAD", Some(("manifests", reference))) => self.pull(request, reference),
            ("PUT", Some(("manifests", reference))) => self.push(request, reference),
            ("GET" | "HEAD", Some(("blobs", digest))) => {
                let accepts = request.header("Accept").unwrap_or("*/*");
                let content = self.content.lock().unwrap();
                match content.blobs.get(digest) {
                    Some(blob) if accepts == "*/*" => Response::new(200).body(blob.clone()),
                    _ => Response::new(404),
                }
            }
            (method, Some(("blobs", _))) => self.upload(method, request),
            _ => Response::new(400),
        }
    }

    fn pull(&self, request: &Request, reference: &str) -> Response {
        let content = self.content.lock().unwrap();
        let accepts = request.header("Accept").unwrap_or_default();
        let media_type = content.manifests.get(reference);
        match media_type.filter(|media_type| accepts.split(',').any(|each| each == *media_type)) {
            Some(media_type) => Response::new(200)
                .with("Content-Type", media_type)
                .body(content.blobs[reference].clone()),
            None => Response::new(404),
        }
    }

    fn push(&self, request: &Request, reference: &str) -> Response {
        let document: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let parts = ["manifests", "layers"].map(|list| document[list].as_array());
        let mut parts = parts.into_iter().flatten().flatten();
        let mut content = self.content.lock().unwrap();
        if !parts.all(|part| {
            content
                .blobs
                .contains_key(part["digest"].as_str().unwrap_or(""))
        }) {
            return Response::new(400).body("a part is missing");
        }
        let media_type = request.header("Content-Type").unwrap_or_default();
        let digest = digest(&request.body);
        for name in [reference, &digest] {
            content.blobs.insert(name.to_owned(), request.body.clone());
            content
                .manifests
                .insert(name.to_owned(), media_type.to_owned());
        }
        Response::new(201)
    }

    /// Handles the requests of one upload. Uploads are sequential.
    fn upload(&self, method: &str, request: &Request) -> Response {
        let mut upload = self.upload.lock().unwrap();
        if method == "POST" {
            upload.clear();
        }
        upload.extend_from_slice(&request.body);
        let location = "/v2/x/blobs/uploads/1";
        if method == "PUT" {
            let mut content = self.content.lock().unwrap();
            content.blobs.insert(digest(&upload), upload.clone());
            return Response::new(201).with("Location", location);
        }
        Response::new(202)
            .with("Location", location)
            .with("Range", format!("0-{}", upload.len().saturating_sub(1)))
    }
}
