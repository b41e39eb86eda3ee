//! A certificate authority of a mesh, with the file layout of an Istio proxy.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::error::{Context, Error, Result};

/// The organisation in the authority's certificate: Istio's default trust domain.
const ORGANISATION: &str = "cluster.local";

/// A certificate authority whose files are in one folder: `root-cert.pem`, and for each identity a
/// folder with `cert-chain.pem` and `key.pem`.
#[derive(Debug)]
pub struct MeshCa {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// The files of one identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The authority's certificate.
    pub root: PathBuf,
    /// The certificate.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl MeshCa {
    /// Creates an authority in `dir`. Overwrites the files of an earlier one.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn create(dir: &Path) -> Result<Self> {
        let failed = |source| Error::Certificate {
            name: ORGANISATION.into(),
            source,
        };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::OrganizationName, ORGANISATION);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(failed)?;
        write(&dir.join("root-cert.pem"), &certificate.pem())?;
        Ok(Self {
            dir: dir.to_owned(),
            issuer: Issuer::new(params, key),
        })
    }

    /// The path of the authority's certificate.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("root-cert.pem")
    }

    /// Issues a certificate with this URI as its only SAN, in this folder.
    ///
    /// # Errors
    /// The certificate cannot be created or written.
    pub fn issue_for_uri(&self, folder: &str, uri: &str) -> Result<Identity> {
        self.issue_for_uris(folder, &[uri])
    }

    /// Issues a certificate with these URIs as SANs, in this order, in this folder.
    ///
    /// # Errors
    /// The certificate cannot be created or written.
    pub fn issue_for_uris(&self, folder: &str, uris: &[&str]) -> Result<Identity> {
        let names = uris.iter().map(|uri| {
            let uri = (*uri).try_into().map_err(|source| Error::Certificate {
                name: (*uri).to_owned(),
                source,
            })?;
            Ok(SanType::URI(uri))
        });
        self.issue_as(folder, folder, names.collect::<Result<_>>()?)
    }

    /// Issues a certificate for a host name, like that of a server outside the mesh.
    ///
    /// # Errors
    /// The certificate cannot be created or written.
    pub fn issue_for_host(&self, host: &str) -> Result<Identity> {
        let failed = |source| Error::Certificate {
            name: host.to_owned(),
            source,
        };
        self.issue_as(
            host,
            host,
            vec![SanType::DnsName(host.try_into().map_err(failed)?)],
        )
    }

    fn issue_as(&self, folder: &str, name: &str, subjects: Vec<SanType>) -> Result<Identity> {
        let failed = |source| Error::Certificate {
            name: name.to_owned(),
            source,
        };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = subjects;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let dir = self.dir.join(folder);
        let identity = Identity {
            root: self.root(),
            chain: dir.join("cert-chain.pem"),
            key: dir.join("key.pem"),
        };
        write(&identity.chain, &certificate.pem())?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

fn write(path: &Path, pem: &str) -> Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(path, pem))
        .context(|| format!("cannot write {}", path.display()))
}
