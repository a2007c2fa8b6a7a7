//! Shares on their way to their custodians: a share leaves the vault only as a compact JWE to the key of the custodian's
//! certificate, so that neither a disk nor whoever carries it has it in clear. The custodian opens it with that
//! certificate's private key, away from the vault.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use shared::jwe::{OpenError, RecipientKey, SealError, Sealer};
use shared::mtls::identity::Role;
use shared::mtls::peer::{self, Peer};
use shared::public_key::PublicKey;
use zeroize::Zeroizing;

use super::shamir::NewCustodian;
use super::share::ShareText;

/// A certificate that makes nobody a custodian.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not one certificate in PEM, or one that names nobody.
    #[error("not a certificate with an identity: {0}")]
    Unreadable(String),
    /// Its role is another.
    #[error("{0} is no officer")]
    NotAnOfficer(String),
    /// A share is sealed by ECDH on P-256.
    #[error("the certificate of {0} has no P-256 key")]
    NotP256(String),
}

/// A custodian's certificate: who it is, and the key that their share is sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustodianCertificate {
    /// Who.
    pub peer: Peer,
    key: PublicKey,
}

impl CustodianCertificate {
    /// Reads one certificate in PEM. Whether its holder is registered is for the caller to judge.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let der = CertificateDer::from_pem_slice(pem);
        let der = der.map_err(|error| CertificateError::Unreadable(error.to_string()))?;
        let peer = Peer::from_certificate(&der);
        let peer = peer.map_err(|error| CertificateError::Unreadable(error.to_string()))?;
        if peer.identity.role() != Role::Officer {
            return Err(CertificateError::NotAnOfficer(peer.identity.to_string()));
        }
        match peer::public_key(&der) {
            Ok(key @ PublicKey::P256(_)) => Ok(Self { peer, key }),
            Ok(PublicKey::Rsa(_)) | Err(_) => Err(CertificateError::NotP256(peer.identity.to_string())),
        }
    }

    /// The custodian of a new slot.
    #[must_use]
    pub fn custodian(&self) -> NewCustodian {
        NewCustodian {
            identity: self.peer.identity.clone(),
            key: self.peer.key,
        }
    }

    /// Seals the custodian's share to them.
    ///
    /// # Errors
    /// [`SealError`] when randomness or OpenSSL fails.
    pub fn seal(&self, share: &ShareText) -> Result<String, SealError> {
        Sealer::new(&self.key)?.seal(share.expose().as_bytes())
    }
}

/// Opens a sealed share with the private key of its custodian's certificate.
///
/// # Errors
/// [`OpenError::InvalidPayload`] for what is no sealed share, [`OpenError::CantDecrypt`] for one that was sealed to
/// another key or changed.
pub fn open(sealed: &str, key: &RecipientKey) -> Result<ShareText, OpenError> {
    let content = key.open(sealed.trim_ascii())?;
    let text = std::str::from_utf8(&content).map_err(|_| OpenError::InvalidPayload)?;
    Ok(ShareText::new(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An officer's certificate by its name, with an RSA key.
    const RSA: &str = "\
-----BEGIN CERTIFICATE-----
MIIDUDCCAjigAwIBAgIUKh/k48PtQ/mP4S7vAoG9eRpzLmwwDQYJKoZIhvcNAQEL
BQAwIjEgMB4GA1UEAwwXb2ZmaWNlciBvZiBhbm90aGVyIGtpbmQwIBcNMjYxMTI2
MTkxNTAxWhgPMjEyNjExMDIxOTE1MDFaMCIxIDAeBgNVBAMMF29mZmljZXIgb2Yg
YW5vdGhlciBraW5kMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArCfA
DKqhjs3iL4ym0aqJESGhimK49Am+mrRfwhthpVo1Nes6NbxSsUaE6e7ac/Te4nYs
DVgyv6TFjJNmjwpyo0o2/HQCK+QkAom6G1b1elGktvczJZUhRDnX1xKLeVlPeI8s
DO3lBMQ3Gf5dw5rcCmSQUc2wFdH2c3mOoDl5YGE0V7+TwGqTuJUN9v92pyCC8+fb
b8SdDYEnSxpRvIfssX9E3TTz5WmQ1DtV8/jR4XekgdDVEUXishfsNg9+kcxPh6IT
dGiNV5lFRtOGQ0oUSUJ7RdsxlYqG7vFMWUe+mey4/YwNK0uS67fMktr2KvrubV99
W6LkA7TbfH/VF5V9HQIDAQABo3wwejAdBgNVHQ4EFgQURDTiN8mpR0jxbP+/nWKY
ERs2aS8wHwYDVR0jBBgwFoAURDTiN8mpR0jxbP+/nWKYERs2aS8wDwYDVR0TAQH/
BAUwAwEB/zAnBgNVHREEIDAehhxzcGlmZmU6Ly90ZXNzZXJhL29mZmljZXIvcnNh
MA0GCSqGSIb3DQEBCwUAA4IBAQBvG7Vrh5QMP1kuKr3ZoiOXIlfZYJuA7tSFTCyT
MgBCQI9QlcMO+VauUGwALbxqnt1vGLzvU0IiEquUN4SNDIRvk3K6SQk71tdHIe9x
G7HmySsqAl+GoE2tszue32SmjiK422GaqXsVHZcWxlJPs8bGJHAqSuhxdAEJ2s5N
i0vsd5czzZ9UaawcE3t9QIjBVdcTKqRPr4ZiOilUbxsFsVQvKh1yE5/Bc1/woO0H
yxvr3H9I8Kau4NwvfnuHHuYdPvuSZtCTXFAGe1VLC6NiyvKzM4yr0OuVy1P1uQG7
M3j1cfh20e8LSNvsz89ymgf2WqVbzVLvOxg7Jf67AJfJDgIc
-----END CERTIFICATE-----
";

    #[test]
    fn a_share_is_sealed_to_p256_keys_alone() {
        let refused = CustodianCertificate::from_pem(RSA.as_bytes());
        assert!(
            matches!(refused, Err(CertificateError::NotP256(who)) if who == "spiffe://tessera/officer/rsa")
        );
        let nothing = CustodianCertificate::from_pem(b"nothing");
        assert!(matches!(nothing, Err(CertificateError::Unreadable(_))));
    }
}
