//! ES256 (RFC 7518 §3.4): ECDSA on P-256 with SHA-256, the signature as 64 bytes `r ‖ s`, never DER.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde::Serialize;

use super::InvalidProof;
use crate::jose::base64url;
use crate::public_key::{HolderKey, P256Point};

/// Whether `signature` over `input` is by the key behind `point`.
pub(super) fn verify(point: &P256Point, input: &[u8], signature: &[u8]) -> Result<(), InvalidProof> {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_bytes());
    key.verify(input, signature).map_err(|_| InvalidProof)
}

/// Not a P-256 private key in PKCS#8, not the key of the certificate it came with, or no randomness to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a usable signing key")]
pub struct InvalidSigningKey;

/// A P-256 key that signs under one encoded header after another.
pub(super) struct Es256Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Es256Key {
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidSigningKey> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
            .map_err(|_| InvalidSigningKey)?;
        Ok(Self { pair, random })
    }

    /// The public half, `0x04 ‖ x ‖ y`.
    pub(super) fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs `claims` under a header that is encoded already: one base64url and one signature.
    pub(super) fn sign(
        &self,
        encoded_header: &str,
        claims: &impl Serialize,
    ) -> Result<String, InvalidSigningKey> {
        let claims = serde_json::to_vec(claims).map_err(|_| InvalidSigningKey)?;
        let mut token = String::with_capacity(encoded_header.len() + claims.len() * 4 / 3 + 96);
        token.push_str(encoded_header);
        token.push('.');
        base64url::encode_into(claims, &mut token);
        let signature = self
            .pair
            .sign(&self.random, token.as_bytes())
            .map_err(|_| InvalidSigningKey)?;
        token.push('.');
        base64url::encode_into(signature, &mut token);
        Ok(token)
    }
}

/// The client's half: the key of a phone, with which it signs holder proofs and session proofs.
pub struct HolderSigner(Es256Key);

impl HolderSigner {
    /// Reads a P-256 private key from PKCS#8 DER.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] for every other key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, InvalidSigningKey> {
        Es256Key::from_pkcs8(pkcs8).map(Self)
    }

    /// The public half, to be enrolled.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] never in practice: ring answers with a point on the curve.
    pub fn public_key(&self) -> Result<HolderKey, InvalidSigningKey> {
        HolderKey::from_uncompressed(self.0.public_point()).map_err(|_| InvalidSigningKey)
    }

    pub(super) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, InvalidSigningKey> {
        let header = base64url::encode(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#));
        self.0.sign(&header, claims)
    }
}
