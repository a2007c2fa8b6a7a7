//! Seals to the caller's key: `RSA-OAEP-256` or `ECDH-ES`, always `A256GCM`, always with a fresh content key and IV.
//!
//! The RSA key is built from its modulus and exponent. josekit's encrypter would decode it from SPKI through OpenSSL each
//! time, which costs five times the encryption (`examples/rsa_step_cost.rs`: 276 µs against 52 µs for a key never seen).

use openssl::bn::BigNum;
use openssl::encrypt::Encrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::{Padding, Rsa};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::cek::{Cek, IV_BYTES};
use super::concat_kdf;
use crate::jose::base64url;
use crate::public_key::{P256Point, PublicKey, RsaPublicKey};

/// The header of the seed's samples, to the letter.
const RSA_HEADER: &str = r#"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#;

/// OpenSSL or the system's randomness failed. Not the caller's fault: every [`PublicKey`] can be sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealing failed")]
pub struct SealError;

impl From<ErrorStack> for SealError {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

impl From<Unspecified> for SealError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// Seals any number of messages to one key.
pub struct Sealer {
    recipient: Recipient,
    random: SystemRandom,
}

enum Recipient {
    Rsa(PKey<Public>),
    P256(P256Point),
}

/// What the key step gives: the protected header, the content key, and the second part of the token.
struct KeyStep {
    header: String,
    cek: Cek,
    encrypted_key: Vec<u8>,
}

impl Sealer {
    /// Prepares to seal to `key`.
    ///
    /// # Errors
    /// [`SealError`] when OpenSSL has no memory.
    pub fn new(key: &PublicKey) -> Result<Self, SealError> {
        let recipient = match key {
            PublicKey::Rsa(key) => Recipient::Rsa(rsa_from_numbers(key)?),
            PublicKey::P256(point) => Recipient::P256(point.clone()),
        };
        Ok(Self {
            recipient,
            random: SystemRandom::new(),
        })
    }

    /// Seals `plaintext` into a compact JWE. No copy of it is left behind: it is encrypted in place.
    ///
    /// # Errors
    /// [`SealError`] when randomness or OpenSSL fails.
    pub fn seal(&self, plaintext: &[u8]) -> Result<String, SealError> {
        let KeyStep {
            header,
            cek,
            encrypted_key,
        } = match &self.recipient {
            Recipient::Rsa(key) => self.wrap_fresh_key(key)?,
            Recipient::P256(point) => self.agree_on_key(point)?,
        };
        let mut iv = [0; IV_BYTES];
        self.random.fill(&mut iv)?;
        let mut compact = base64url::encode(header);
        let mut content = Zeroizing::new(plaintext.to_vec());
        let tag = cek.seal(iv, compact.as_bytes(), &mut content)?;
        for part in [encrypted_key.as_slice(), &iv, &content, &tag] {
            compact.push('.');
            base64url::encode_into(part, &mut compact);
        }
        Ok(compact)
    }

    /// RFC 7518 §4.3 with SHA-256 for the hash and for MGF1.
    fn wrap_fresh_key(&self, key: &PKey<Public>) -> Result<KeyStep, SealError> {
        let cek = Cek::random(&self.random)?;
        let mut encrypter = Encrypter::new(key)?;
        encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
        encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
        encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
        let mut encrypted_key = vec![0; encrypter.encrypt_len(cek.as_bytes())?];
        let written = encrypter.encrypt(cek.as_bytes(), &mut encrypted_key)?;
        encrypted_key.truncate(written);
        Ok(KeyStep {
            header: RSA_HEADER.to_owned(),
            cek,
            encrypted_key,
        })
    }

    /// RFC 7518 §4.6, direct agreement: the derived key is the content key and the second part stays empty.
    fn agree_on_key(&self, point: &P256Point) -> Result<KeyStep, SealError> {
        let ephemeral = EphemeralPrivateKey::generate(&ECDH_P256, &self.random)?;
        let public = ephemeral.compute_public_key()?;
        let (x, y) = P256Point::from_uncompressed(public.as_ref())
            .map_err(|_| SealError)?
            .coordinates();
        let header = format!(
            r#"{{"alg":"ECDH-ES","enc":"A256GCM","epk":{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}}}"#
        );
        let peer = UnparsedPublicKey::new(&ECDH_P256, point.as_bytes());
        let key = agree_ephemeral(ephemeral, &peer, |secret| {
            concat_kdf::derive_256(secret, "A256GCM", &[], &[])
        })?;
        let cek = Cek::from_slice(key.as_slice()).ok_or(SealError)?;
        Ok(KeyStep {
            header,
            cek,
            encrypted_key: Vec::new(),
        })
    }
}

fn rsa_from_numbers(key: &RsaPublicKey) -> Result<PKey<Public>, ErrorStack> {
    let exponent = BigNum::from_slice(&RsaPublicKey::EXPONENT)?;
    PKey::from_rsa(Rsa::from_public_components(
        BigNum::from_slice(key.modulus())?,
        exponent,
    )?)
}
