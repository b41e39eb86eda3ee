//! The keys and certificates of the API server.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use mesh::error::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::network::GATEWAY;
use crate::error::{Error, Result};

/// The files of an authority, of the API server and of its administrator.
#[derive(Debug)]
pub(super) struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Creates the keys and certificates in `dir`.
    pub(super) fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).context(|| format!("cannot create {}", dir.display()))?;
        let pki = Self {
            dir: dir.to_owned(),
        };
        let key = generate("the cluster's authority")?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let authority = params
            .self_signed(&key)
            .map_err(|source| failed("the cluster's authority", source))?;
        pki.write("ca.crt", &authority.pem())?;
        let issuer = Issuer::new(params, key);

        let mut server = CertificateParams::default();
        server.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(GATEWAY))];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        pki.issue("apiserver", server, &issuer)?;

        let mut admin = CertificateParams::default();
        let name = &mut admin.distinguished_name;
        // The group that may do everything.
        name.push(DnType::OrganizationName, "system:masters");
        name.push(DnType::CommonName, "admin");
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        pki.issue("admin", admin, &issuer)?;

        let accounts = generate("service accounts")?;
        pki.write("accounts.key", &accounts.serialize_pem())?;
        pki.write("accounts.pub", &accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The path of one of its files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn issue(
        &self,
        name: &str,
        mut params: CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> Result<()> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = generate(name)?;
        let certificate = params
            .signed_by(&key, issuer)
            .map_err(|source| failed(name, source))?;
        self.write(&format!("{name}.crt"), &certificate.pem())?;
        self.write(&format!("{name}.key"), &key.serialize_pem())
    }

    fn write(&self, name: &str, pem: &str) -> Result<()> {
        let path = self.file(name);
        Ok(fs::write(&path, pem).context(|| format!("cannot write {}", path.display()))?)
    }
}

fn generate(name: &str) -> Result<KeyPair> {
    KeyPair::generate().map_err(|source| failed(name, source))
}

fn failed(name: &str, source: rcgen::Error) -> Error {
    Error::Certificate {
        name: name.to_owned(),
        source,
    }
}
