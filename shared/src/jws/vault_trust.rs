//! Who the vault is, for a client that pins the CA: the holder of a certificate for servers that leads to a pinned root and
//! whose identity is exactly `spiffe://tessera/vault`. The gateway has a certificate of the same CA; it is not the vault.

use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};
use time::OffsetDateTime;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use super::compact::{Alg, CompactJws};
use super::{InvalidProof, X5c};
use crate::mtls::identity::Identity;

/// `id-kp-serverAuth` (RFC 5280 §4.2.1.12), the content of its OID.
const SERVER_AUTH: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 1];

/// The roots or revocation lists cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultTrustError {
    /// There is no root.
    #[error("no root certificate")]
    NoRoot,
    /// A root certificate cannot be read.
    #[error("a root certificate cannot be read")]
    Root,
    /// A revocation list cannot be read.
    #[error("a revocation list cannot be read")]
    RevocationList,
}

/// Why a token is not the vault's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultWordError {
    /// Not a JWS of the expected type and claims, or without certificates.
    #[error("not a token of this kind")]
    Malformed,
    /// The chain does not lead to a pinned root, is not for servers, is out of its time, or revoked.
    #[error("the certificate is not to be trusted")]
    UntrustedChain,
    /// A good certificate of the same CA, but not the vault's: the gateway's, for one.
    #[error("the certificate is not the vault's")]
    NotTheVault,
    /// Another key signed, or another text was signed.
    #[error("the signature is wrong")]
    Signature,
    /// Issued in the future, expired, or made to last longer than it may.
    #[error("the token is out of its time")]
    Time,
    /// A genuine attestation, of other keys than the one that is about to be used.
    #[error("the key is not among those attested")]
    OtherKey,
}

impl From<InvalidProof> for VaultWordError {
    fn from(_: InvalidProof) -> Self {
        Self::Malformed
    }
}

/// The pinned roots, and revocation lists where the client has any.
pub struct VaultTrust {
    roots: Vec<TrustAnchor<'static>>,
    lists: Vec<CertRevocationList<'static>>,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

impl VaultTrust {
    /// Pins `roots`. With `lists`, a certificate whose status no list in force tells is refused; without any, revocation
    /// is not checked, as befits an app that has no way to a list.
    ///
    /// # Errors
    /// [`VaultTrustError`] when there is no root or something cannot be read.
    pub fn new(
        roots: &[CertificateDer<'_>],
        lists: &[CertificateRevocationListDer<'_>],
    ) -> Result<Self, VaultTrustError> {
        if roots.is_empty() {
            return Err(VaultTrustError::NoRoot);
        }
        let anchor = |root| anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned());
        let list =
            |der: &CertificateRevocationListDer<'_>| OwnedCertRevocationList::from_der(der).map(Into::into);
        Ok(Self {
            roots: roots
                .iter()
                .map(anchor)
                .collect::<Result<_, _>>()
                .map_err(|_| VaultTrustError::Root)?,
            lists: lists
                .iter()
                .map(list)
                .collect::<Result<_, _>>()
                .map_err(|_| VaultTrustError::RevocationList)?,
            algorithms: default_provider().signature_verification_algorithms.all,
        })
    }

    /// Takes a parsed token for the vault's word, or says why not.
    pub(super) fn accept<C>(&self, jws: CompactJws<C>, now: OffsetDateTime) -> Result<C, VaultWordError> {
        let x5c = jws.x5c.as_ref().ok_or(VaultWordError::Malformed)?;
        if jws.alg != Alg::Es256 {
            return Err(VaultWordError::Malformed);
        }
        self.check_chain(x5c, now)
            .map_err(|_| VaultWordError::UntrustedChain)?;
        let identity = x5c.chain().first().map(Identity::from_certificate);
        if identity != Some(Ok(Identity::Vault)) {
            return Err(VaultWordError::NotTheVault);
        }
        let signed = x5c.verify_signature(jws.alg, jws.signing_input(), &jws.signature);
        signed.map_err(|_| VaultWordError::Signature)?;
        Ok(jws.claims)
    }

    fn check_chain(&self, x5c: &X5c, now: OffsetDateTime) -> Result<(), webpki::Error> {
        let seconds = u64::try_from(now.unix_timestamp()).map_err(|_| webpki::Error::BadDerTime)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (own, others) = x5c.chain().split_first().ok_or(webpki::Error::BadDer)?;
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let usage = KeyUsage::required(SERVER_AUTH);
        let certificate = EndEntityCert::try_from(own)?;
        certificate
            .verify_for_usage(self.algorithms, &self.roots, others, now, usage, revocation, None)
            .map(|_| ())
    }
}
