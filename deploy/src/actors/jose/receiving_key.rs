//! The key pair to which a client lets its answers be sealed: RSA or, beyond the seed, P-256.

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use josekit::jwe::alg::ecdh_es::EcdhEsJweAlgorithm;
use josekit::jwe::alg::rsaes::RsaesJweAlgorithm;
use josekit::jwe::{self, JweDecrypter};
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use serde_json::{Value, json};

use super::thumbprint::{public_jwk, thumbprint};

/// A client's own key pair and the value of its `Public-Key` header.
pub struct ReceivingKey {
    key: PKey<Private>,
    header: String,
    thumbprint: String,
}

impl ReceivingKey {
    /// An RSA key; answers come as `RSA-OAEP-256`.
    ///
    /// # Errors
    /// When OpenSSL cannot make one.
    pub fn rsa(bits: u32) -> Result<Self> {
        Self::of(PKey::from_rsa(Rsa::generate(bits)?)?)
    }

    /// A P-256 key; answers come as `ECDH-ES`.
    ///
    /// # Errors
    /// When OpenSSL cannot make one.
    pub fn p256() -> Result<Self> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Self::of(PKey::from_ec_key(EcKey::generate(&group)?)?)
    }

    /// A key that exists already.
    ///
    /// # Errors
    /// When it is neither RSA nor P-256.
    pub fn of(key: PKey<Private>) -> Result<Self> {
        let header = STANDARD.encode(key.public_key_to_der()?);
        let thumbprint = thumbprint(&key)?;
        Ok(Self {
            key,
            header,
            thumbprint,
        })
    }

    /// The value of `Public-Key`: base64 of the DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The RFC 7638 thumbprint: a proof's `rpk`.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The public key as a JWK, its required members alone.
    ///
    /// # Errors
    /// When OpenSSL cannot give its numbers.
    pub fn public_jwk(&self) -> Result<Value> {
        public_jwk(&self.key)
    }

    /// Public key in PEM, for another implementation to look at.
    ///
    /// # Errors
    /// When OpenSSL cannot write it.
    pub fn public_pem(&self) -> Result<Vec<u8>> {
        Ok(self.key.public_key_to_pem()?)
    }

    /// Opens an answer. The header must be exactly the one of the contract.
    ///
    /// # Errors
    /// When it was sealed to another key, changed on its way, or has an unexpected header.
    pub fn open(&self, jwe: &str) -> Result<Value> {
        let der = self.key.private_key_to_pkcs8()?;
        let rsa = self.key.rsa().is_ok();
        let decrypter: Box<dyn JweDecrypter> = if rsa {
            Box::new(RsaesJweAlgorithm::RsaOaep256.decrypter_from_der(der)?)
        } else {
            Box::new(EcdhEsJweAlgorithm::EcdhEs.decrypter_from_der(der)?)
        };
        let (content, header) = jwe::deserialize_compact(jwe, decrypter.as_ref())
            .context("the answer does not open with our key")?;
        let header = Value::Object(header.claims_set().clone());
        if rsa {
            let expected = json!({ "alg": "RSA-OAEP-256", "enc": "A256GCM" });
            anyhow::ensure!(header == expected, "an answer with another header: {header}");
        } else {
            anyhow::ensure!(
                header.get("alg") == Some(&json!("ECDH-ES")) && header.get("enc") == Some(&json!("A256GCM")),
                "an answer with another header: {header}"
            );
        }
        serde_json::from_slice(&content).context("the answer's content is not JSON")
    }
}

impl std::fmt::Debug for ReceivingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReceivingKey({})", self.thumbprint)
    }
}
