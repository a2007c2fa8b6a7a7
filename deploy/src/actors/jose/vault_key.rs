//! The vault's public key as a client uses it: to seal a PIN or an address so that nobody on the way can read it.

use anyhow::{Context, Result};
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use josekit::jwe::{self, JweHeader};
use openssl::pkey::PKey;
use serde_json::Value;

use super::thumbprint::thumbprint;

/// An RSA key to seal to. [`super::Trust::vault_key`] makes one from an attested answer only.
#[derive(Debug, Clone)]
pub struct VaultKey {
    pem: String,
    thumbprint: String,
}

impl VaultKey {
    /// Takes any RSA key: what a careless client would do, and an attacker.
    ///
    /// # Errors
    /// When it is no public key in PEM.
    pub fn unchecked(pem: &str) -> Result<Self> {
        let key = PKey::public_key_from_pem(pem.as_bytes()).context("no public key in PEM")?;
        Ok(Self {
            pem: pem.to_owned(),
            thumbprint: thumbprint(&key)?,
        })
    }

    /// The RFC 7638 thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The key in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Seals JSON with `RSA-OAEP-256` and `A256GCM`.
    ///
    /// # Errors
    /// When OpenSSL refuses the key.
    pub fn seal(&self, content: &Value) -> Result<String> {
        self.seal_bytes(content.to_string().as_bytes(), RsaesJweAlgorithm::RsaOaep256)
    }

    /// Seals any bytes with the key wrap of the caller's choice: a client to the letter of the seed may use `RSA-OAEP`.
    ///
    /// # Errors
    /// When OpenSSL refuses the key.
    pub fn seal_bytes(&self, content: &[u8], algorithm: RsaesJweAlgorithm) -> Result<String> {
        let mut header = JweHeader::new();
        header.set_content_encryption("A256GCM");
        let encrypter = algorithm.encrypter_from_pem(&self.pem)?;
        Ok(jwe::serialize_compact(content, &header, &encrypter)?)
    }
}
