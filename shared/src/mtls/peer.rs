//! What is known of the other end of a mutually authenticated connection.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::identity::{Identity, IdentityError};
use crate::public_key::{InvalidPublicKey, PublicKey};

/// The holder of the certificate that opened a connection. Made only from certificates; whether the certificate is to
/// be trusted was decided by the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// The certificate's serial number.
    pub serial: Serial,
    /// The issuer's distinguished name.
    pub issuer: Issuer,
    /// SHA-256 of the whole certificate: changes with every renewal.
    pub fingerprint: Fingerprint,
    /// SHA-256 of the public key: stays through renewals that keep the key.
    pub key: SpkiThumbprint,
    /// The certificate's last valid instant, UTC.
    pub not_after: OffsetDateTime,
}

impl Peer {
    /// Reads all there is to know of the holder from its certificate.
    ///
    /// # Errors
    /// [`IdentityError`] when the certificate carries no identity.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let Ok(([], parsed)) = X509Certificate::from_der(certificate) else {
            return Err(IdentityError::NotACertificate);
        };
        Ok(Self {
            identity: Identity::from_parsed(&parsed)?,
            serial: Serial::from_der_integer(parsed.raw_serial()),
            issuer: Issuer {
                der: parsed.issuer().as_raw().into(),
                text: parsed.issuer().to_string(),
            },
            fingerprint: Fingerprint(sha256(certificate)),
            key: SpkiThumbprint(sha256(parsed.public_key().raw)),
            not_after: parsed.validity().not_after.to_datetime(),
        })
    }
}

/// The public key of a certificate, to seal something to its holder.
///
/// # Errors
/// [`InvalidPublicKey`] for what is no certificate, or one with another kind of key than [`PublicKey`] knows.
pub fn public_key(certificate: &CertificateDer<'_>) -> Result<PublicKey, InvalidPublicKey> {
    let Ok(([], parsed)) = X509Certificate::from_der(certificate) else {
        return Err(InvalidPublicKey);
    };
    PublicKey::from_spki_der(parsed.public_key().raw)
}

/// A certificate's serial number: the integer's bytes without leading zeros. Printed as `openssl x509 -text` does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Serial(Box<[u8]>);

impl Serial {
    /// From the content bytes of a DER `INTEGER`.
    #[must_use]
    pub fn from_der_integer(bytes: &[u8]) -> Self {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Self(bytes.get(zeros..).unwrap_or_default().into())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

/// A certificate issuer's distinguished name: compared by its DER bytes, printed in the style of RFC 4514.
#[derive(Clone, Debug)]
pub struct Issuer {
    der: Box<[u8]>,
    text: String,
}

impl Issuer {
    /// The name's DER encoding.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }
}

impl PartialEq for Issuer {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Issuer {}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// SHA-256 of a DER certificate, printed as `openssl x509 -fingerprint -sha256` does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The hash's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// SHA-256 of a DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1), by which officers and partners are registered.
///
/// Not an RFC 7638 thumbprint, which hashes a JWK. Text form: 43 characters of base64url, in which (unlike hexadecimal)
/// no search for card numbers mistakes a run of digits for one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpkiThumbprint([u8; 32]);

impl SpkiThumbprint {
    /// Of a DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn of_spki(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// The hash's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for SpkiThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SpkiThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpkiThumbprint({self})")
    }
}

impl FromStr for SpkiThumbprint {
    type Err = BadThumbprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadThumbprint)?;
        bytes.try_into().map(Self).map_err(|_| BadThumbprint)
    }
}

impl TryFrom<String> for SpkiThumbprint {
    type Error = BadThumbprint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SpkiThumbprint> for String {
    fn from(thumbprint: SpkiThumbprint) -> Self {
        thumbprint.to_string()
    }
}

/// The text is not the base64url form of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key thumbprint is 43 characters of base64url")]
pub struct BadThumbprint;

/// Pairs of hexadecimal digits with colons between: colons also keep digit runs too short to look like a card number.
fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().enumerate().try_for_each(|(index, byte)| {
        let colon = if index == 0 { "" } else { ":" };
        write!(f, "{colon}{byte:02X}")
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::x509::X509;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber};

    use super::*;

    #[test]
    fn a_peer_says_what_openssl_says_of_the_same_certificate() {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(vec![0x80, 0x01]));
        params.distinguished_name.push(DnType::CommonName, "Officer One");
        params.subject_alt_names = vec![SanType::URI(
            Ia5String::try_from("spiffe://tessera/officer/one").unwrap(),
        )];
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();

        let peer = Peer::from_certificate(certificate.der()).unwrap();

        let other = X509::from_der(certificate.der()).unwrap();
        assert_eq!(peer.identity, "spiffe://tessera/officer/one".parse().unwrap());
        assert_eq!(peer.serial.to_string(), "80:01");
        assert_eq!(
            peer.fingerprint.0[..],
            *other.digest(MessageDigest::sha256()).unwrap()
        );
        let spki = other.public_key().unwrap().public_key_to_der().unwrap();
        assert_eq!(*peer.key.as_bytes(), sha256(&spki));
        assert!(peer.issuer.to_string().contains("Officer One"));
        assert_eq!(peer.issuer.as_der(), other.issuer_name().to_der().unwrap());
    }

    #[test]
    fn a_thumbprint_survives_its_text_and_takes_no_other() {
        let thumbprint = SpkiThumbprint(sha256(b"a key"));
        let text = thumbprint.to_string();
        assert_eq!(text.parse(), Ok(thumbprint));
        assert_eq!(serde_json::to_string(&thumbprint).unwrap(), format!("\"{text}\""));
        for bad in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            &"é".repeat(22),
            &"+".repeat(43),
        ] {
            assert_eq!(bad.parse::<SpkiThumbprint>(), Err(BadThumbprint), "{bad}");
        }
    }
}
