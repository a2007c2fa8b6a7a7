//! What a CA hands out, and how it becomes files.

use std::path::{Path, PathBuf};

use rcgen::PublicKeyData;
use rustls_pki_types::CertificateDer;

use crate::error::Result;
use crate::files::{self, Access};
use crate::index::Record;
use crate::key::PrivateKey;
use crate::public_key::{fingerprint, key_fingerprint};
use crate::serial::Serial;
use crate::template::Template;

/// A signed certificate and what the index says of it.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The same in PEM.
    pub pem: String,
    /// Its line in the index.
    pub record: Record,
}

impl Certificate {
    pub(crate) fn new(
        signed: &rcgen::Certificate,
        template: &Template,
        serial: Serial,
        key: &impl PublicKeyData,
    ) -> Self {
        let record = Record {
            serial,
            names: template.names(),
            not_after: template.not_after,
            fingerprint: fingerprint(signed.der()),
            key_fingerprint: key_fingerprint(key),
            revoked: None,
        };
        Self {
            der: signed.der().clone(),
            pem: signed.pem(),
            record,
        }
    }

    /// Writes the certificate to a new file, readable by all.
    ///
    /// # Errors
    /// [`crate::error::Error::Exists`] if there is one.
    pub fn write(&self, path: &Path) -> Result<()> {
        files::create(path, self.pem.as_bytes(), Access::Public)
    }
}

/// A certificate with the private key that was made for it.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// Its key.
    pub key: PrivateKey,
}

impl Issued {
    /// Writes both to new files, the key with mode 600.
    ///
    /// # Errors
    /// [`crate::error::Error::Exists`] if either stands there; neither is written then.
    pub fn write(&self, pair: &PairPaths) -> Result<()> {
        files::refuse_existing([pair.key.as_path(), pair.certificate.as_path()])?;
        files::create(&pair.key, self.key.to_pem().as_bytes(), Access::Private)?;
        self.certificate.write(&pair.certificate)
    }
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairPaths {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// The private key, PKCS #8 PEM.
    pub key: PathBuf,
}

impl PairPaths {
    /// `STEM.pem` and `STEM.key` in `dir`.
    #[must_use]
    pub fn new(dir: &Path, stem: &str) -> Self {
        Self {
            certificate: dir.join(format!("{stem}.pem")),
            key: dir.join(format!("{stem}.key")),
        }
    }
}
