//! The header member `x5c` (RFC 7515 §4.1.6): the signer's certificate first, then those that lead to a root. Whether the
//! chain is to be trusted, and for what, is another's question.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::compact::Alg;
use super::{InvalidProof, es256};
use crate::public_key::{PublicKey, RsaPublicKey};

/// Most certificates in a chain.
const MAX_CERTIFICATES: usize = 4;

/// One to four certificates in DER, the signer's first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct X5c(Vec<CertificateDer<'static>>);

impl X5c {
    /// A chain of certificates, own first. `None` when there are none or more than four.
    #[must_use]
    pub fn new(chain: Vec<CertificateDer<'static>>) -> Option<Self> {
        (1..=MAX_CERTIFICATES)
            .contains(&chain.len())
            .then_some(Self(chain))
    }

    /// The certificates, the signer's first, to be checked as a handshake would check them.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// The key in the signer's certificate.
    ///
    /// # Errors
    /// [`InvalidProof`] when the certificate does not read, or holds no key that is allowed.
    pub fn signer_key(&self) -> Result<PublicKey, InvalidProof> {
        let der = self.0.first().ok_or(InvalidProof)?;
        match X509Certificate::from_der(der) {
            Ok(([], certificate)) => {
                PublicKey::from_spki_der(certificate.public_key().raw).map_err(|_| InvalidProof)
            }
            Ok(_) | Err(_) => Err(InvalidProof),
        }
    }

    /// Whether `signature` over `input` is by the signer's key, with the one algorithm for keys of its kind.
    pub(super) fn verify_signature(
        &self,
        alg: Alg,
        input: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidProof> {
        match (alg, self.signer_key()?) {
            (Alg::Es256, PublicKey::P256(point)) => es256::verify(&point, input, signature),
            (Alg::Ps256, PublicKey::Rsa(key)) => {
                let key = RsaPublicKeyComponents {
                    n: key.modulus(),
                    e: RsaPublicKey::EXPONENT.as_slice(),
                };
                key.verify(&RSA_PSS_2048_8192_SHA256, input, signature)
                    .map_err(|_| InvalidProof)
            }
            (Alg::Es256, PublicKey::Rsa(_)) | (Alg::Ps256, PublicKey::P256(_)) => Err(InvalidProof),
        }
    }
}

impl TryFrom<Vec<String>> for X5c {
    type Error = InvalidProof;
    fn try_from(texts: Vec<String>) -> Result<Self, InvalidProof> {
        let decoded = texts
            .iter()
            .map(|text| STANDARD.decode(text).map(CertificateDer::from));
        let chain = decoded.collect::<Result<_, _>>().map_err(|_| InvalidProof)?;
        Self::new(chain).ok_or(InvalidProof)
    }
}

impl From<X5c> for Vec<String> {
    fn from(x5c: X5c) -> Self {
        x5c.0
            .iter()
            .map(|certificate| STANDARD.encode(certificate))
            .collect()
    }
}
