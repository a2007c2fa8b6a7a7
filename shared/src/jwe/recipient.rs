//! The other side of `ECDH-ES`: opens what a [`super::Sealer`] sealed to a P-256 key. For people who receive something
//! under the key of their certificate, and for programs that act for them; the vault itself opens with RSA keys alone.

use openssl::derive::Deriver;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::cek::{Cek, IV_BYTES, TAG_BYTES};
use super::compact::MAX_COMPACT_BYTES;
use super::concat_kdf;
use super::open::OpenError;
use super::private_key::InvalidPrivateKey;
use crate::jose::{base64url, json};
use crate::public_key::PublicKey;

/// A P-256 private key that opens what was sealed to it. Not printable, not cloneable; OpenSSL wipes it when it goes.
pub struct RecipientKey {
    pair: PKey<Private>,
    public: PublicKey,
}

/// The protected header as the sealer writes it; every other member is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    enc: String,
    epk: Value,
}

impl RecipientKey {
    /// Reads PKCS#8 DER.
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] for anything but a P-256 key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let pair = PKey::private_key_from_pkcs8(der)?;
        pair.ec_key()?.check_key()?;
        let public = PublicKey::from_spki_der(&pair.public_key_to_der()?).map_err(|_| InvalidPrivateKey)?;
        match public {
            PublicKey::P256(_) => Ok(Self { pair, public }),
            PublicKey::Rsa(_) => Err(InvalidPrivateKey),
        }
    }

    /// Reads PKCS#8 PEM (`BEGIN PRIVATE KEY`), as certificates' keys are kept.
    ///
    /// # Errors
    /// [`InvalidPrivateKey`] for anything but one P-256 key that is not encrypted.
    pub fn from_pkcs8_pem(pem: &[u8]) -> Result<Self, InvalidPrivateKey> {
        let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| InvalidPrivateKey)?;
        let key = Self::from_pkcs8(der.secret_pkcs8_der());
        der.zeroize();
        key
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Opens a compact JWE (`ECDH-ES`, `A256GCM`) and gives its content in memory that wipes itself.
    ///
    /// # Errors
    /// [`OpenError::InvalidPayload`] for another structure or header, or a point off the curve;
    /// [`OpenError::CantDecrypt`] when it was sealed to another key, or changed.
    pub fn open(&self, compact: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (header, sealed) = parse(compact).ok_or(OpenError::InvalidPayload)?;
        let ephemeral = PublicKey::from_jwk(&header.epk).map_err(|_| OpenError::InvalidPayload)?;
        let PublicKey::P256(_) = ephemeral else {
            return Err(OpenError::InvalidPayload);
        };
        let secret = self.agree(&ephemeral).map_err(|_| OpenError::CantDecrypt)?;
        let key = concat_kdf::derive_256(&secret, "A256GCM", &[], &[]);
        let cek = Cek::from_slice(key.as_slice()).ok_or(OpenError::CantDecrypt)?;
        let mut content = Zeroizing::new(sealed.ciphertext);
        cek.open(sealed.iv, sealed.aad.as_bytes(), &mut content, sealed.tag)
            .map_err(|_| OpenError::CantDecrypt)?;
        Ok(content)
    }

    fn agree(&self, ephemeral: &PublicKey) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
        let ephemeral = PKey::public_key_from_der(&ephemeral.to_spki_der())?;
        let mut deriver = Deriver::new(&self.pair)?;
        deriver.set_peer(&ephemeral)?;
        deriver.derive_to_vec().map(Zeroizing::new)
    }
}

impl std::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecipientKey({})", self.public.thumbprint())
    }
}

/// The parts behind the header.
struct Sealed<'a> {
    aad: &'a str,
    iv: [u8; IV_BYTES],
    ciphertext: Vec<u8>,
    tag: [u8; TAG_BYTES],
}

fn parse(compact: &str) -> Option<(Header, Sealed<'_>)> {
    if compact.len() > MAX_COMPACT_BYTES {
        return None;
    }
    let mut parts = compact.split('.');
    let (aad, encrypted_key) = (parts.next()?, parts.next()?);
    let (iv, ciphertext, tag) = (parts.next()?, parts.next()?, parts.next()?);
    // Direct agreement: the second part is empty (RFC 7518 §4.6).
    if parts.next().is_some() || !encrypted_key.is_empty() {
        return None;
    }
    let header: Header = json::object(&base64url::decode(aad)?)?;
    if header.alg != "ECDH-ES" || header.enc != "A256GCM" {
        return None;
    }
    let sealed = Sealed {
        aad,
        iv: base64url::decode_array(iv)?,
        ciphertext: base64url::decode(ciphertext)?,
        tag: base64url::decode_array(tag)?,
    };
    Some((header, sealed))
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

    use super::*;
    use crate::jwe::{RsaKeySize, RsaPrivateKey, Sealer};

    fn key() -> RecipientKey {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        RecipientKey::from_pkcs8(pkcs8.unwrap().as_ref()).unwrap()
    }

    #[test]
    fn what_was_sealed_to_a_certificates_key_opens_with_it_alone() {
        let (own, other) = (key(), key());
        let sealed = Sealer::new(own.public_key()).unwrap().seal(b"a share").unwrap();
        assert_eq!(**own.open(&sealed).unwrap(), *b"a share");
        assert_eq!(other.open(&sealed), Err(OpenError::CantDecrypt));
        assert_eq!(format!("{own:?}").len(), "RecipientKey()".len() + 43);
    }

    #[test]
    fn every_changed_part_is_refused() {
        let own = key();
        let sealed = Sealer::new(own.public_key()).unwrap().seal(b"a share").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert!(
                own.open(std::str::from_utf8(&changed).unwrap()).is_err(),
                "byte {index}"
            );
        }
        for other in [
            "",
            "....",
            &sealed.replacen('.', ".AAAA", 1),
            &format!("{sealed}."),
        ] {
            assert_eq!(own.open(other), Err(OpenError::InvalidPayload), "{other}");
        }
    }

    #[test]
    fn an_rsa_key_is_no_recipients_key() {
        let rsa = RsaPrivateKey::generate(RsaKeySize::Bits2048).unwrap();
        assert!(RecipientKey::from_pkcs8(&rsa).is_err());
        assert!(RecipientKey::from_pkcs8_pem(b"no PEM").is_err());
    }
}
