//! `SubjectPublicKeyInfo` (RFC 5280 §4.1, RFC 3279 §2.3, RFC 5480 §2) of the two kinds of key that are allowed.
//!
//! Reading ends with writing: what was read is encoded again and must give the same bytes, so that one key has one DER.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as X509PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{InvalidPublicKey, P256Point, PublicKey, RsaPublicKey};

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
/// RFC 7468 §2.
const PEM_LINE_CHARACTERS: usize = 64;

/// `SEQUENCE { rsaEncryption, NULL }`.
const RSA_ALGORITHM: [u8; 15] = [0x30, 13, 6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1, 5, 0];
/// `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING (0 bits unused) …` before the 65 bytes of the point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1, 6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3,
    1, 7, 3, 0x42, 0,
];

const TAG_INTEGER: u8 = 2;
const TAG_BIT_STRING: u8 = 3;
const TAG_SEQUENCE: u8 = 0x30;

pub(super) fn decode(der: &[u8]) -> Result<PublicKey, InvalidPublicKey> {
    if let Some(point) = der.strip_prefix(P256_PREFIX.as_slice()) {
        return P256Point::from_uncompressed(point).map(PublicKey::P256);
    }
    let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| InvalidPublicKey)?;
    let Ok(X509PublicKey::RSA(numbers)) = info.parsed() else {
        return Err(InvalidPublicKey);
    };
    // DER puts one zero before a modulus whose first bit is set; the comparison below makes sure that it was there.
    let modulus = numbers.modulus.strip_prefix(&[0]).unwrap_or(numbers.modulus);
    let key = PublicKey::Rsa(RsaPublicKey::from_numbers(modulus, numbers.exponent)?);
    if encode(&key) == der {
        Ok(key)
    } else {
        Err(InvalidPublicKey)
    }
}

pub(super) fn encode(key: &PublicKey) -> Vec<u8> {
    match key {
        PublicKey::P256(point) => [P256_PREFIX.as_slice(), point.as_bytes()].concat(),
        PublicKey::Rsa(key) => {
            let sign: &[u8] = if key.modulus().first().is_some_and(|first| first & 0x80 != 0) {
                &[0]
            } else {
                &[]
            };
            let modulus = tlv(TAG_INTEGER, &[sign, key.modulus()]);
            let exponent = tlv(TAG_INTEGER, &[&RsaPublicKey::EXPONENT]);
            let numbers = tlv(TAG_SEQUENCE, &[&modulus, &exponent]);
            tlv(
                TAG_SEQUENCE,
                &[&RSA_ALGORITHM, &tlv(TAG_BIT_STRING, &[&[0], &numbers])],
            )
        }
    }
}

/// One DER element: tag, shortest length, the joined `parts` (ITU-T X.690 §10.1).
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant = length
        .iter()
        .position(|byte| *byte != 0)
        .map_or(&[][..], |at| &length[at..]);
    let mut element = vec![tag];
    match significant {
        [] => element.push(0),
        [short] if *short < 0x80 => element.push(*short),
        long => {
            element.push(0x80 | long.len() as u8);
            element.extend_from_slice(long);
        }
    }
    element.extend_from_slice(&content);
    element
}

pub(super) fn der_of_pem(pem: &str) -> Result<Vec<u8>, InvalidPublicKey> {
    let body = pem
        .trim_ascii()
        .strip_prefix(PEM_BEGIN)
        .and_then(|rest| rest.strip_suffix(PEM_END));
    let symbols: String = body.ok_or(InvalidPublicKey)?.split_ascii_whitespace().collect();
    STANDARD.decode(symbols).map_err(|_| InvalidPublicKey)
}

pub(super) fn pem_of_der(der: &[u8]) -> String {
    let mut pem = String::from(PEM_BEGIN);
    for (index, symbol) in STANDARD.encode(der).chars().enumerate() {
        if index % PEM_LINE_CHARACTERS == 0 {
            pem.push('\n');
        }
        pem.push(symbol);
    }
    pem.push('\n');
    pem.push_str(PEM_END);
    pem.push('\n');
    pem
}
