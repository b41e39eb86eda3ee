//! Requests to one repository of a registry, with their authorization.

use std::cell::RefCell;
use std::time::Instant;

use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};

use crate::error::{Error, Result};
use crate::registry::credential::Credential;
use crate::registry::http;
use crate::registry::token::{Authorization, Granted};

/// A repository and a credential for it.
pub(super) struct Session {
    http: Client,
    base: Url,
    pub(super) reference: Reference,
    credential: Credential,
    granted: RefCell<Option<Granted>>,
}

impl Session {
    /// Prepares requests by the scheme `http` or `https`. Nothing is sent yet.
    pub(super) fn new(reference: Reference, credential: Credential, scheme: &str) -> Result<Self> {
        let host = reference.resolve_registry();
        let base = Url::parse(&format!("{scheme}://{host}/v2/"));
        Ok(Self {
            base: base.map_err(|error| Error::Reference {
                reference: reference.whole(),
                reason: error.to_string(),
            })?,
            http: http::client(host, false)?,
            reference,
            credential,
            granted: RefCell::default(),
        })
    }

    /// The registry's host, with its port.
    pub(super) fn host(&self) -> &str {
        self.reference.resolve_registry()
    }

    /// The error of a reference that an operation cannot use.
    pub(super) fn unusable(&self, reason: &str) -> Error {
        Error::Reference {
            reference: self.reference.whole(),
            reason: reason.to_owned(),
        }
    }

    /// The error of a registry that rejects the credential; `name` is the image's.
    pub(super) fn rejected(&self, name: &str) -> Error {
        self.credential.rejected(self.host(), name)
    }

    /// A request for a manifest or a blob of the repository; `kind` is `manifests` or `blobs`.
    pub(super) fn request(
        &self,
        method: Method,
        kind: &str,
        reference: &str,
    ) -> Result<RequestBuilder> {
        let path = format!("{}/{kind}/{reference}", self.reference.repository());
        let url = self.base.join(&path);
        let url = url.map_err(|error| self.unusable(&error.to_string()))?;
        Ok(self.http.request(method, url))
    }

    /// Sends a request and returns a successful response; `name` is the image's in errors.
    pub(super) async fn send(
        &self,
        name: &str,
        request: RequestBuilder,
        operation: RegistryOperation,
    ) -> Result<Response> {
        let request = match self.authorise(name, operation).await? {
            RegistryAuth::Anonymous => request,
            RegistryAuth::Basic(username, password) => request.basic_auth(username, Some(password)),
            RegistryAuth::Bearer(token) => request.bearer_auth(token),
        };
        let answer = request.send().await;
        let answer = answer.map_err(|error| http::unreachable(self.host(), &error))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.rejected(name)),
            StatusCode::NOT_FOUND => Err(Error::NotFound {
                name: name.to_owned(),
            }),
            _ => Err(Error::Registry {
                name: name.to_owned(),
                reason: http::refusal(answer).await,
            }),
        }
    }

    /// Reads the body of a response up to a limit in bytes; `name` is the image's in errors.
    pub(super) async fn read(&self, name: &str, answer: Response, limit: u64) -> Result<Vec<u8>> {
        let bytes = http::read(answer, limit).await;
        let bytes = bytes.map_err(|error| http::unreachable(self.host(), &error))?;
        bytes.ok_or_else(|| Error::Corrupted {
            what: name.to_owned(),
            reason: format!("expected no more than {limit} bytes, and the registry sends more"),
        })
    }

    /// The authorization for an operation. It is requested if there is none yet or the last one has
    /// expired.
    pub(super) async fn authorise(
        &self,
        name: &str,
        operation: RegistryOperation,
    ) -> Result<RegistryAuth> {
        if let Some(granted) = &*self.granted.borrow()
            && (granted.operation == operation || granted.operation == RegistryOperation::Push)
            && granted.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(granted.auth.clone());
        }
        let request = Authorization {
            http: &self.http,
            base: &self.base,
            registry: self.host(),
            repository: self.reference.repository(),
            credential: &self.credential,
            operation,
            name,
        };
        let granted = request.grant().await?;
        let auth = granted.auth.clone();
        self.granted.replace(Some(granted));
        Ok(auth)
    }
}
