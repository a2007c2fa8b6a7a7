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
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509;
    use openssl::x509::extension::SubjectAlternativeName;

    use super::*;

    /// An officer's certificate by its name, with an RSA key.
    fn rsa_certificate() -> Vec<u8> {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_pubkey(&key).unwrap();
        let (now, then) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(1));
        certificate.set_not_before(&now.unwrap()).unwrap();
        certificate.set_not_after(&then.unwrap()).unwrap();
        let name = SubjectAlternativeName::new()
            .uri("spiffe://tessera/officer/rsa")
            .build(&certificate.x509v3_context(None, None))
            .unwrap();
        certificate.append_extension(name).unwrap();
        certificate.sign(&key, MessageDigest::sha256()).unwrap();
        certificate.build().to_pem().unwrap()
    }

    #[test]
    fn a_share_is_sealed_to_p256_keys_alone() {
        let refused = CustodianCertificate::from_pem(&rsa_certificate());
        assert!(
            matches!(refused, Err(CertificateError::NotP256(who)) if who == "spiffe://tessera/officer/rsa")
        );
        let nothing = CustodianCertificate::from_pem(b"nothing");
        assert!(matches!(nothing, Err(CertificateError::Unreadable(_))));
    }
}
