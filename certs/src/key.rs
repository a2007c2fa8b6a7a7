//! Private keys that `certs` makes: ECDSA P-256, kept as PKCS #8, which OpenSSL and rustls both read.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};

/// Characters in a line of PEM (RFC 7468 §2).
const PEM_LINE: usize = 64;

/// An ECDSA P-256 private key. The encoded form is wiped on drop; ring's own copy of the scalar is not ours to wipe, so the
/// process that holds a CA key is a command that ends, never a service.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    rng: SystemRandom,
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`Error::Random`] when the system gives no randomness.
    pub fn generate(rng: &SystemRandom) -> Result<Self> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, rng).map_err(|_| Error::Random)?;
        Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()), rng)
    }

    /// Reads a key from PKCS #8 PEM.
    ///
    /// # Errors
    /// [`Error::PrivateKey`] for anything but one P-256 key.
    pub fn from_pem(pem: &[u8], rng: &SystemRandom) -> Result<Self> {
        let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| Error::PrivateKey)?;
        let pkcs8 = Zeroizing::new(der.secret_pkcs8_der().to_vec());
        der.zeroize();
        Self::from_pkcs8(pkcs8, rng)
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>, rng: &SystemRandom) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, rng)
            .map_err(|_| Error::PrivateKey)?;
        Ok(Self {
            pair,
            pkcs8,
            rng: rng.clone(),
        })
    }

    /// The key as PKCS #8 PEM.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(self.pkcs8.as_slice()));
        // Reserved at once: a string that grows leaves a copy of the key behind in freed memory.
        let mut pem = Zeroizing::new(String::with_capacity(2 * body.len() + 64));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, tail) = rest.split_at(PEM_LINE.min(rest.len()));
            pem.push_str(line);
            pem.push('\n');
            rest = tail;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        pem
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature = self
            .pair
            .sign(&self.rng, message)
            .map_err(|_| rcgen::Error::RingUnspecified)?;
        Ok(signature.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData;
    use ring::rand::SystemRandom;

    use super::PrivateKey;

    #[test]
    fn a_key_survives_its_pem_form() {
        let rng = SystemRandom::new();
        let key = PrivateKey::generate(&rng).unwrap();
        let pem = key.to_pem();
        assert!(pem.lines().all(|line| line.len() <= 64));
        let back = PrivateKey::from_pem(pem.as_bytes(), &rng).unwrap();
        assert_eq!(back.der_bytes(), key.der_bytes());
    }

    #[test]
    fn a_key_does_not_print() {
        let key = PrivateKey::generate(&SystemRandom::new()).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let rng = SystemRandom::new();
        let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for pem in ["", "hello", broken] {
            assert!(PrivateKey::from_pem(pem.as_bytes(), &rng).is_err());
        }
    }
}
