//! A client certificate with its key, read from PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use certs::PairPaths;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::x509::X509;

use super::jose::base64url;

/// Where a certificate chain and its private key are. The key is read when it is used and kept nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// PEM file: the certificate, then the intermediates if there are any.
    pub certificate: PathBuf,
    /// PEM file: the private key, PKCS #8.
    pub key: PathBuf,
}

impl Credentials {
    /// The certificates of the file, own one first, as DER.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn chain(&self) -> Result<Vec<Vec<u8>>> {
        certificates(&self.certificate)?
            .iter()
            .map(|certificate| Ok(certificate.to_der()?))
            .collect()
    }

    /// The private key.
    ///
    /// # Errors
    /// When the file cannot be read or holds no key.
    pub fn private_key(&self) -> Result<PKey<Private>> {
        let pem = read(&self.key)?;
        PKey::private_key_from_pem(&pem).with_context(|| format!("no private key in {}", self.key.display()))
    }

    /// Base64url of the SHA-256 of the certificate's SubjectPublicKeyInfo: how the vault's register names the key.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn key_thumbprint(&self) -> Result<String> {
        let certificates = certificates(&self.certificate)?;
        let own = certificates.first().context("an empty certificate file")?;
        Ok(base64url(&sha256(&own.public_key()?.public_key_to_der()?)))
    }
}

/// All certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<X509>> {
    let found =
        X509::stack_from_pem(&read(path)?).with_context(|| format!("bad PEM in {}", path.display()))?;
    anyhow::ensure!(!found.is_empty(), "no certificate in {}", path.display());
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

impl From<&PairPaths> for Credentials {
    fn from(pair: &PairPaths) -> Self {
        Self {
            certificate: pair.certificate.clone(),
            key: pair.key.clone(),
        }
    }
}
