//! The public keys that are certified: ECDSA P-256, and RSA from 2048 bits. Judged before anything is signed.

use std::fmt;

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use ring::digest::{SHA256, digest};
use shared::mtls::peer::SpkiThumbprint;
use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION};
use x509_parser::public_key::PublicKey as Parsed;
use x509_parser::x509;

use crate::error::{Error, Result};
use crate::wishes::harmless;

/// NIST SP 800-57 part 1 table 2: 2048 bits are the least for 112 bits of strength.
const RSA_MIN_BITS: usize = 2048;
/// What ring and webpki verify at most; a larger key would be signed and never accepted.
const RSA_MAX_BITS: usize = 8192;
/// The one exponent in use; a tiny or a huge one is a mistake or an attack on the verifier's time.
const RSA_EXPONENT: u64 = 65_537;
/// `04 ‖ x ‖ y` of P-256 (SEC 1 §2.3.3).
const P256_POINT_BYTES: usize = 65;

/// Which keys a profile takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyRule {
    /// ECDSA P-256 alone.
    P256Only,
    /// ECDSA P-256, or RSA of 2048 to 8192 bits with the exponent 65537.
    P256OrRsa,
}

impl KeyRule {
    fn words(self) -> &'static str {
        match self {
            Self::P256Only => "ECDSA P-256",
            Self::P256OrRsa => "ECDSA P-256, or RSA of 2048 to 8192 bits with the exponent 65537",
        }
    }
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on the curve P-256.
    P256,
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::Rsa { bits } => write!(f, "RSA {bits} bits"),
        }
    }
}

/// A public key of a kind that may be certified.
#[derive(Clone, Debug)]
pub struct PublicKey {
    kind: KeyKind,
    info: SubjectPublicKeyInfo,
}

impl PublicKey {
    /// Judges a SubjectPublicKeyInfo. That its point or modulus is a sound one is shown by the request's signature.
    pub(crate) fn judge(info: &x509::SubjectPublicKeyInfo<'_>) -> Result<Self> {
        let refused = |found: String| Error::KeyRefused {
            found: harmless(&found),
            accepted: KeyRule::P256OrRsa.words(),
        };
        if info.subject_public_key.unused_bits != 0 {
            return Err(refused("not whole bytes".to_owned()));
        }
        let algorithm = &info.algorithm.algorithm;
        let kind = if *algorithm == OID_PKCS1_RSAENCRYPTION {
            rsa_kind(info).map_err(refused)?
        } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            ec_kind(info).map_err(refused)?
        } else {
            return Err(refused(format!(
                "of an algorithm that is not certified ({algorithm})"
            )));
        };
        let info = SubjectPublicKeyInfo::from_der(info.raw)
            .map_err(|_| refused("of a form that is not certified".to_owned()))?;
        Ok(Self { kind, info })
    }

    /// Refuses a key that is sound but not of a kind that this rule takes.
    pub(crate) fn obey(&self, rule: KeyRule) -> Result<()> {
        match (rule, self.kind) {
            (KeyRule::P256OrRsa, _) | (KeyRule::P256Only, KeyKind::P256) => Ok(()),
            (KeyRule::P256Only, KeyKind::Rsa { .. }) => Err(Error::KeyRefused {
                found: self.kind.to_string(),
                accepted: rule.words(),
            }),
        }
    }

    /// What kind of key it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }
}

impl PublicKey {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) fn thumbprint(&self) -> SpkiThumbprint {
        SpkiThumbprint::of_spki(&self.info.subject_public_key_info())
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        self.info.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.info.algorithm()
    }
}

fn rsa_kind(info: &x509::SubjectPublicKeyInfo<'_>) -> Result<KeyKind, String> {
    let Ok(Parsed::RSA(key)) = info.parsed() else {
        return Err("a malformed RSA key".to_owned());
    };
    let modulus: &[u8] = key.modulus;
    let start = modulus
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(modulus.len());
    let significant = modulus.get(start..).unwrap_or_default();
    let leading = significant
        .first()
        .map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = significant.len() * 8 - leading;
    if !(RSA_MIN_BITS..=RSA_MAX_BITS).contains(&bits) {
        return Err(KeyKind::Rsa { bits }.to_string());
    }
    if key.try_exponent().ok() != Some(RSA_EXPONENT) {
        return Err("RSA with another exponent than 65537".to_owned());
    }
    Ok(KeyKind::Rsa { bits })
}

fn ec_kind(info: &x509::SubjectPublicKeyInfo<'_>) -> Result<KeyKind, String> {
    // The parser reads any value as an OID; curve parameters written out in full are a SEQUENCE.
    let parameters = info.algorithm.parameters.as_ref();
    let named = parameters.filter(|parameters| parameters.tag() == Tag::Oid);
    match named.and_then(|parameters| parameters.as_oid().ok()) {
        Some(curve) if curve == OID_EC_P256 => {}
        Some(curve) => return Err(format!("ECDSA on another curve than P-256 ({curve})")),
        None => return Err("ECDSA on an unnamed curve".to_owned()),
    }
    let point = &info.subject_public_key.data;
    if point.len() != P256_POINT_BYTES || point.first() != Some(&4) {
        return Err("ECDSA P-256 with a compressed or malformed point".to_owned());
    }
    Ok(KeyKind::P256)
}

/// SHA-256 of the SubjectPublicKeyInfo, in hexadecimal: by this a key is known in the index.
pub(crate) fn key_fingerprint(key: &impl PublicKeyData) -> String {
    fingerprint(&key.subject_public_key_info())
}

/// SHA-256 in hexadecimal.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
